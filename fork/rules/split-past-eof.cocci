// SPDX-License-Identifier: GPL-2.0
// rule: split-past-eof
// file: extents.c
// sites: 1
// present: ext4_split_convert_extents EXT4_GET_BLOCKS_CONVERT \| EXT4_GET_BLOCKS_CONVERT_UNWRITTEN
//
// Where a split finds no block for the extent tree, the extent may be zeroed and made written if
// it is all in the file.  Only a conversion may reckon with the size that its write is about to
// give the file: it does so in the same handle.  Before 7.0 extents are split before the I/O too.

@@
identifier eof, map, flags;
@@
 ext4_split_convert_extents(..., int flags, ...)
 {
	<...
-	if (eof < map->m_lblk + map->m_len)
+	if ((flags & (EXT4_GET_BLOCKS_CONVERT | EXT4_GET_BLOCKS_CONVERT_UNWRITTEN)) &&
+	    eof < map->m_lblk + map->m_len)
		eof = map->m_lblk + map->m_len;
	...>
 }
