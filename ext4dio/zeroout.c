// SPDX-License-Identifier: GPL-2.0
/*
 * The last resort of a conversion from unwritten to written.
 *
 * To convert part of an unwritten extent splits it, and a split may need a block for the
 * extent tree.  Where there is none (disk full and the reserved blocks used up, quota, no
 * memory), ext4 zeroes the rest of the extent on disk and makes all of it written.  To
 * spare a split that would leave a short extent it does the same.  Zeroes must not meet
 * the data of another write, though, that is in flight to those blocks, or is there
 * already and waits for its own conversion.  So every such zeroing comes through
 * ext4dio_zeroout(), which looks who that could be:
 *
 *  - Direct writes.  A write is counted in i_dio_count before it looks its blocks up and
 *    until its own conversion is over.  We hold i_data_sem for writing and drop the
 *    blocks from the extent status tree: who looks them up from then on waits for
 *    i_data_sem, and finds them written.  Who has looked them up before is counted.  So
 *    if nobody is counted but the write that this conversion is for, nobody's data is in
 *    the way.  (The removal and the lookup take i_es_lock, which orders the count.)
 *    Otherwise the zeroing is refused, and with it the conversion fails.
 *
 *  - Writeback.  A page on its way to the disk is locked or under writeback until its
 *    conversion is over; any other has to look its blocks up, under i_data_sem.  Where
 *    there is such a page, what it holds is written and not zeroes: whichever of the two
 *    writes arrives last, the block holds the page.
 *
 * A direct write whose conversion fails so, with others in flight, is made once more by
 * dio_write.c, alone: under the exclusive lock, with nothing in flight.  When there are
 * few free blocks left it is made so from the start, which serves AIO as well.  The
 * conversion of a buffered write waits a little for direct I/O to go away.  What fails
 * all the same is an error for the writer and for fsync.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/buffer_head.h>
#include <linux/delay.h>
#include <linux/pagemap.h>
#include <linux/percpu_counter.h>
#include "ext4dio.h"
#include "ext4dio_extents.h"
#include "zeroout.h"

/*
 * How much of i_dio_count is this task's own?  A direct write that is waited for under the
 * exclusive lock converts in its own task and has named itself; dio_write.c.
 */
static int own_dio(struct inode *inode)
{
	return READ_ONCE(EXT4_I(inode)->i_dio_owner) == current;
}

/* Write @len bytes of @folio from @offset on to block @pblk, and wait. */
static int write_folio(struct inode *inode, struct folio *folio, size_t offset, size_t len,
		       ext4dio_fsblk_t pblk)
{
	struct block_device *bdev = inode->i_sb->s_bdev;
	struct bio_vec vec;
	struct bio bio;
	int ret;

	bio_init(&bio, bdev, &vec, 1, REQ_OP_WRITE | REQ_SYNC);
	bio.bi_iter.bi_sector = pblk << (inode->i_blkbits - SECTOR_SHIFT);
	ret = -EIO;
	if (bio_add_page(&bio, folio_page(folio, offset >> PAGE_SHIFT), len,
			 offset_in_page(offset)) == len)
		ret = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return ret;
}

/*
 * Is there data for the block at @offset of @folio?  A folio is up to date as a whole, or
 * in part: then its buffers tell which, and they stay as long as it is under writeback.
 * One that is locked and not up to date is being read in: from an unwritten block, zeroes.
 */
static bool holds_data(struct inode *inode, struct folio *folio, size_t offset)
{
	struct buffer_head *head, *bh;

	if (folio_test_uptodate(folio))
		return true;
	head = folio_test_writeback(folio) ? folio_buffers(folio) : NULL;
	if (!head)
		return false;
	bh = head;
	do {
		if (bh_offset(bh) == offset)
			return buffer_uptodate(bh);
		bh = bh->b_this_page;
	} while (bh != head);
	return false;
}

/*
 * Write what a page on its way to the disk has for block @lblk, as far as it reaches in
 * @len blocks.  Returns the number of blocks written; 0 if there is no such page, with
 * *@clear blocks of which that is known; or an error.
 */
static int write_busy(struct inode *inode, ext4dio_lblk_t lblk, ext4dio_fsblk_t pblk,
		      ext4dio_lblk_t len, ext4dio_lblk_t *clear)
{
	loff_t pos = (loff_t)lblk << inode->i_blkbits;
	struct folio *folio;
	size_t offset;
	int ret = 0;

	*clear = 1;
	if (!inode->i_mapping->nrpages) {
		*clear = len;
		return 0;
	}
	folio = filemap_get_folio(inode->i_mapping, pos >> PAGE_SHIFT);
	if (IS_ERR_OR_NULL(folio)) {
		/* Nor is there one for the other blocks of the same page. */
		*clear = max_t(size_t, 1, (PAGE_SIZE - offset_in_page(pos)) >> inode->i_blkbits);
		return 0;
	}
	offset = offset_in_folio(folio, pos);
	if ((folio_test_locked(folio) || folio_test_writeback(folio)) &&
	    holds_data(inode, folio, offset)) {
		/* What is in the page cache of an encrypted file is not what is on disk. */
		if (IS_ENCRYPTED(inode))
			ret = -ENOSPC;
		else
			ret = write_folio(inode, folio, offset, i_blocksize(inode), pblk);
		if (!ret)
			ret = 1;
	}
	folio_put(folio);
	return ret;
}

/**
 * ext4dio_zeroout - zero unwritten blocks on disk, unless they may hold somebody's data
 * @inode: the file
 * @lblk: the first block
 * @pblk: where it is on disk
 * @len: how many
 *
 * In place of ext4dio_issue_zeroout() wherever a conversion calls that.
 *
 * Context: i_data_sem held for writing; the caller makes the blocks written before it
 * drops that.  Sleeps until the zeroes are on disk.
 * Return: 0; -ENOSPC if a direct write may be in flight to the blocks; or the error of
 * the device.
 */
int ext4dio_zeroout(struct inode *inode, ext4dio_lblk_t lblk, ext4dio_fsblk_t pblk,
		    ext4dio_lblk_t len)
{
	ext4dio_lblk_t done, zero = 0, clear;
	int ret;

	lockdep_assert_held_write(&EXT4_I(inode)->i_data_sem);
	ext4dio_es_remove_extent(inode, lblk, len);
	if (atomic_read(&inode->i_dio_count) > own_dio(inode))
		return -ENOSPC;

	/* [zero, done) is to be zeroed and not zeroed yet. */
	for (done = 0; done < len;) {
		ret = write_busy(inode, lblk + done, pblk + done, len - done, &clear);
		if (ret < 0)
			return ret;
		if (!ret) {
			done += min(clear, len - done);
			continue;
		}
		if (done > zero) {
			ret = ext4dio_issue_zeroout(inode, lblk + zero, pblk + zero, done - zero);
			if (ret)
				return ret;
		}
		zero = ++done;
	}
	return done > zero ? ext4dio_issue_zeroout(inode, lblk + zero, pblk + zero, done - zero) :
			     0;
}

/*
 * The free clusters, the reserved ones among them, below which a conversion may find none:
 * for each write in flight one block at each level of the tree, and there can be hundreds.
 */
#define SCARCE_CLUSTERS	512

/**
 * ext4dio_space_scarce - might the extent tree find no block for a split?
 * @sb: the file system
 * @exact: count exactly, which costs a loop over all CPUs; else "yes" may be wrong
 *
 * Context: any; does not sleep.
 */
bool ext4dio_space_scarce(struct super_block *sb, bool exact)
{
	struct ext4dio_sb_info *sbi = EXT4_SB(sb);
	s64 free = percpu_counter_read(&sbi->s_freeclusters_counter) -
		   percpu_counter_read(&sbi->s_dirtyclusters_counter);

	if (free >= EXT4_FREECLUSTERS_WATERMARK + SCARCE_CLUSTERS)
		return false;
	return !exact || percpu_counter_sum(&sbi->s_freeclusters_counter) -
			 percpu_counter_sum(&sbi->s_dirtyclusters_counter) < SCARCE_CLUSTERS;
}

/* How often, and how long in us, the conversion of a buffered write waits for direct I/O. */
#define CONVERT_TRIES		100
#define CONVERT_PAUSE_US	1000

/**
 * ext4dio_convert_again - shall a conversion after writeback be tried once more?
 * @inode: the file
 * @err: how it failed
 * @tries: counts; 0 at first
 *
 * It could not split, and not zero either, because of direct I/O in flight, which is over
 * soon.  The time is limited: the completion of a direct write may wait for the very page
 * whose writeback this conversion ends, and new direct I/O may come for ever.
 *
 * Context: process context; sleeps for a moment, with the handle of the conversion open.
 */
bool ext4dio_convert_again(struct inode *inode, int err, unsigned int *tries)
{
	bool busy = atomic_read(&inode->i_dio_count);

	if ((err != -ENOSPC && err != -EDQUOT && err != -ENOMEM) || *tries >= CONVERT_TRIES)
		return false;
	/* It may have gone since: one more try, and if that fails too it is not the reason. */
	*tries = busy ? *tries + 1 : CONVERT_TRIES;
	if (busy)
		usleep_range(CONVERT_PAUSE_US, 2 * CONVERT_PAUSE_US);
	return true;
}

/**
 * ext4dio_data_lost - data that was accepted does not get into the file
 * @inode: the file
 * @err: why; 0 or more is no failure
 *
 * Because no block could be found for it, or none for the extent tree that would show it.
 * Stock ext4 only writes to the log, or tells the one caller of writeback.  Here fsync, syncfs,
 * msync and O_SYNC fail.
 *
 * Context: any.
 */
void ext4dio_data_lost(struct inode *inode, int err)
{
	if (err < 0)
		mapping_set_error(inode->i_mapping, err);
}
