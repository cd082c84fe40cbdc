/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Block lookups for NOWAIT: from the extent status cache or not at all.
 */
#ifndef EXT4DIO_MAP_NOWAIT_H
#define EXT4DIO_MAP_NOWAIT_H

#include <linux/iomap.h>
#include <linux/kernel.h>

int ext4dio_map_nowait_hit(struct inode *inode, struct ext4dio_map_blocks *map, int retval);
bool ext4dio_map_cached(struct inode *inode, loff_t pos, size_t len, bool write);

/**
 * ext4dio_map_lookup - look blocks up, allocating nothing
 * @inode: the file
 * @map: what to look up, and the answer
 * @nowait: the caller must not sleep: ask the extent status cache only
 *
 * Context: process context; sleeps only without @nowait, on i_data_sem and in a metadata
 * read.  A kernel with CONFIG_DEBUG_ATOMIC_SLEEP complains if it should with @nowait.
 * Return: blocks mapped, 0 for a hole, or a negative error: with @nowait -EAGAIN for what
 * is not in the cache.  Behind the end of the file, where a direct read looks as well but
 * nothing is cached, @nowait finds a hole: its callers hold i_rwsem, so i_size stays, and
 * do not write there.
 */
static inline int ext4dio_map_lookup(struct inode *inode, struct ext4dio_map_blocks *map,
				     bool nowait)
{
	int ret;

	if (!nowait)
		return ext4dio_map_blocks(NULL, inode, map, 0);
	if ((loff_t)map->m_lblk << inode->i_blkbits >= i_size_read(inode)) {
		map->m_pblk = 0;
		map->m_flags = 0;
		return 0;
	}
	non_block_start();
	ret = ext4dio_map_blocks(NULL, inode, map, EXT4_GET_BLOCKS_CACHED_NOWAIT);
	non_block_end();
	return ret;
}

#endif
