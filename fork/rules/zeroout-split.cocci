// SPDX-License-Identifier: GPL-2.0
// rule: zeroout-split
// file: extents.c
// since: 7.0
// sites: 3
// present: ext4_split_extent_zeroout ext4dio_zeroout
//
// The same where a split fails.

@@
@@
 ext4_split_extent_zeroout(...)
 {
	<...
-	ext4_issue_zeroout
+	ext4dio_zeroout
	(...)
	...>
 }
