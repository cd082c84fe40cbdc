// SPDX-License-Identifier: GPL-2.0
// rule: map-nowait
// file: inode.c
// sites: 5
// present: * #include "dio_map\.h"
// present: ext4_map_blocks return ext4dio_map_nowait_hit\(
// present: ext4_map_blocks & EXT4_GET_BLOCKS_CACHED_NOWAIT\) return -EAGAIN;
// present: ext4_map_blocks WARN_ON_ONCE\(\(\w+ & EXT4_GET_BLOCKS_CACHED_NOWAIT\) &&
// present: ext4_map_blocks & \(EXT4_MAP_MAPPED \| EXT4_MAP_UNWRITTEN\)\) \{ \w+ = check_bl
//
// The cache-only lookup: a hit is validated in silence, a miss is -EAGAIN so that it
// differs from a cached hole, and to ask it to allocate is a mistake of the caller.
// The lookup that may block validates unwritten extents as well as written ones.

@@
@@
 #include "ext4_jbd2.h"
+#include "dio_map.h"

@@
identifier inode, map, flags, retval;
@@
 ext4_map_blocks(..., struct inode *inode, struct ext4_map_blocks *map, int flags)
 {
 	<...
 	if (flags & EXT4_GET_BLOCKS_CACHED_NOWAIT)
-		return retval;
+		return ext4dio_map_nowait_hit(inode, map, retval);
 	...>
 }

@@
identifier flags;
@@
 ext4_map_blocks(..., int flags)
 {
 	<...
 	if (flags & EXT4_GET_BLOCKS_CACHED_NOWAIT)
-		return 0;
+		return -EAGAIN;
 	...>
 }

@@
identifier flags, map;
@@
 ext4_map_blocks(..., struct ext4_map_blocks *map, int flags)
 {
 	...
 	map->m_flags = 0;
+	WARN_ON_ONCE((flags & EXT4_GET_BLOCKS_CACHED_NOWAIT) &&
+		     (flags & EXT4_GET_BLOCKS_CREATE));
 	...
 }

@@
identifier inode, map, retval, ret;
@@
 ext4_map_blocks(..., struct inode *inode, struct ext4_map_blocks *map, ...)
 {
 	<...
-	if (retval > 0 && map->m_flags & EXT4_MAP_MAPPED) {
+	if (retval > 0 && map->m_flags & (EXT4_MAP_MAPPED | EXT4_MAP_UNWRITTEN)) {
 		ret = check_block_validity(inode, map);
 		if (ret != 0)
 			return ret;
 	}
 	...>
 }
