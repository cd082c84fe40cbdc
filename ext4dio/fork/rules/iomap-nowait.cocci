// SPDX-License-Identifier: GPL-2.0
// rule: iomap-nowait
// file: inode.c
// sites: 2
// present: ext4_iomap_begin ext4dio_map_lookup
//
// A direct read or write that must not wait looks its blocks up in the extent status
// cache only: no sleep on i_data_sem, no metadata read.

@@
identifier inode, flags;
expression map;
@@
 ext4_iomap_begin(struct inode *inode, ..., unsigned flags, ...)
 {
 	<...
-	ext4_map_blocks(NULL, inode, map, 0)
+	ext4dio_map_lookup(inode, map, flags & IOMAP_NOWAIT)
 	...>
 }
