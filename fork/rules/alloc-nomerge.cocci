// SPDX-License-Identifier: GPL-2.0
// rule: alloc-nomerge
// file: inode.c
// sites: 1
// present: ext4_iomap_alloc \| ext4dio_alloc_flags\(inode\);
//
// What a direct write allocates stays an extent of its own until the write has ended.  Merged
// with what its neighbours have allocated, which are in flight as well, it would have to be split
// off again by each conversion: twice, and perhaps not at all, for want of a block for the tree.
// The conversion merges it with what is written then.  (Before 7.0 that is so in stock ext4.)
//
// Not while all extents are in the inode: few writers can do with the four there, and the fifth
// would cost a block for the tree, which is given back when the next conversion has ended.

@@
identifier inode, m_flags;
identifier unwritten = {EXT4_GET_BLOCKS_CREATE_UNWRIT_EXT, EXT4_GET_BLOCKS_IO_CREATE_EXT};
@@
 ext4_iomap_alloc(struct inode *inode, ...)
 {
	<...
-	m_flags = unwritten;
+	m_flags = unwritten | ext4dio_alloc_flags(inode);
	...>
 }
