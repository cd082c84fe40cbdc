// SPDX-License-Identifier: GPL-2.0
// rule: ind-hole
// file: indirect.c
// sites: 2
// present: ext4_ind_map_blocks ext4_determine_insert_hole|ext4dio_cache_hole
//
// The lookup that finds a hole in an inode without extents puts it into the extent status
// cache, as the one in an extent tree does: else a NOWAIT read over it, which asks nothing
// but the cache, is refused for ever.  (Linux 7.3 does it, and 6.12 since 6.12.118.)  A
// branch that could not be read is no hole.

@@
@@
 #include "truncate.h"
+#include "dio_map.h"

@@
identifier inode, map, flags, err, count;
@@
 ext4_ind_map_blocks(..., struct inode *inode, struct ext4_map_blocks *map, int flags)
 {
 	...
 	int err = -EIO;
 	...
 	u64 count = 0;
 	...
 	if ((flags & EXT4_GET_BLOCKS_CREATE) == 0) {
 		...
+		if (!err)
+			count = ext4dio_cache_hole(inode, map->m_lblk, count);
 		map->m_pblk = 0;
 		...
 	}
 	...
 }
