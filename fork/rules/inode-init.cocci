// SPDX-License-Identifier: GPL-2.0
// rule: inode-init
// file: super.c
// sites: 1
// present: ext4_alloc_inode i_dio_owner = NULL; ei->i_dio_tokens = NULL;
// present: ext4_alloc_inode INIT_LIST_HEAD\(&ei->i_dio_times\);
//
// Nobody's, no tokens, nothing allocated ahead and no new timestamps, at first.

@@
identifier ei;
@@
 ext4_alloc_inode(...)
 {
	<...
+	ei->i_dio_owner = NULL;
+	ei->i_dio_tokens = NULL;
+	ei->i_dio_ahead = NULL;
+	INIT_LIST_HEAD(&ei->i_dio_times);
	ei->i_reserved_data_blocks = 0;
	...>
 }
