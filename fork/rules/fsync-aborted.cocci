// SPDX-License-Identifier: GPL-2.0
// rule: fsync-aborted
// file: fsync.c
// sites: 1
// present: ext4_sync_file is_journal_aborted\([^;]*\)\) (\w+) = -EIO; if \(\1 == 0\)
//
// When the journal aborts, a write that was acknowledged can be in the transaction that is
// lost: its blocks stay unwritten.  The fsync that waits for that transaction fails, but
// the next one, which finds it over, calls it a success.  After an abort every fsync fails.

@@
identifier inode, err, ret, file;
expression host;
@@
 ext4_sync_file(struct file *file, ...)
 {
 	...
 	struct inode *inode = host;
 	...
 	err = file_check_and_advance_wb_err(file);
+	if (!ret && EXT4_SB(inode->i_sb)->s_journal &&
+	    is_journal_aborted(EXT4_SB(inode->i_sb)->s_journal))
+		ret = -EIO;
 	if (ret == 0)
 		ret = err;
 	...
 }
