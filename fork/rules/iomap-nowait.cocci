// SPDX-License-Identifier: GPL-2.0
// rule: iomap-nowait
// file: inode.c
// sites: 3
// present: ext4_iomap_begin ext4dio_iomap_flags
// present: ext4_iomap_begin ext4dio_map_lookup
// result: ext4_iomap_begin !\bext4_map_blocks\(
//
// A direct read or write that must not wait looks its blocks up in the extent status
// cache only: no sleep on i_data_sem, no metadata read.  Behind its first mapping it does
// wait, and allocates if it has to: refused there it would end half done.

@@
identifier inode, offset, length, flags, iomap, srcmap;
statement S1, S2;
@@
 ext4_iomap_begin(struct inode *inode, loff_t offset, loff_t length, unsigned flags,
		  struct iomap *iomap, struct iomap *srcmap)
 {
 	...
+	flags = ext4dio_iomap_flags(iomap, offset, flags);
 	if (flags & IOMAP_WRITE) S1 else S2
 	...
 }

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
