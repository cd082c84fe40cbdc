// SPDX-License-Identifier: GPL-2.0
// rule: alloc-nowait
// file: inode.c
// sites: 1
// present: ext4_iomap_alloc if \(\w+ & IOMAP_NOWAIT\) return -EAGAIN;.*ext4_journal_start
//
// Allocation starts a journal handle, which can sleep for a whole commit: a NOWAIT
// write is refused before that.

@@
identifier inode, map, flags, handle;
@@
 ext4_iomap_alloc(struct inode *inode, struct ext4_map_blocks *map, unsigned int flags)
 {
 	handle_t *handle;
 	...
+	if (flags & IOMAP_NOWAIT)
+		return -EAGAIN;
 	if (map->m_len > DIO_MAX_BLOCKS)
 		map->m_len = DIO_MAX_BLOCKS;
 	...
 }
