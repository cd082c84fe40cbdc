// SPDX-License-Identifier: GPL-2.0
// rule: inode-clear
// file: super.c
// sites: 2
// present: ext4_clear_inode ext4dio_untrack
// present: ext4_clear_inode ext4dio_ahead_free
//
// An inode that is evicted needs its tokens no more, see dio_token.c; nor what dio_ahead.c knows of
// it.

@@
@@
 #include "ext4_jbd2.h"
+#include "dio_ahead.h"
+#include "dio_token.h"

@@
identifier inode;
@@
 ext4_clear_inode(struct inode *inode)
 {
	...
	clear_inode(inode);
+	ext4dio_untrack(inode);
+	ext4dio_ahead_free(inode);
	...
 }
