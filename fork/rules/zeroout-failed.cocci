// SPDX-License-Identifier: GPL-2.0
// rule: zeroout-failed
// file: extents.c
// sites: 4
// present: ext4_ext_convert_to_initialized ee_len = 0; goto \w+;
//
// Blocks that could not be zeroed stay unwritten.  Stock ext4 calls them written in the extent
// status tree all the same, once the extent has been split instead, and reads then find
// what was on the disk before.

@@
symbol inode;
identifier err, zeroed, fallback;
@@
 ext4_ext_convert_to_initialized(...)
 {
	<...
	err = ext4_ext_zeroout(inode, &zeroed);
	if (err)
-		goto fallback;
+	{
+		zeroed.ee_len = 0;
+		goto fallback;
+	}
	...>
 }
