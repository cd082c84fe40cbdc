// SPDX-License-Identifier: GPL-2.0
// rule: ahead-release
// file: file.c
// sites: 2
// present: * #include "dio_ahead\.h"
// present: ext4_release_file ext4dio_ahead_release\(inode, filp\);
//
// What was allocated ahead past EOF goes when the last writer closes the file, and no worker
// outlives that; see dio_ahead.c.

@@
@@
 #include "ext4_jbd2.h"
+#include "dio_ahead.h"

@@
identifier inode, filp;
@@
 ext4_release_file(struct inode *inode, struct file *filp)
 {
+	ext4dio_ahead_release(inode, filp);
 	...
 }
