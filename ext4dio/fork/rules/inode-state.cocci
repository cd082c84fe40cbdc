// SPDX-License-Identifier: GPL-2.0
// rule: inode-state
// file: ext4.h
// sites: 1
// present: * i_dio_owner
//
// A file knows the task whose direct write is the one that is waited for under the exclusive
// lock, if there is one; see zeroout.c.

@@
@@
 struct ext4_inode_info {
	...
	struct inode vfs_inode;
+	struct task_struct *i_dio_owner;
	...
 };
