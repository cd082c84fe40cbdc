// SPDX-License-Identifier: GPL-2.0
// rule: iomap-join
// file: inode.c
// sites: 1
// present: ext4_iomap_begin ext4dio_map_join\([^;]*\); map\.m_len = fscrypt_limit
//
// What lies side by side on the disk is one mapping for a direct write of whole blocks, written or
// not, from 7.0 on; see dio_map.c.

@@
identifier inode, offset, length, flags, iomap, map;
@@
 ext4_iomap_begin(struct inode *inode, loff_t offset, loff_t length, unsigned flags,
		  struct iomap *iomap, ...)
 {
 	<...
+	ext4dio_map_join(inode, iomap, &map, offset, length, flags);
 	map.m_len = fscrypt_limit_io_blocks(inode, map.m_lblk, map.m_len);
 	...>
 }
