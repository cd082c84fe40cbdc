// SPDX-License-Identifier: GPL-2.0
// rule: inode-init
// file: super.c
// sites: 1
// present: ext4_alloc_inode i_dio_owner = NULL; ei->i_dio_tokens = NULL;
//
// Nobody's and no tokens, at first.

@@
identifier ei;
@@
 ext4_alloc_inode(...)
 {
	<...
+	ei->i_dio_owner = NULL;
+	ei->i_dio_tokens = NULL;
	ei->i_reserved_data_blocks = 0;
	...>
 }
