// SPDX-License-Identifier: GPL-2.0
// rule: no-zeroout-neighbours
// file: extents.c
// sites: 2
// present: ext4_ext_convert_to_initialized !max_zeroout = sbi
//
// An unwritten extent may be the target of several direct writes in flight, each of
// which turns its own blocks into written ones when it completes.  To turn the blocks
// of one, stock ext4 at times writes zeroes over the others, before or after those
// have arrived: to spare a split that would leave a short extent, and where a split
// fails.  Here a conversion splits the extent, or fails; what the extent tree needs for
// that comes from the reserved blocks.  (The split before the I/O, which kernels before
// 7.0 make, leaves each write in flight an extent of its own, and may go on zeroing.)

@@
symbol max_zeroout, sbi;
expression cond, size, n;
@@
 ext4_ext_convert_to_initialized(...)
 {
	<...
-	if (cond)
-		max_zeroout = sbi->s_extent_max_zeroout_kb >> (size - n);
	...>
 }

@@
symbol split_flag;
identifier flags;
expression cond;
@@
 ext4_split_convert_extents(..., int flags, ...)
 {
	<...
-	split_flag |= cond ? EXT4_EXT_MAY_ZEROOUT : 0;
+	if (!(flags & EXT4_GET_BLOCKS_CONVERT) && cond)
+		split_flag |= EXT4_EXT_MAY_ZEROOUT;
	...>
 }
