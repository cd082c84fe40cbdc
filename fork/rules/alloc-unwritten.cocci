// SPDX-License-Identifier: GPL-2.0
// rule: alloc-unwritten
// file: inode.c
// sites: 1
// present: ext4_iomap_alloc ext4dio_extends_unwritten
//
// What a direct write allocates past EOF is unwritten, until it is converted together with
// the size; see dio_write_extending() in dio_write.c.

@@
identifier inode, flags;
expression start;
statement S1, S2;
@@
 ext4_iomap_alloc(struct inode *inode, ..., unsigned int flags)
 {
	<...
-	if (start >= i_size_read(inode))
+	if (!ext4dio_extends_unwritten(inode, flags & IOMAP_ATOMIC) &&
+	    start >= i_size_read(inode))
		S1 else S2
	...>
 }
