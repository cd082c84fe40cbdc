// SPDX-License-Identifier: GPL-2.0
/*
 * What ext4dio_map_blocks() answers with EXT4_GET_BLOCKS_CACHED_NOWAIT.
 *
 * The extent status cache can hold a bad extent: a crafted image has one, and a
 * blocking read put it there while the block validity check was off.  So a hit is
 * checked like any other mapping.  But the check that reports writes the super block,
 * which sleeps; here it is made in silence, and a bad extent is "ask again without
 * NOWAIT": that lookup makes the full check and reports.
 */
#include "ext4dio.h"
#include "compat.h"
#include "map_nowait.h"

/* Are these blocks that a file of this file system may have?  Reports nothing. */
static bool map_valid(struct inode *inode, const struct ext4dio_map_blocks *map)
{
	journal_t *journal = EXT4_SB(inode->i_sb)->s_journal;

	/* The journal's own blocks are a system zone, valid for it alone. */
	if (journal && inode == journal->j_inode)
		return true;
	return ext4dio_inode_block_valid(inode, map->m_pblk, map->m_len);
}

/**
 * ext4dio_map_nowait_hit - judge a mapping found in the extent status cache
 * @inode: whose
 * @map: the mapping; emptied if it is not to be used
 * @retval: what the lookup would return: blocks mapped, 0 for a hole
 *
 * For regular files only.  The other caller, readlink in RCU-walk, has no hold on the
 * super block, while the check reads the buffer that holds it: it gets -EAGAIN, makes
 * -ECHILD of it, and comes again with references.
 *
 * Context: any; never sleeps.
 * Return: @retval, or -EAGAIN.
 */
int ext4dio_map_nowait_hit(struct inode *inode, struct ext4dio_map_blocks *map, int retval)
{
	if (S_ISREG(inode->i_mode) && (retval <= 0 || map_valid(inode, map)))
		return retval;
	map->m_pblk = 0;
	map->m_len = 0;
	map->m_flags = 0;
	return -EAGAIN;
}

/**
 * ext4dio_map_cached - is a range in the extent status cache, every block of it?
 * @inode: the file
 * @pos: the range's begin, in bytes
 * @len: its length; behind i_size a read finds a hole without asking the cache
 * @write: and ready to be written to: no block needs an allocation or a journal handle
 *
 * For NOWAIT, asked before the first bio, because iomap_begin() that refuses the second
 * mapping comes too late for the first.  (Reclaim can still throw an entry out of the cache
 * between here and there.  Then a part of it is done although the whole is refused with
 * -EAGAIN, which every caller must take for "try again, all of it".)
 *
 * Context: i_rwsem held; does not sleep.
 */
bool ext4dio_map_cached(struct inode *inode, loff_t pos, size_t len, bool write)
{
	loff_t end = write ? pos + len : min_t(loff_t, pos + len, i_size_read(inode));
	unsigned int blkbits = inode->i_blkbits;
	ext4dio_lblk_t lblk, last;

	if (end <= pos)
		return true;
	last = (end - 1) >> blkbits;
	for (lblk = pos >> blkbits; lblk <= last;) {
		struct ext4dio_map_blocks map = {
			.m_lblk = lblk,
			.m_len = last - lblk + 1,
		};
		int ret = ext4dio_map_lookup(inode, &map, true);

		if (ret < 0 || (write && !ret))
			return false;
		if (write && EXT4DIO_UNWRITTEN_NEEDS_HANDLE && !(map.m_flags & EXT4_MAP_MAPPED))
			return false;
		/* Of a hole m_len tells how long it is. */
		lblk += map.m_len;
	}
	return true;
}
