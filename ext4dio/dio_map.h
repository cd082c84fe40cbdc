/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Block lookups of direct I/O; for NOWAIT from the extent status cache or not at all.
 *
 * A NOWAIT read or write is refused as a whole, before its first bio, or it completes:
 *
 *  - Before iomap is called all of the range is looked for in the cache
 *    (ext4dio_map_cached()); what is not there refuses the operation.
 *  - The first mapping comes from the cache, or refuses the operation too.
 *  - Then a bio is on its way, and whoever is told -EAGAIN by the completion gets a
 *    result that is neither of the two.  (io_uring tries each request with NOWAIT first;
 *    on 6.1 and 6.12 it hands that on to an application which did not ask for it.)
 *    So a later mapping that reclaim has thrown out of the cache in between is looked up
 *    as for any other operation: in that window a NOWAIT operation can sleep, on
 *    i_data_sem and in a metadata read.
 *
 * What the check has found is not handed on instead: a store through mmap can allocate and
 * be written back after it, and a read would take the block for the hole that it was.
 */
#ifndef EXT4DIO_DIO_MAP_H
#define EXT4DIO_DIO_MAP_H

#include <linux/fs.h>
#include <linux/iomap.h>
#include <linux/kernel.h>

int ext4dio_map_nowait_hit(struct inode *inode, struct ext4dio_map_blocks *map, int retval);
bool ext4dio_map_cached(struct inode *inode, loff_t pos, size_t len, bool write);
ext4dio_lblk_t ext4dio_cache_hole(struct inode *inode, ext4dio_lblk_t lblk, u64 len);
int ext4dio_alloc_flags(struct inode *inode);
void ext4dio_map_join(struct inode *inode, struct iomap *iomap, struct ext4dio_map_blocks *map,
		      loff_t offset, loff_t length, unsigned int flags);

/*
 * In ki_flags: file range and memory of the write are of whole blocks, so that it ends with one,
 * whatever part of its memory can be read.  (See DIO_IOCB_LOCKED in dio_write.c.)
 */
#define DIO_IOCB_BLOCKS		(1 << 28)

/**
 * ext4dio_map_lookup - look blocks up, allocating nothing
 * @inode: the file
 * @map: what to look up, and the answer
 * @nowait: the caller must not sleep: ask the extent status cache only
 *
 * Context: process context; sleeps only without @nowait, on i_data_sem and in a metadata
 * read.  A kernel with CONFIG_DEBUG_ATOMIC_SLEEP complains if it should with @nowait.
 * Return: blocks mapped, 0 for a hole, or a negative error: with @nowait -EAGAIN for what
 * is not in the cache.  Beyond EOF, where a direct read looks as well, that is a hole: a
 * read does not look at what it finds there, and a write with @nowait allocates nothing.
 */
static inline int ext4dio_map_lookup(struct inode *inode, struct ext4dio_map_blocks *map,
				     bool nowait)
{
	unsigned int len = map->m_len;
	int ret;

	if (!nowait)
		return ext4dio_map_blocks(NULL, inode, map, 0);
	non_block_start();
	ret = ext4dio_map_blocks(NULL, inode, map, EXT4_GET_BLOCKS_CACHED_NOWAIT);
	non_block_end();
	if (ret == -EAGAIN && (loff_t)map->m_lblk << inode->i_blkbits >= i_size_read(inode)) {
		map->m_pblk = 0;
		map->m_len = len;
		map->m_flags = 0;
		ret = 0;
	}
	return ret;
}

/**
 * ext4dio_iomap_iocb - whose mapping is it?
 * @iomap: the one that iomap_begin() fills in, part of a struct iomap_iter
 *
 * iomap_dio_rw() is given the kiocb as its private argument, but where nothing asks for it.  Not to
 * be called but for a direct write, or with %IOMAP_NOWAIT: other callers of iomap_begin() may have
 * an iomap of their own.
 *
 * Return: NULL where it was not given, and from iomap_dio_read_simple() and DAX.
 */
static inline const struct kiocb *ext4dio_iomap_iocb(struct iomap *iomap)
{
	return container_of(iomap, struct iomap_iter, iomap)->private;
}

/**
 * ext4dio_iomap_flags - what iomap_begin() may do for one mapping of an operation
 * @iomap: the one that it fills in
 * @offset: where the mapping begins
 * @flags: what iomap asks for, for all mappings alike
 *
 * ki_pos stays at the begin of the operation until that has completed, and no mapping but the
 * first begins there.
 *
 * Callers without a kiocb stay as they are: iomap_dio_read_simple() has one mapping only,
 * and DAX returns how far it has come.
 *
 * Context: called by iomap_begin(), before it looks at the flags.
 * Return: @flags, without %IOMAP_NOWAIT for all but the first mapping.
 */
static inline unsigned int ext4dio_iomap_flags(struct iomap *iomap, loff_t offset,
					       unsigned int flags)
{
	const struct kiocb *iocb;

	if (!(flags & IOMAP_NOWAIT))
		return flags;
	iocb = ext4dio_iomap_iocb(iomap);
	if (iocb && offset != iocb->ki_pos)
		flags &= ~IOMAP_NOWAIT;
	return flags;
}

#endif
