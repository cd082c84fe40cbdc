// SPDX-License-Identifier: GPL-2.0
// rule: symlink-miss
// file: symlink.c
// sites: 1
// present: ext4_get_link NOWAIT\); if \(IS_ERR(_OR_NULL)?\(\w+\)[^;]*\) return ERR_PTR\(-ECHILD
//
// In RCU-walk a long symbolic link asks for its block from the cache only.  With
// map-nowait a miss is an error, no longer no buffer, and must still make the walk come
// again with references.  6.1 passes the error on to whoever opened the path.

@@
identifier bh;
expression inode;
@@
 ext4_get_link(...)
 {
 	<...
 	bh = ext4_getblk(NULL, inode, 0, EXT4_GET_BLOCKS_CACHED_NOWAIT);
 	if (IS_ERR(bh))
-		return ERR_CAST(bh);
+		return ERR_PTR(-ECHILD);
 	...>
 }
