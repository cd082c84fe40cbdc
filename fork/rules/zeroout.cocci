// SPDX-License-Identifier: GPL-2.0
// rule: zeroout
// file: extents.c
// sites: 1
// present: ext4_ext_zeroout ext4dio_zeroout
// result: * !\bext4_issue_zeroout\((?!inode, map\.m_lblk)
// result: * !\b(sb|blkdev)_issue_zeroout\b
//
// A conversion zeroes the rest of an extent only if no write to it can be in flight; see
// zeroout.c.  This function zeroes before 7.0 where a split fails, and in all kernels to
// spare a split that would leave a short extent.  No other function of the file zeroes, but
// for fallocate, which does so to a range of its own, with the lock held exclusively.

@@
@@
 ext4_ext_zeroout(...)
 {
	<...
-	ext4_issue_zeroout
+	ext4dio_zeroout
	(...)
	...>
 }
