// SPDX-License-Identifier: GPL-2.0
// rule: inode-init
// file: super.c
// sites: 1
// present: ext4_alloc_inode i_dio_owner = NULL
//
// Nobody's, at first.

@@
identifier ei;
@@
 ext4_alloc_inode(...)
 {
	<...
+	ei->i_dio_owner = NULL;
	ei->i_reserved_data_blocks = 0;
	...>
 }
