// SPDX-License-Identifier: GPL-2.0
// rule: times-fsync
// file: fsync.c
// sites: 2
// present: * #include "modified\.h"
// present: ext4_sync_file ext4dio_times_of\(inode\); \w+ = file_write_and_wait_range
//
// A timestamp that a NOWAIT write has left to a worker is in the journal before fsync looks for
// the transaction to wait for; see modified.c.

@@
@@
 #include "ext4_jbd2.h"
+#include "modified.h"

@@
identifier inode, ret, file, datasync;
expression host;
@@
 ext4_sync_file(struct file *file, loff_t start, loff_t end, int datasync)
 {
 	...
 	struct inode *inode = host;
 	...
+	if (!datasync)
+		ext4dio_times_of(inode);
 	ret = file_write_and_wait_range(file, start, end);
 	...
 }
