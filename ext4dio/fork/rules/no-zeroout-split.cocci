// SPDX-License-Identifier: GPL-2.0
// rule: no-zeroout-split
// file: extents.c
// sites: 1
// present: ext4_ext_convert_to_initialized !EXT4_EXT_MAY_ZEROOUT : 0
//
// Before 7.0 the function splits by itself; for the same reason as in
// no-zeroout-neighbours it must not zero the extent where that fails.

@@
symbol split_flag;
expression cond;
@@
 ext4_ext_convert_to_initialized(...)
 {
	<...
-	split_flag |= cond ? EXT4_EXT_MAY_ZEROOUT : 0;
	...>
 }
