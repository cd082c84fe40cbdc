// SPDX-License-Identifier: GPL-2.0
// rule: ahead-fallocate
// file: extents.c
// sites: 2
// present: * #include "dio_ahead\.h"
// present: ext4_fallocate ext4dio_ahead_fallocated\(inode\);
//
// What fallocate finds allocated is the user's from then on; see dio_ahead.c.  (Before 7.0, where
// nothing is allocated ahead, this is not all of fallocate.)

@@
@@
 #include "ext4_jbd2.h"
+#include "dio_ahead.h"

@exists@
identifier inode;
@@
 ext4_fallocate(...)
 {
 	...
 	inode_lock(inode);
+	ext4dio_ahead_fallocated(inode);
 	...
 }
