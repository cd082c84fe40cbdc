// SPDX-License-Identifier: GPL-2.0
// rule: drain-before-buffered
// file: file.c
// sites: 1
// present: ext4_buffered_write_iter inode_lock\((\w+)\); inode_dio_wait\(\1\);
//
// A buffered write dirties page cache that an asynchronous direct write still
// in flight to the same range will try to invalidate when it completes; finding
// the folio dirty, that completion warns and records -EIO for fsync.  Most
// often the two meet because a direct write into a hole of an inode without
// extents falls back to buffered I/O.
//
// i_rwsem is held exclusively, so no new direct I/O can start; the wait comes
// before the write checks, so that they see the size left by every finished
// one.  Nobody can block us for ever: a completion takes neither i_rwsem nor
// anything that this task holds.

@@
identifier inode;
@@
 ext4_buffered_write_iter(...)
 {
 	<...
 	inode_lock(inode);
+	inode_dio_wait(inode);
 	...>
 }
