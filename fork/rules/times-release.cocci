// SPDX-License-Identifier: GPL-2.0
// rule: times-release
// file: file.c
// sites: 1
// present: ext4_release_file ext4dio_times_of\(inode\);
//
// Who closes a file does not leave an inode behind that is held for its timestamp: it could be
// unlinked, and its space be missed, or a remount be refused; see modified.c.  (Rule write-modified
// includes the header.)

@@
identifier inode, filp;
@@
 ext4_release_file(struct inode *inode, struct file *filp)
 {
+	if (filp->f_mode & FMODE_WRITE)
+		ext4dio_times_of(inode);
 	...
 }
