// SPDX-License-Identifier: GPL-2.0
// rule: dax-nowait
// file: file.c
// sites: 1
// present: ext4_dax_write_iter & IOCB_NOWAIT\) \{ \w+ = -EAGAIN; goto \w+; \} \w+ = ext4_j
//
// A DAX write that grows i_disksize starts a journal handle for the orphan list,
// also where it begins below EOF: a NOWAIT write is refused before that.

@@
identifier iocb, handle, ret, out;
expression inode;
@@
 ext4_dax_write_iter(struct kiocb *iocb, ...)
 {
 	<...
+	if (iocb->ki_flags & IOCB_NOWAIT) {
+		ret = -EAGAIN;
+		goto out;
+	}
 	handle = ext4_journal_start(inode, ...);
 	if (IS_ERR(handle)) {
 		ret = PTR_ERR(handle);
 		goto out;
 	}
 	...>
 }
