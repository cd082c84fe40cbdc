// SPDX-License-Identifier: GPL-2.0
// rule: lookup-past-eof
// file: inode.c
// sites: 1
// present: ext4_iomap_begin ext4dio_lookup_past_eof
//
// Blocks that fallocate has left past EOF are written to as those inside the file are, without a
// journal handle before the I/O.

@@
identifier inode, offset, length, flags;
statement S;
@@
 ext4_iomap_begin(struct inode *inode, loff_t offset, loff_t length, unsigned flags, ...)
 {
	<...
-	if (offset + length <= i_size_read(inode))
+	if (offset + length <= i_size_read(inode) ||
+	    ext4dio_lookup_past_eof(inode, flags))
		S
	...>
 }
