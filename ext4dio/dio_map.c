// SPDX-License-Identifier: GPL-2.0
/*
 * Block lookups of direct I/O: what ext4dio_map_blocks() answers with
 * EXT4_GET_BLOCKS_CACHED_NOWAIT, what is put into the cache for it, and what iomap is told.
 *
 * The extent status cache can hold a bad extent: a crafted image has one, and a
 * blocking read put it there while the block validity check was off.  So a hit is
 * checked like any other mapping.  But the check that reports writes the super block,
 * which sleeps; here it is made in silence, and a bad extent is "ask again without
 * NOWAIT": that lookup makes the full check and reports.
 */
#include "ext4dio.h"
#include "ext4dio_extents.h"
#include "compat.h"
#include "dio_map.h"

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
 * @len: its length; of a read, what is beyond EOF does not matter
 * @write: and ready to be written to: no block needs an allocation or a journal handle
 *
 * For NOWAIT, asked before the first bio, because to refuse the second mapping comes too
 * late for the first.  What reclaim throws out of the cache between here and there, see
 * ext4dio_iomap_flags().
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

/* An entry of the cache; the fork renames its struct where a slab cache is called after it. */
typedef typeof(*((struct ext4dio_es_tree *)NULL)->cache_es) es_entry;

/* For ext4dio_es_find_extent_range(): any entry will do. */
static int es_any(es_entry *es)
{
	return 1;
}

/**
 * ext4dio_cache_hole - put a hole of an inode without extents into the extent status cache
 * @inode: the file
 * @lblk: where it was looked up
 * @len: how many blocks from there on have none on the disk
 *
 * As the lookup in an extent tree does, so that NOWAIT finds it.  What is in the cache is
 * left alone: it can be a block whose allocation is delayed, of which the disk knows nothing.
 *
 * Context: i_data_sem held at least shared, since that lookup: nothing is allocated.
 * Return: the length of the hole; less than @len if the cache knows what lies behind.
 */
ext4dio_lblk_t ext4dio_cache_hole(struct inode *inode, ext4dio_lblk_t lblk, u64 len)
{
	es_entry es;

	len = min_t(u64, len, EXT_MAX_BLOCKS - lblk);
	/* What it finds may lie behind the range. */
	ext4dio_es_find_extent_range(inode, es_any, lblk, lblk + len - 1, &es);
	if (es.es_len) {
		/* It has come there since the cache was asked. */
		if (es.es_lblk <= lblk)
			return min_t(u64, len, es.es_lblk + es.es_len - lblk);
		len = min_t(u64, len, es.es_lblk - lblk);
	}
	ext4dio_es_cache_extent(inode, lblk, len, ~0, EXTENT_STATUS_HOLE);
	return len;
}

/**
 * ext4dio_alloc_flags - how else are the blocks of a direct write to be allocated?
 * @inode: the file; it has extents
 *
 * Context: any; looks at the extent tree without i_data_sem, for what is a guess.
 * Return: the flag that keeps its extent apart, if the extents are too many for the inode.
 */
int ext4dio_alloc_flags(struct inode *inode)
{
	return READ_ONCE(ext_inode_hdr(inode)->eh_depth) ? EXT4DIO_ALLOC_NOMERGE : 0;
}

/**
 * ext4dio_map_join - one mapping of written and unwritten blocks that lie side by side
 * @inode: the file
 * @iomap: the one that iomap_begin() fills in
 * @map: what it has found at @offset; made longer, and then unwritten
 * @offset: where the rest of a direct write begins, in bytes
 * @length: how long that is
 * @flags: what iomap asks for
 *
 * So a write over [written][unwritten] is one bio, and there is no second mapping that reclaim
 * could have thrown out of the cache.
 *
 * Around what it writes of an unwritten block iomap zeroes the rest, also where the memory of the
 * write ends early.  No bytes of a written block may be zeroed: so only for whole blocks, in file
 * and memory (%DIO_IOCB_BLOCKS).
 *
 * The conversion leaves alone what is written; dio_convert() starts no handle for it.  Meanwhile
 * nothing is freed or moved, nor goes back from written, as i_rwsem is held, or the I/O is
 * counted in i_dio_count.
 *
 * Context: i_rwsem held; does not sleep.
 */
void ext4dio_map_join(struct inode *inode, struct iomap *iomap, struct ext4dio_map_blocks *map,
		      loff_t offset, loff_t length, unsigned int flags)
{
	unsigned int kinds = EXT4_MAP_MAPPED | EXT4_MAP_UNWRITTEN;
	const struct kiocb *iocb;
	ext4dio_lblk_t end;

	if ((flags & (IOMAP_WRITE | IOMAP_DIRECT | IOMAP_ATOMIC)) != (IOMAP_WRITE | IOMAP_DIRECT) ||
	    EXT4DIO_UNWRITTEN_NEEDS_HANDLE)
		return;
	iocb = ext4dio_iomap_iocb(iomap);
	if (!iocb || !(iocb->ki_flags & DIO_IOCB_BLOCKS) ||
	    ((offset | length) & (i_blocksize(inode) - 1)))
		return;
	end = (offset + length) >> inode->i_blkbits;
	while (map->m_lblk + map->m_len < end && (map->m_flags & kinds)) {
		struct ext4dio_map_blocks next = {
			.m_lblk = map->m_lblk + map->m_len,
			.m_len = end - map->m_lblk - map->m_len,
		};
		int ret = ext4dio_map_lookup(inode, &next, true);

		if (ret <= 0 || !(next.m_flags & kinds) ||
		    next.m_pblk != map->m_pblk + map->m_len)
			return;
		map->m_len += next.m_len;
		if ((map->m_flags ^ next.m_flags) & kinds)
			map->m_flags = (map->m_flags & ~kinds) | EXT4_MAP_UNWRITTEN;
	}
}
