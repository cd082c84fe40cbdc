// SPDX-License-Identifier: GPL-2.0
// rule: split-zeroed
// file: extents.c
// sites: 1
// present: ext4_split_extent EXT4_EXT_MARK_UNWRIT2\) \|\| unwritten|\btry_zeroout:
//
// An extent that could not be split behind the range, and was zeroed and made written instead,
// need not be split before it either: that fails for want of the same block, and writeback throws
// the pages away.  (Since 7.0 the second split is skipped.)

@@
identifier map, ee_block, split_flag, flags, unwritten;
statement S;
@@
 ext4_split_extent(..., int split_flag, int flags, ...)
 {
	...
	unwritten = ext4_ext_is_unwritten(...);
	... when any
-	if (map->m_lblk >= ee_block)
+	if (map->m_lblk >= ee_block &&
+	    (!(split_flag & EXT4_EXT_MARK_UNWRIT2) || unwritten))
		S
	...
 }
