// SPDX-License-Identifier: GPL-2.0
// rule: inode-state
// file: ext4.h
// sites: 1
// present: * struct task_struct \*i_dio_owner; struct dio_tokens \*i_dio_tokens;
// present: * struct dio_ahead \*i_dio_ahead;
// present: * struct list_head i_dio_times;
//
// A file knows the task whose direct write is the one that is waited for under the exclusive
// lock, if there is one (zeroout.c), who writes to which blocks (dio_token.c), what is allocated
// ahead (dio_ahead.c), and whether its timestamps are to be put into the journal (modified.c).

@@
@@
 struct ext4_inode_info {
	...
	struct inode vfs_inode;
+	struct task_struct *i_dio_owner;
+	struct dio_tokens *i_dio_tokens;
+	struct dio_ahead *i_dio_ahead;
+	struct list_head i_dio_times;
	...
 };
