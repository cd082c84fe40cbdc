// SPDX-License-Identifier: GPL-2.0
// rule: drain-before-size
// file: inode.c
// sites: 1
// present: ext4_setattr inode_dio_wait\(inode\);\s*filemap_invalidate_lock
//
// A change of size waits for direct I/O in flight also where it makes the file larger:
// that zeroes the tail of the last block through the page cache, from what is on disk
// before a write in flight to the same block has arrived there.

@@
identifier inode;
@@
 ext4_setattr(...)
 {
	<...
+	inode_dio_wait(inode);
	filemap_invalidate_lock(inode->i_mapping);
	...>
 }
