// SPDX-License-Identifier: GPL-2.0
// rule: zero-eof
// file: inode.c
// sites: 2
// present: ext4_setattr ext4dio_before_zeroing
//
// Where a file becomes larger, or stays as large as it is, what is behind its end in the
// last block is zeroed through the page cache; see ext4dio_before_zeroing().  That no
// direct write to the block is in flight is the doing of dio_write.c: to wait here for all
// direct I/O would be to wait also for what only this task will poll for.

@@
@@
 #include "ext4_jbd2.h"
+#include "dio_write.h"

@@
identifier inode;
@@
 ext4_setattr(...)
 {
	<...
	filemap_invalidate_lock(inode->i_mapping);
+	ext4dio_before_zeroing(inode);
	...>
 }
