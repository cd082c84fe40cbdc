// SPDX-License-Identifier: GPL-2.0
/*
 * The direct write path.
 *
 * A write takes i_rwsem shared unless something stands against it.  What holds
 * where is written next to each lock; the whole of it is this:
 *
 *  - Truncate, punch hole, collapse, insert, zero range and extent swaps take
 *    i_rwsem exclusively and then wait for i_dio_count to drop to zero.  Under
 *    the shared lock none of them runs; after it is dropped, iomap's
 *    inode_dio_begin() keeps them waiting until the last bio has completed.  So a
 *    written block stays written, and i_size does not shrink, while a direct write needs it.
 *  - Allocation, and conversion from unwritten to written, change the extent tree
 *    under i_data_sem, each in a journal handle of the task that does it.  Shared
 *    writers may do both at once, in any order, to different blocks.
 *  - i_size and i_disksize change only at the end of a write that extends the file, while
 *    the lock is still held: such a write is waited for, or it is asynchronous and keeps the
 *    shared lock until it has ended; see dio_hand_over().  Under the shared lock they only
 *    grow.  See dio_write_extending().
 *  - An atomic write to more than one extent has what is not written zeroed before it,
 *    blocks of other writes among it; it is alone like the next.
 *  - Whoever moves i_size from within a block zeroes the rest of that block through the
 *    page cache, from what is on disk.  A write to it is waited for under the shared
 *    lock.  So none is in flight while the lock is held exclusively, and to make a file
 *    larger does not wait for I/O, for which the waiter may be the only one to poll.
 *  - Where the extent tree may find no block for a split, a conversion may have to zero the
 *    rest of its extent.  Then it must be the only one in flight; see zeroout.c.
 *  - Where iomap zeroes the rest of a partly covered block, the bytes belong to
 *    nobody's write, but the block may be in another's.  Only one write at a time may be in
 *    flight to such a block; see dio_token.c.  The first such write in a file is alone:
 *    exclusive, with no direct I/O in flight before it, and waited for.
 *
 * The decision itself is in dio_decide.c.
 */
#include "ext4dio.h"
#include "ext4dio_jbd2.h"
#include "compat.h"
#include "dio_ahead.h"
#include "dio_count.h"
#include "dio_decide.h"
#include "dio_map.h"
#include "dio_mount.h"
#include "dio_token.h"
#include "dio_write.h"
#include "modified.h"
#include "zeroout.h"

#define CREATE_TRACE_POINTS
#include "dio_trace.h"

/*
 * Is @lblk written?  @len blocks from there on are asked for; *@mapped tells how
 * many the answer covers.  An error counts as no; so does, with @nowait, that the
 * answer is not in the cache.
 */
static bool dio_written(struct inode *inode, ext4dio_lblk_t lblk, unsigned int len,
			bool nowait, unsigned int *mapped)
{
	struct ext4dio_map_blocks map = { .m_lblk = lblk, .m_len = len };
	int ret = ext4dio_map_lookup(inode, &map, nowait);

	*mapped = max(ret, 0);
	return ret > 0 && (map.m_flags & EXT4_MAP_MAPPED);
}

/*
 * dio_zeroes - will iomap zero the rest of a partly covered block?
 *
 * It does so around the write where the first or last block is a hole or
 * unwritten, and behind it where the write passes i_size.  Blocks that are covered
 * whole do not matter, whatever they are.
 *
 * It does so as well behind a write that ends exactly at i_size, on a written block.
 * Those bytes are in no other write: all that do not extend end before them, or zero
 * them as well.  See dio_eof() for those who move i_size.
 *
 * Context: process context, i_rwsem held, so that the answer stays true: no block
 * can go back from written.  Sleeps only without @nowait, on i_data_sem and in a
 * metadata read.
 * Return: true also where the lookup fails; the write will meet the same error.  @tail: whether
 * the last block is one of those.
 */
static bool dio_zeroes(struct inode *inode, loff_t pos, size_t len, bool nowait, bool *tail)
{
	unsigned int blkbits = inode->i_blkbits;
	ext4dio_lblk_t first = pos >> blkbits;
	ext4dio_lblk_t last = (pos + len - 1) >> blkbits;
	unsigned int mapped = 0;
	bool head = false;

	*tail = false;
	if (pos & (i_blocksize(inode) - 1))
		head = !dio_written(inode, first, last - first + 1, nowait, &mapped);
	if ((pos + len) & (i_blocksize(inode) - 1)) {
		/* The last one may have been looked up with the first. */
		if (head && first == last)
			*tail = true;
		else if (head || mapped <= last - first)
			*tail = !dio_written(inode, last, 1, nowait, &mapped);
	}
	return head || *tail || pos + (loff_t)len > i_size_read(inode);
}

/*
 * Are all blocks of the range of one of the kinds in @kinds, %EXT4_MAP_MAPPED for written and
 * %EXT4_MAP_UNWRITTEN?  Locking and @nowait as for dio_zeroes(); an error counts as no.
 */
static bool dio_range_is(struct inode *inode, loff_t pos, size_t len, unsigned int kinds,
			 bool nowait)
{
	ext4dio_lblk_t last = (pos + len - 1) >> inode->i_blkbits;
	ext4dio_lblk_t lblk = pos >> inode->i_blkbits;

	while (lblk <= last) {
		struct ext4dio_map_blocks map = { .m_lblk = lblk, .m_len = last - lblk + 1 };
		int ret = ext4dio_map_lookup(inode, &map, nowait);

		if (ret <= 0 || !(map.m_flags & kinds))
			return false;
		lblk += ret;
	}
	return true;
}

/*
 * dio_scarce - might the conversion of this write find no block for the extent tree?
 *
 * Looked at only where the disk is nearly full.  A write to written blocks has none.
 */
static bool dio_scarce(struct inode *inode, loff_t pos, size_t len, bool nowait)
{
	return ext4dio_space_scarce(inode->i_sb, false) &&
	       !dio_range_is(inode, pos, len, EXT4_MAP_MAPPED, nowait) &&
	       ext4dio_space_scarce(inode->i_sb, true);
}

/*
 * dio_split - does one lookup not find all of the range in one extent?
 *
 * The whole of what stock ext4 knows; asked under %DIO_POLICY_STOCK only.  Old kernels know
 * less, and take unwritten and unaligned for split.
 *
 * Context: i_rwsem held; sleeps like dio_zeroes() only without @nowait.
 */
static bool dio_split(struct inode *inode, loff_t pos, size_t len, bool nowait)
{
	bool unaligned = (pos | len) & (i_blocksize(inode) - 1);
	unsigned int blkbits = inode->i_blkbits;
	struct ext4dio_map_blocks map = {
		.m_lblk = pos >> blkbits,
		.m_len = ((pos + len - 1) >> blkbits) - (pos >> blkbits) + 1,
	};
	unsigned int wanted = map.m_len;

	if (ext4dio_map_lookup(inode, &map, nowait) != wanted)
		return true;
	return EXT4DIO_STOCK_OVERWRITE_IS_WRITTEN &&
	       (unaligned || !(map.m_flags & EXT4_MAP_MAPPED));
}

/* The larger of a page and a block, in bytes. */
static loff_t dio_page_or_block(struct inode *inode)
{
	return max_t(loff_t, PAGE_SIZE, i_blocksize(inode));
}

/*
 * dio_eof - does a write that does not extend touch the block that i_size lies in?
 *
 * That block is read, zeroed from i_size on and dirtied in the page cache by whoever makes
 * the file larger, or truncates it after a write beyond EOF has failed: a write in
 * flight to the same block would be overwritten with what was read before.  Its completion
 * must not find the page dirty either, hence the whole page where blocks are smaller.
 *
 * Writes that began when i_size was another do not touch the block that it lies in now:
 * it can only have grown since, for a truncate that makes a file smaller waits for all.
 *
 * Context: i_rwsem held, so that i_size stays, or grows from one multiple of
 * dio_page_or_block() to another.
 */
static bool dio_eof(struct inode *inode, loff_t pos, size_t len)
{
	loff_t size = i_size_read(inode);
	loff_t within = size & (dio_page_or_block(inode) - 1);

	return within && pos + (loff_t)len > size - within;
}

/*
 * dio_mixed - is this an atomic write that may have blocks zeroed before it?
 *
 * Iomap submits it as one bio, to one extent.  Where the range is not that, ext4 makes it
 * one: blocks that are holes or unwritten are zeroed on disk and become written, and with
 * them those that writes in flight go to.  So where one lookup does not find the range in
 * one extent, nothing may be in flight.  If it is written, it stays as it is; unwritten, it
 * can still fall apart when a write to a part of it completes, which is why iomap_begin
 * refuses under the shared lock what this has not seen.  Past EOF, where what is
 * unwritten is converted before the I/O, it is not asked.
 *
 * Context: i_rwsem held; sleeps like dio_zeroes() only without @nowait.
 */
static bool dio_mixed(struct inode *inode, loff_t pos, size_t len, bool nowait)
{
	struct ext4dio_map_blocks map = {
		.m_lblk = pos >> inode->i_blkbits,
		.m_len = len >> inode->i_blkbits,
	};
	unsigned int wanted = map.m_len;

	if (wanted <= 1)
		return false;
	return ext4dio_map_lookup(inode, &map, nowait) != wanted;
}

/*
 * dio_extends - does a write end past the end of the file, in memory or on disk?
 *
 * Context: any.  Under i_rwsem "no" stays true: both sizes only grow.
 */
static bool dio_extends(struct inode *inode, loff_t pos, size_t len)
{
	loff_t end = pos + len;

	if (end > i_size_read(inode))
		return true;
	/* i_disksize is set first, see dio_publish(); older i_size_read() order nothing. */
	smp_rmb();
	return end > READ_ONCE(EXT4_I(inode)->i_disksize);
}

/*
 * What of a write that extends the file stands against the shared lock.
 *
 * A part of a page or block: the rest of it is zeroed, or was stored to through mmap, and
 * belongs to somebody else's write.  As all that extend under the shared lock end with a
 * page and a block, it does not matter that i_size moves meanwhile: if it was a multiple of
 * both it still is, and if not, none of them is there.
 *
 * Context: i_rwsem held; without it the answer is a guess.
 */
static void dio_extend_facts(struct kiocb *iocb, size_t len, struct dio_facts *f)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	f->append = iocb->ki_flags & IOCB_APPEND;
	f->partial_end = (iocb->ki_pos | len | i_size_read(inode)) &
			 (dio_page_or_block(inode) - 1);
	f->no_extents = !ext4dio_test_inode_flag(inode, EXT4_INODE_EXTENTS);
	f->fast_commit = test_opt2(inode->i_sb, JOURNAL_FAST_COMMIT);
}

/* Will a write need i_rwsem exclusively?  A guess before it is taken, to spare the upgrade. */
static bool dio_guess(struct kiocb *iocb, size_t len, enum dio_policy policy)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct dio_facts f = {
		.extends = (iocb->ki_flags & IOCB_APPEND) ||
			   iocb->ki_pos + (loff_t)len > i_size_read(inode),
	};

	if (!f.extends)
		return false;
	dio_extend_facts(iocb, len, &f);
	return ext4dio_decide(policy, &f).exclusive;
}

/*
 * Gather what is to be known of a write; i_rwsem is held, shared or exclusively.  @retry: it
 * has been tried, and its conversion found no block.
 */
static struct dio_facts dio_facts(struct kiocb *iocb, size_t len, enum dio_policy policy,
				  bool retry, struct dio_blocks *blocks)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t pos = iocb->ki_pos;
	struct dio_facts f = {
		.security = !IS_NOSEC(inode),
		.extends = dio_extends(inode, pos, len),
		.unaligned = (pos | len) & (i_blocksize(inode) - 1),
		.waits = !is_sync_kiocb(iocb) && !(iocb->ki_flags & IOCB_AIO_RW),
		.nowait = iocb->ki_flags & IOCB_NOWAIT,
	};
	bool tail = false;

	if (f.extends)
		dio_extend_facts(iocb, len, &f);
	if (f.unaligned)
		f.zeroes = dio_zeroes(inode, pos, len, f.nowait, &tail);
	*blocks = (struct dio_blocks) {
		.first = pos >> inode->i_blkbits,
		.last = (pos + len - 1) >> inode->i_blkbits,
	};
	if (f.zeroes && !f.extends) {
		/* The zeroes would go beyond EOF. */
		f.partial_end = tail && (loff_t)(blocks->last + 1) << inode->i_blkbits >
					i_size_read(inode);
		f.no_extents = !ext4dio_test_inode_flag(inode, EXT4_INODE_EXTENTS);
	}
	f.tracked = ext4dio_tracked(inode);
	if (f.tracked)
		f.blank = !dio_range_is(inode, pos, len, EXT4_MAP_MAPPED, f.nowait);
	blocks->zeroes = f.unaligned && f.blank;
	if (iocb->ki_flags & IOCB_ATOMIC)
		f.mixed = f.extends || dio_mixed(inode, pos, len, f.nowait);
	f.scarce = retry || dio_scarce(inode, pos, len, f.nowait);
	if (policy == DIO_POLICY_STOCK && !f.extends)
		f.split = dio_split(inode, pos, len, f.nowait);
	f.eof = !f.extends && !is_sync_kiocb(iocb) && dio_eof(inode, pos, len);
	/*
	 * Looked up only where nothing else refuses the write already.  (Where only i_disksize
	 * is behind, the end of the I/O must be waited for; see dio_can_hand_over().)
	 */
	if (f.nowait && !f.security && !f.mixed && !f.scarce && !f.split && !f.eof)
		f.unmapped = (f.extends && pos + (loff_t)len <= i_size_read(inode)) ||
			     !ext4dio_map_cached(inode, pos, len, true);
	return f;
}

/*
 * Take i_rwsem; with @nowait -EAGAIN instead of a wait.  The clock is read only for a lock
 * that is not free.
 */
static int dio_lock(struct inode *inode, bool exclusive, bool nowait)
{
	ktime_t since;

	if (exclusive ? inode_trylock(inode) : inode_trylock_shared(inode))
		return 0;
	if (nowait)
		return -EAGAIN;
	since = ktime_get();
	if (exclusive)
		inode_lock(inode);
	else
		inode_lock_shared(inode);
	ext4dio_count_wait(inode, DIO_WAIT_LOCK, since);
	return 0;
}

/*
 * In ki_flags: the I/O holds i_rwsem shared, and its end drops it.  Up to 7.3 no kernel uses that
 * bit or the two below, and who looks at ki_flags asks for bits by name.
 */
#define DIO_IOCB_LOCKED		(1 << 30)

/* Another one: the write is to end with a whole block. */
#define DIO_IOCB_WHOLE		(1 << 29)

/*
 * dio_hand_over - leave the shared lock to an asynchronous write, until it has ended
 *
 * For AIO that must end before the lock is dropped, and whose submitter need not wait: for
 * all others that is as if it did.  Exclusive holders find neither I/O of that kind in flight
 * nor a size that moves.
 *
 * A rwsem that is held shared may be released by another task than the one that took it.
 * Lockdep is told that it is released here, and taken (by a trylock, which adds no dependency)
 * where it really is, as for sb_start_write() of asynchronous writes.  Who waits for the lock
 * waits for a worker of the file system or an interrupt: neither takes i_rwsem, and a journal
 * handle is never open where i_rwsem is waited for.  So a task may well wait for its own I/O.
 *
 * Context: i_rwsem held shared, for the last time that the caller relies on it; iomap_dio_rw()
 * is called next.  Then dio_take_back(), if nothing was queued.
 */
static void dio_hand_over(struct kiocb *iocb)
{
	lockdep_assert_held_read(&file_inode(iocb->ki_filp)->i_rwsem);
	iocb->ki_flags |= DIO_IOCB_LOCKED;
	rwsem_release(&file_inode(iocb->ki_filp)->i_rwsem.dep_map, _THIS_IP_);
}

/*
 * dio_take_back - take over the lock that the I/O holds
 *
 * Context: the end of the I/O, perhaps in an interrupt; or the submitter, if it was not queued.
 * Return: false if it holds none: it was not handed over, or has been taken before.
 */
static bool dio_take_back(struct kiocb *iocb)
{
	if (!(iocb->ki_flags & DIO_IOCB_LOCKED))
		return false;
	iocb->ki_flags &= ~DIO_IOCB_LOCKED;
	rwsem_acquire_read(&file_inode(iocb->ki_filp)->i_rwsem.dep_map, 0, 1, _THIS_IP_);
	return true;
}

/* Wait for direct I/O in flight; i_rwsem is held exclusively, so none can start. */
static void dio_drain(struct inode *inode)
{
	ktime_t since;

	if (!atomic_read(&inode->i_dio_count))
		return;
	since = ktime_get();
	inode_dio_wait(inode);
	ext4dio_count_wait(inode, DIO_WAIT_DRAIN, since);
}

/* Give up what dio_lock() took. */
static void dio_unlock(struct inode *inode, bool exclusive)
{
	if (exclusive)
		inode_unlock(inode);
	else
		inode_unlock_shared(inode);
}

/*
 * dio_zero_tail - zero what is behind the end of the file in its last page and block
 *
 * A store through mmap past i_size stays in the page.  A write that begins behind i_size
 * makes those bytes part of the file without touching the page.  Writeback zeroes
 * them, so have it done while i_size is still what it was.  (A store that comes after
 * that races with the write for the end of the file, and may win.)
 *
 * No direct write to that page is in flight: see dio_eof().
 *
 * An error of some other writeback that waits to be told by fsync is left for it.
 *
 * Context: i_rwsem held exclusively, or i_size is a multiple of dio_page_or_block() and
 * there is nothing to do; sleeps.
 * Return: 0, or why the page could not be put on its way.
 */
static int dio_zero_tail(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;
	loff_t size = i_size_read(inode);
	int ret;

	if (!(size & (dio_page_or_block(inode) - 1)))
		return 0;
	lockdep_assert_held_write(&inode->i_rwsem);
	ret = filemap_fdatawrite_range(mapping, size, size);
	if (!ret)
		filemap_fdatawait_range_keep_errors(mapping, size, size);
	return ret;
}

/**
 * ext4dio_before_zeroing - before the rest of the last block is zeroed in the page cache
 * @inode: the file, that is to become larger or to be truncated
 *
 * No direct write to that block is in flight: see dio_eof().  But a large folio that was
 * read meanwhile may hold the blocks of others as well: it is dropped, for what is zeroed
 * becomes dirty, and their completions could not.  (If it is dirty already, it stays.)
 *
 * Context: i_rwsem held exclusively; sleeps, but not for direct I/O.
 */
void ext4dio_before_zeroing(struct inode *inode)
{
	loff_t size = i_size_read(inode);

	if ((size & (i_blocksize(inode) - 1)) && atomic_read(&inode->i_dio_count))
		invalidate_inode_pages2_range(inode->i_mapping, size >> PAGE_SHIFT,
					      size >> PAGE_SHIFT);
}

/*
 * The end of an asynchronous write: if the data is on disk and could not be made visible, for
 * @lost, that is an error for fsync too (but not where the submitter, who is told, may try
 * again), those who wait for its token go on, and the lock is dropped if it @held it.
 */
static void dio_async_end(struct kiocb *iocb, int lost, bool held)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	if (lost < 0 && (current->flags & PF_WQ_WORKER))
		ext4dio_data_lost(inode, lost);
	ext4dio_token_put(inode, iocb, iocb->ki_pos);
	if (held)
		inode_unlock_shared(inode);
}

/*
 * dio_whole - how much of a write is right that has ended early, and that nobody will repeat
 *
 * Where its memory ends within an unwritten block, iomap of 7.2 forgets the error and may have
 * zeroed the begin of that block; see dio_short().
 *
 * Return: what it has of whole @units (a power of two), in bytes; -EFAULT if that is nothing.
 */
static int dio_whole(struct kiocb *iocb, ssize_t size, loff_t unit)
{
	loff_t whole = size - ((iocb->ki_pos + size) & (unit - 1));

	return whole > 0 ? whole : -EFAULT;
}

/*
 * Has an asynchronous write ended early, within a block?  Not known of all; those that zero have a
 * token.  (One that has written nothing may have found a hole in a file without extents.)
 */
static bool dio_ended_early(struct kiocb *iocb, ssize_t size)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t end = iocb->ki_pos + size;

	return size && (end & (i_blocksize(inode) - 1)) &&
	       ((iocb->ki_flags & DIO_IOCB_WHOLE) || end < ext4dio_token_end(inode, iocb));
}

/*
 * dio_convert - turn what was unwritten, and now is not, into written
 *
 * As stock ext4 does, but that what the extent status cache knows to be written costs no handle:
 * of a write over [written][unwritten] that is half.  It stays so, as the I/O is still counted
 * in i_dio_count.
 *
 * Context: the end of the I/O, in a task or a worker; sleeps.
 * Return: 0, or why not all of it has been.
 */
static int dio_convert(struct inode *inode, loff_t pos, ssize_t size)
{
	ext4dio_lblk_t lblk = pos >> inode->i_blkbits;
	ext4dio_lblk_t end = (pos + size - 1) >> inode->i_blkbits;
	int ret = 0;

	while (lblk <= end && ret >= 0) {
		struct ext4dio_map_blocks map = { .m_lblk = lblk, .m_len = end - lblk + 1 };
		handle_t *handle;
		int err;

		ret = ext4dio_map_lookup(inode, &map, true);
		if (ret > 0 && (map.m_flags & EXT4_MAP_MAPPED)) {
			lblk += ret;
			continue;
		}
		/* Up to where it is known to be so. */
		map = (struct ext4dio_map_blocks) {
			.m_lblk = lblk,
			.m_len = ret > 0 ? ret : end - lblk + 1,
		};
		handle = ext4dio_journal_start(inode, EXT4_HT_MAP_BLOCKS,
					       ext4dio_chunk_trans_blocks(inode, map.m_len));
		if (IS_ERR(handle))
			return PTR_ERR(handle);
		ret = ext4dio_map_blocks(handle, inode, &map, EXT4DIO_CONVERT);
		/* On a damaged disk. */
		if (!ret)
			ret = -EINVAL;
		if (ret > 0)
			lblk += ret;
		err = ext4dio_mark_inode_dirty(handle, inode);
		if (ret > 0 && err)
			ret = err;
		err = ext4dio_journal_stop(handle);
		if (ret > 0 && err)
			ret = err;
	}
	return min(ret, 0);
}

/*
 * The end of a write that does not extend the file, in whatever task, worker or interrupt: stock
 * ext4's, but for dio_convert().  It returns an error, or how much has been written, or 0 for all
 * that iomap knows of.
 */
static int dio_end_io(struct kiocb *iocb, ssize_t size, int error, unsigned int flags)
{
	if (!error && size && (flags & IOMAP_DIO_UNWRITTEN) && !(iocb->ki_flags & IOCB_ATOMIC)) {
		error = dio_convert(file_inode(iocb->ki_filp), iocb->ki_pos, size);
		flags &= ~IOMAP_DIO_UNWRITTEN;
	}
	return ext4dio_dio_write_end_io(iocb, size, error, flags);
}

/* The same of one that is not waited for, if it is asynchronous. */
static int dio_write_end_io(struct kiocb *iocb, ssize_t size, int error, unsigned int flags)
{
	bool held = dio_take_back(iocb);
	int ret = dio_end_io(iocb, size, error, flags);
	int lost = error ? 0 : ret;

	if (is_sync_kiocb(iocb))
		return ret;
	if (!error && ret >= 0 && dio_ended_early(iocb, size))
		ret = dio_whole(iocb, size, i_blocksize(file_inode(iocb->ki_filp)));
	dio_async_end(iocb, lost, held);
	return ret;
}

static const struct iomap_dio_ops dio_write_ops = {
	.end_io = dio_write_end_io,
};

/* One that is waited for tells the writer, who may try again. */
static const struct iomap_dio_ops dio_waited_ops = {
	.end_io = dio_end_io,
};

/*
 * Set for an inode that has had a direct write, in memory only.  The states of the stock
 * source are counted up from 0.
 */
#define DIO_STATE_WRITTEN	31

/*
 * dio_announce - from here on no readahead, until the write has completed
 *
 * A page that is read while a direct write to it is in flight is stale.  It does no harm: the
 * write throws it out at its end.  But in one large folio with pages that are stored to
 * through mmap it becomes dirty with them, stays, and comes to the disk over what was
 * written.  Folios that are larger than they must be come from readahead; what a fault or a
 * buffered read gets without it has the smallest size.
 *
 * Either the write finds the folio in the page cache, and throws it out before its I/O, or
 * readahead, which puts it there before it asks, finds the lock held or the I/O in flight.
 *
 * Context: i_rwsem held, from before the page cache is looked at until the I/O is in
 * i_dio_count.
 */
static void dio_announce(struct inode *inode)
{
	if (!mapping_large_folio_support(inode->i_mapping))
		return;
	if (!ext4dio_test_inode_state(inode, DIO_STATE_WRITTEN))
		ext4dio_set_inode_state(inode, DIO_STATE_WRITTEN);
	/* Pairs with the first one in ext4dio_readahead_refused(). */
	smp_mb();
}

/**
 * ext4dio_readahead_refused - can a direct write be in flight, or on its way?
 * @inode: the file; readahead has put folios into its page cache, locked, and not read them
 *
 * See dio_announce().  Only for files that have large folios and have had a direct write.
 *
 * Context: any.
 */
bool ext4dio_readahead_refused(struct inode *inode)
{
	if (!mapping_large_folio_support(inode->i_mapping))
		return false;
	/* Pairs with the one in dio_announce(): after the folios are there. */
	smp_mb();
	if (!ext4dio_test_inode_state(inode, DIO_STATE_WRITTEN))
		return false;
	if (inode_is_locked(inode))
		return true;
	/* It drops the lock when its I/O is counted, not before. */
	smp_rmb();
	return atomic_read(&inode->i_dio_count);
}

/*
 * dio_publish - make [.., @end) part of the file
 *
 * i_disksize first: who finds itself inside i_size, without a lock, must find itself inside
 * i_disksize as well, or its completion would have a size to update.  Both only grow here;
 * i_data_sem keeps writers under the shared lock, and writeback, from each other's update.
 *
 * Context: i_rwsem held at least shared, a journal handle open that marks the inode dirty
 * after this; takes i_data_sem.
 */
static void dio_publish(struct inode *inode, loff_t end)
{
	struct ext4dio_inode_info *ei = EXT4_I(inode);

	lockdep_assert_held(&inode->i_rwsem);
	down_write(&ei->i_data_sem);
	if (end > ei->i_disksize)
		WRITE_ONCE(ei->i_disksize, end);
	if (end > i_size_read(inode)) {
		/* Pairs with the one in dio_extends(). */
		smp_wmb();
		i_size_write(inode, end);
	}
	up_write(&ei->i_data_sem);
}

/*
 * dio_extend - convert what was written and make it part of the file
 *
 * Each extent in one handle with the size that it gives the file: after a crash either both
 * are there or neither.  So what is behind i_disksize is never written on disk, and whoever
 * moves the size past somebody else's blocks, before those have been converted, shows zeroes.
 *
 * Context: i_rwsem held at least shared, the data is on disk; sleeps.
 * Return: 0, or why not all of it is in the file.
 */
static int dio_extend(struct inode *inode, loff_t pos, ssize_t size, bool unwritten)
{
	unsigned int blkbits = inode->i_blkbits;
	ext4dio_lblk_t lblk = pos >> blkbits;
	ext4dio_lblk_t end = (pos + size - 1) >> blkbits;
	int credits = ext4dio_chunk_trans_blocks(inode, end - lblk + 1);
	loff_t reached;
	handle_t *handle;
	int ret, err;

	do {
		struct ext4dio_map_blocks map = { .m_lblk = lblk, .m_len = end - lblk + 1 };

		handle = ext4dio_journal_start(inode, EXT4_HT_MAP_BLOCKS, credits);
		if (IS_ERR(handle))
			return PTR_ERR(handle);
		ret = map.m_len;
		if (unwritten)
			ret = ext4dio_map_blocks(handle, inode, &map, EXT4DIO_CONVERT);
		/* A hole, where there was an extent a moment ago? */
		if (WARN_ON_ONCE(!ret))
			ret = -EIO;
		if (ret > 0) {
			lblk += ret;
			reached = min_t(loff_t, pos + size, (loff_t)lblk << blkbits);
			dio_publish(inode, reached);
		}
		err = ext4dio_mark_inode_dirty(handle, inode);
		if (ret > 0)
			ret = err;
		err = ext4dio_journal_stop(handle);
		if (!ret)
			ret = err;
	} while (!ret && lblk <= end);
	return ret;
}

/*
 * dio_extended - the data is on disk: it becomes part of the file
 *
 * Where others have moved the size past it, and its blocks were written, nothing is left to do.
 * Only then can it be called in an interrupt: iomap has seen that size before the I/O, and
 * dio_publish() has made it that of the disk before.
 *
 * Where blocks are smaller than pages, the page at the old end of the file can be writable
 * through mmap without blocks for what is behind that.  A store there needs another fault,
 * which allocates them, else writeback drops it.  (What the write itself covers is out of the
 * page cache, so the range ends where it begins.)  Under the shared lock the old end is that of
 * a page.
 *
 * Context: i_rwsem held, by the writer who waits for the I/O, or by the I/O; sleeps.
 */
static int dio_extended(struct kiocb *iocb, ssize_t size, int error, unsigned int flags)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t old_size = i_size_read(inode);
	int ret = error;

	if (!error && size && ((flags & IOMAP_DIO_UNWRITTEN) ||
			       dio_extends(inode, iocb->ki_pos, size))) {
		ret = dio_extend(inode, iocb->ki_pos, size, flags & IOMAP_DIO_UNWRITTEN);
		if (i_size_read(inode) > iocb->ki_pos)
			pagecache_isize_extended(inode, old_size, iocb->ki_pos);
	}
	return ret;
}

static const struct iomap_dio_ops dio_extending_ops = {
	.end_io = dio_extended,
};

/*
 * The same under the shared lock.  Such a write is to end with a whole page and block, and i_size
 * must stay at the end of one: if its memory has ended early, what is more is not counted.
 */
static int dio_shared_extended(struct kiocb *iocb, ssize_t size, int error, unsigned int flags)
{
	loff_t unit = dio_page_or_block(file_inode(iocb->ki_filp));
	bool held = dio_take_back(iocb);
	int whole = 0, ret;

	if (!error && (!size || ((iocb->ki_pos + size) & (unit - 1)))) {
		whole = dio_whole(iocb, size, unit);
		size = max(whole, 0);
	}
	ret = dio_extended(iocb, size, error, flags);
	if (held)
		dio_async_end(iocb, error ? 0 : ret, held);
	return ret ? ret : whole;
}

static const struct iomap_dio_ops dio_shared_extending_ops = {
	.end_io = dio_shared_extended,
};

/*
 * dio_write_extending - a write that grows the file
 *
 * All of it that is past EOF is in blocks of its own.  They are unwritten (rule
 * alloc-unwritten) until dio_extend() has them converted, together with the size.  So:
 *
 *  - After a crash there is nothing to cut off, and the inode need not be on the orphan list.
 *  - Several can run at once and end in any order.  The size is that of the furthest; what is
 *    between is a hole or unwritten and reads as zeroes until its own write has ended.
 *  - Readers see a size only when all that its writer wrote is in the file.
 *  - One that fails leaves unwritten blocks behind EOF, as fallocate does, and does not take
 *    away those that fallocate has left there.  The next one uses them.
 *  - Who else moves i_size (truncate, buffered writes, fallocate) has i_rwsem exclusively and
 *    so meets none of these; writeback moves i_disksize, under i_data_sem, up to i_size.
 *
 * Context: i_rwsem held, exclusively or, with @shared, so; with %IOMAP_DIO_FORCE_WAIT in @flags
 * the I/O is waited for, else it has the lock.
 */
static ssize_t dio_write_extending(struct kiocb *iocb, struct iov_iter *from, bool shared,
				   unsigned int flags)
{
	const struct iomap_dio_ops *ops = shared ? &dio_shared_extending_ops : &dio_extending_ops;

	return iomap_dio_rw(iocb, from, &ext4dio_iomap_ops, ops, flags, iocb, 0);
}

/*
 * The end of the I/O of dio_write_extending_orphan(): stock ext4's, and the page at the old
 * end of the file as in dio_extended().
 */
static int dio_orphan_end_io(struct kiocb *iocb, ssize_t size, int error, unsigned int flags)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t old_size = i_size_read(inode);
	int ret = ext4dio_dio_write_end_io(iocb, size, error, flags);

	if (i_size_read(inode) > old_size)
		pagecache_isize_extended(inode, old_size, iocb->ki_pos);
	return ret;
}

static const struct iomap_dio_ops dio_orphan_ops = {
	.end_io = dio_orphan_end_io,
};

/* Does a write from @pos on touch the block that the file ends within? */
static bool dio_last_block(struct inode *inode, loff_t pos)
{
	loff_t size = i_size_read(inode);

	return (size & (i_blocksize(inode) - 1)) && pos < round_up(size, i_blocksize(inode));
}

/*
 * dio_write_extending_orphan - the same where what is past EOF is written from the start
 *
 * Without extents there is no unwritten; what an atomic write allocates must not fall apart;
 * and the block that the file ends within may be written already.  The orphan list makes
 * recovery cut off what is past i_disksize if we crash before the size is updated.
 *
 * Context: i_rwsem held exclusively.
 */
static ssize_t dio_write_extending_orphan(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	handle_t *handle;
	ssize_t ret;

	lockdep_assert_held_write(&inode->i_rwsem);
	handle = ext4dio_journal_start(inode, EXT4_HT_INODE, 2);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	ret = ext4dio_orphan_add(handle, inode);
	ext4dio_journal_stop(handle);
	if (ret)
		return ret;

	ret = iomap_dio_rw(iocb, from, &ext4dio_iomap_ops, &dio_orphan_ops,
			   IOMAP_DIO_FORCE_WAIT, NULL, 0);
	/* "Use the page cache" is a write of nothing so far, not a failed one. */
	if (ret == -ENOTBLK)
		ret = 0;
	/* What has failed is truncated, which zeroes the rest of the last block. */
	if (ret < 0)
		ext4dio_before_zeroing(inode);
	ext4dio_inode_extension_cleanup(inode, ret < 0);
	return ret;
}

/*
 * dio_write_waited - a write that has ended when this returns
 *
 * For O_DSYNC and O_SYNC without the commit of the journal, which the caller waits for when it
 * has dropped i_rwsem, so that those who come next can be in the same commit.  (A file that
 * is itself marked synchronous is committed in here.)
 *
 * Context: i_rwsem held, exclusively or, with @shared, so.
 */
static ssize_t dio_write_waited(struct kiocb *iocb, struct iov_iter *from, bool extends,
				bool shared, unsigned int flags)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	int sync = iocb->ki_flags & (IOCB_DSYNC | IOCB_SYNC);
	ssize_t ret;

	if (iocb->ki_pos > i_size_read(inode)) {
		ret = dio_zero_tail(inode);
		if (ret)
			return ret;
	}
	iocb->ki_flags &= ~sync;
	if (!extends)
		ret = iomap_dio_rw(iocb, from, &ext4dio_iomap_ops, &dio_waited_ops,
				   flags | IOMAP_DIO_FORCE_WAIT, iocb, 0);
	else if (ext4dio_extends_unwritten(inode, iocb->ki_flags & IOCB_ATOMIC) &&
		 !dio_last_block(inode, iocb->ki_pos))
		ret = dio_write_extending(iocb, from, shared, IOMAP_DIO_FORCE_WAIT);
	else
		ret = dio_write_extending_orphan(iocb, from);
	iocb->ki_flags |= sync;
	WARN_ON_ONCE(ret == -EIOCBQUEUED);
	return ret;
}

/*
 * dio_can_hand_over - need a write that must end under the shared lock not be waited for?
 *
 *  - One that touches the last page must have thrown it out of the page cache when the lock is
 *    dropped, and iomap does that after its end; see dio_eof().
 *  - Where only i_disksize is behind, iomap takes it for one that does not extend, and may end
 *    it in an interrupt; see dio_extended().
 *  - AIO only.  io_uring moves the position of the file only for a write that it was told the end
 *    of at once; the next to "the current position" would write over it.  Its worker is a
 *    thread of the process, whose end waits for it; what is in flight without one may end
 *    after the process, and the file would grow when the next has looked for its end.  And 6.1
 *    leaves the protection from a freeze to the owner of the ring.  Its submitter is not kept
 *    for that: NOWAIT, which io_uring tries first, is refused, and the worker waits.  Of others
 *    that are asynchronous (loop devices, nvmet) nobody knows what they rely on.
 *
 * Context: i_rwsem held as for the I/O.
 */
static bool dio_can_hand_over(struct kiocb *iocb, size_t len, const struct dio_facts *facts,
			      const struct dio_decision *d)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	return d->wait && !d->exclusive_io && (iocb->ki_flags & IOCB_AIO_RW) && !facts->eof &&
	       (!facts->extends || iocb->ki_pos + (loff_t)len > i_size_read(inode));
}

/*
 * dio_write_handed_over - a write that must end under the shared lock, and keeps it until then
 *
 * Context: i_rwsem held shared; not afterwards, unless dio_take_back() says so.
 */
static ssize_t dio_write_handed_over(struct kiocb *iocb, struct iov_iter *from, bool extends)
{
	dio_hand_over(iocb);
	if (extends)
		return dio_write_extending(iocb, from, true, 0);
	return iomap_dio_rw(iocb, from, &ext4dio_iomap_ops, &dio_write_ops, 0, iocb, 0);
}

/*
 * dio_write_rest - write through the page cache what could not be written direct
 *
 * Direct semantics are kept as far as they can be: the data is on its way to the
 * disk and out of the page cache when this returns.  The buffered write waits for
 * direct I/O in flight before it dirties a page, else a completion could find the
 * page dirty in its invalidation and record an error.
 *
 * Context: i_rwsem not held.
 * Return: @done plus what was written here; the error only if that is nothing.
 */
static ssize_t dio_write_rest(struct kiocb *iocb, struct iov_iter *from, ssize_t done)
{
	struct address_space *mapping = iocb->ki_filp->f_mapping;
	loff_t pos, last;
	ssize_t ret;

	ret = ext4dio_buffered_write_iter(iocb, from);
	if (ret < 0)
		return done ? done : ret;
	done += ret;
	/* With O_APPEND it went where the file ended by then. */
	pos = iocb->ki_pos - ret;
	last = iocb->ki_pos - 1;
	if (ret > 0 && !filemap_write_and_wait_range(mapping, pos, last))
		invalidate_mapping_pages(mapping, pos >> PAGE_SHIFT, last >> PAGE_SHIFT);
	return done;
}

/*
 * dio_short - what of a direct write that stopped early is in the file
 *
 * Where its memory ends early within an unwritten block, iomap zeroes the rest of that block, and
 * then, as it tries to go on there, the begin of it too.  Since 7.0 it forgets the error
 * meanwhile.  So what the write has of that block is written once more, with the rest.
 *
 * Return: @done, or less; @iocb and @from go on from there.
 */
static ssize_t dio_short(struct kiocb *iocb, struct iov_iter *from, ssize_t done)
{
	ssize_t back = min_t(ssize_t, done, iocb->ki_pos &
					    (i_blocksize(file_inode(iocb->ki_filp)) - 1));

	iov_iter_revert(from, back);
	iocb->ki_pos -= back;
	return done - back;
}

/* May @ret mean that there was no block for the extent tree? */
static bool dio_no_block(ssize_t ret)
{
	return ret == -ENOSPC || ret == -EDQUOT || ret == -ENOMEM;
}

/*
 * dio_starved - has a write failed in its conversion, for want of a block?
 *
 * And not because the disk is too full for its data: then there is a hole; nor for memory
 * that no conversion needs: then all is written.
 *
 * Context: i_rwsem held; sleeps.
 */
static bool dio_starved(struct inode *inode, loff_t pos, size_t len, ssize_t ret)
{
	return dio_no_block(ret) &&
	       dio_range_is(inode, pos, len, EXT4_MAP_MAPPED | EXT4_MAP_UNWRITTEN, false) &&
	       !dio_range_is(inode, pos, len, EXT4_MAP_MAPPED, false);
}

/*
 * dio_atomic_check - can an atomic write (RWF_ATOMIC) be done, all of it?
 *
 * The checks that it has passed before i_rwsem did not know where O_APPEND takes it, nor a
 * limit that has cut it to less than @asked.  What ends in the page cache is not atomic;
 * and chattr can take the extents from an inode that is open.
 *
 * Context: i_rwsem held, the write checks passed.
 */
static int dio_atomic_check(struct kiocb *iocb, struct iov_iter *from, size_t asked)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	if (!(iocb->ki_flags & IOCB_ATOMIC))
		return 0;
	if (!ext4dio_should_use_dio(iocb, from) ||
	    !ext4dio_test_inode_flag(inode, EXT4_INODE_EXTENTS))
		return -EOPNOTSUPP;
	if (iov_iter_count(from) != asked || !IS_ALIGNED(iocb->ki_pos, asked))
		return -EINVAL;
	return 0;
}

/* What comes after a step of a direct write. */
enum dio_next {
	DIO_GO_ON,	/* the step after it */
	DIO_ALONE,	/* all of them once more, with i_rwsem exclusively */
	DIO_END,	/* nothing: it is refused, has failed or is written; the lock is held */
	DIO_GONE,	/* nothing either: the I/O has the lock, or has dropped it */
};

/**
 * struct dio_write - a direct write on its way
 * @iocb: where to and how
 * @from: the data
 * @inode: the file
 * @policy: of the mount, when it began
 * @asked: how many bytes @from had
 * @nowait: IOCB_NOWAIT
 * @exclusive: i_rwsem is held, or about to be taken, exclusively
 * @starved: a conversion of it has found no block for the extent tree
 * @apart: it was taken for an atomic one to a single extent, and was not
 * @handed: its I/O may keep the lock
 * @sync: the commit of the journal is left to be waited for without the lock
 * @flags: for iomap_dio_rw()
 * @pos: where it begins
 * @len: how many bytes it may be
 * @blocks: what a token needs to know
 * @facts: what is known of it
 * @decision: how it has to run
 * @reason: what it is counted under
 * @ret: its result so far
 */
struct dio_write {
	struct kiocb *iocb;
	struct iov_iter *from;
	struct inode *inode;
	enum dio_policy policy;
	size_t asked;
	bool nowait;
	bool exclusive;
	bool starved;
	bool apart;
	bool handed;
	bool sync;
	unsigned int flags;
	loff_t pos;
	size_t len;
	struct dio_blocks blocks;
	struct dio_facts facts;
	struct dio_decision decision;
	enum dio_reason reason;
	ssize_t ret;
};

/* It cannot go on without waiting, for @reason. */
static enum dio_next dio_refuse(struct dio_write *w, enum dio_reason reason)
{
	w->reason = reason;
	w->ret = -EAGAIN;
	return DIO_END;
}

/*
 * The first step: may it be written, and how has that to be done?
 *
 * Context: i_rwsem held, in either way.
 */
static enum dio_next dio_judge(struct dio_write *w)
{
	struct inode *inode = w->inode;

	/* First, because the position of an O_APPEND write is not known before. */
	w->ret = ext4dio_generic_write_checks(w->iocb, w->from);
	if (w->ret <= 0)
		return DIO_END;
	w->pos = w->iocb->ki_pos;
	w->len = w->ret;

	w->ret = dio_atomic_check(w->iocb, w->from, w->asked);
	if (w->ret)
		return DIO_END;
	if (!ext4dio_should_use_dio(w->iocb, w->from)) {
		w->reason = DIO_BUFFERED;
		return DIO_END;
	}
	/*
	 * There is no inline data, or we would not be here, and none may come: this
	 * write allocates blocks.
	 */
	if (ext4dio_test_inode_state(inode, EXT4_STATE_MAY_INLINE_DATA))
		ext4dio_clear_inode_state(inode, EXT4_STATE_MAY_INLINE_DATA);

	w->facts = dio_facts(w->iocb, w->len, w->policy, w->starved, &w->blocks);
	w->facts.mixed |= w->apart;
	w->decision = ext4dio_decide(w->policy, &w->facts);
	trace_ext4dio_dio_decision(inode, w->pos, w->len, w->policy, &w->facts, &w->decision);
	ext4dio_ahead(inode, w->pos, w->len, w->facts.extends);
	if (w->decision.refuse)
		return dio_refuse(w, w->decision.reason);
	/* Size and extents may change in between: decide anew from the start. */
	if (w->decision.exclusive && !w->exclusive)
		return DIO_ALONE;
	return DIO_GO_ON;
}

/*
 * The second: what is due before the I/O, with the lock and the token that it needs.
 *
 * Context: i_rwsem held exclusively, if it was decided so; then held as the I/O needs it.
 */
static enum dio_next dio_prepare(struct dio_write *w)
{
	const struct dio_decision *d = &w->decision;
	struct inode *inode = w->inode;

	/*
	 * A write in flight may still turn unwritten blocks into written ones, or have
	 * half a block of its own in ours.  None can start: we hold the lock exclusively.
	 */
	if (d->drain) {
		dio_drain(inode);
		ext4dio_tokens_idle(inode);
		if (d->reason == DIO_EXCL_ZEROING && w->policy == DIO_POLICY_OVERLAP)
			ext4dio_track(inode);
	}

	/* Drops suid, sgid and capabilities, hence exclusive; and the timestamps. */
	w->ret = ext4dio_write_modified(w->iocb);
	if (w->ret == -EAGAIN)
		return dio_refuse(w, DIO_AGAIN_TIME);
	if (w->ret < 0)
		return DIO_END;
	w->reason = d->reason;

	/*
	 * The I/O itself may do with less than its checks.  Nobody gets the lock
	 * exclusively in between, so what was decided still holds.
	 */
	if (w->exclusive && !d->exclusive_io) {
		downgrade_write(&inode->i_rwsem);
		w->exclusive = false;
	}

	w->handed = dio_can_hand_over(w->iocb, w->len, &w->facts, d);
	/* (i_size has moved past it since the decision.) */
	if (w->nowait && d->wait && !w->handed && !is_sync_kiocb(w->iocb))
		return dio_refuse(w, DIO_AGAIN_EXTEND);

	/* From here to its completion it may be in the way of others, and they in its. */
	if (d->token) {
		w->ret = ext4dio_token_take(inode, w->iocb, &w->blocks, w->len, w->nowait);
		if (w->ret == -EAGAIN)
			return dio_refuse(w, DIO_AGAIN_TOKEN);
		if (w->ret) {
			w->reason = DIO_FAILED;
			return DIO_END;
		}
	}
	return DIO_GO_ON;
}

/*
 * What has become of a write that had the lock handed over to its I/O?
 *
 * Context: i_rwsem held if the next step is DIO_GO_ON.
 */
static enum dio_next dio_handed_back(struct dio_write *w)
{
	if (w->ret == -EIOCBQUEUED) {
		dio_count(w->inode, handed_over);
		return DIO_GONE;
	}
	if (dio_take_back(w->iocb))
		return DIO_GO_ON;
	/* It has ended.  Only for want of a block it is looked at once more. */
	if (!dio_no_block(w->ret) || w->iocb->ki_pos != w->pos)
		return DIO_GONE;
	if (w->nowait) {
		iov_iter_revert(w->from, w->len - iov_iter_count(w->from));
		dio_refuse(w, DIO_AGAIN_SCARCE);
		return DIO_GONE;
	}
	inode_lock_shared(w->inode);
	return DIO_GO_ON;
}

/*
 * The third: the I/O.
 *
 * Context: i_rwsem held as was decided for the I/O.
 */
static enum dio_next dio_submit(struct dio_write *w)
{
	const struct dio_decision *d = &w->decision;
	struct inode *inode = w->inode;
	struct kiocb *iocb = w->iocb;
	size_t taken;

	/*
	 * Bios that are polled for must not be waited for: the one who polls would be this
	 * task, once it is back.  Others wait for a token, or for the lock that the I/O holds.
	 * Before it gives up at a hole of an inode without extents, iomap waits for what it
	 * has submitted.
	 */
	if (d->wait || d->token || !ext4dio_test_inode_flag(inode, EXT4_INODE_EXTENTS))
		iocb->ki_flags &= ~IOCB_HIPRI;
	dio_announce(inode);
	/* One block cannot fall apart; for more see dio_mixed(). */
	w->flags = 0;
	if ((iocb->ki_flags & IOCB_ATOMIC) && !w->facts.mixed && w->asked > i_blocksize(inode))
		w->flags |= IOMAP_DIO_OVERWRITE_ONLY;
	/*
	 * Its own conversion, in this task, may zero the rest of an extent if nobody else is
	 * in flight; see zeroout.c.  Nobody is, so that this holds also for what iomap has
	 * written back before it counts the write.
	 */
	if (d->drain && d->wait)
		WRITE_ONCE(EXT4_I(inode)->i_dio_owner, current);
	if (!is_sync_kiocb(iocb) && !((w->pos + w->len) & (i_blocksize(inode) - 1)))
		iocb->ki_flags |= DIO_IOCB_WHOLE;
	/* Memory is there by pages.  (For ext4dio_map_join(), which joins nothing before 7.0.) */
	if (!EXT4DIO_UNWRITTEN_NEEDS_HANDLE && i_blocksize(inode) <= PAGE_SIZE &&
	    !((w->pos | iov_iter_alignment(w->from)) & (i_blocksize(inode) - 1)))
		iocb->ki_flags |= DIO_IOCB_BLOCKS;
	w->sync = d->wait && !w->handed && (iocb->ki_flags & IOCB_DSYNC);
	if (w->handed)
		w->ret = dio_write_handed_over(iocb, w->from, w->facts.extends);
	else if (d->wait)
		w->ret = dio_write_waited(iocb, w->from, w->facts.extends, !w->exclusive,
					  w->flags);
	else
		w->ret = iomap_dio_rw(iocb, w->from, &ext4dio_iomap_ops, &dio_write_ops,
				      w->flags, iocb, 0);
	if (w->ret != -EIOCBQUEUED) {
		/* What was queued may be over, and @iocb gone. */
		if (d->token)
			ext4dio_token_put(inode, iocb, w->pos);
		iocb->ki_flags &= ~(DIO_IOCB_WHOLE | DIO_IOCB_BLOCKS);
		/* Its end may have counted less than iomap has taken from @from. */
		taken = w->len - iov_iter_count(w->from);
		if (w->ret > 0 && taken > w->ret)
			iov_iter_revert(w->from, taken - w->ret);
	}
	if (d->drain && d->wait)
		WRITE_ONCE(EXT4_I(inode)->i_dio_owner, NULL);
	return w->handed ? dio_handed_back(w) : DIO_GO_ON;
}

/*
 * The last: was it what it was taken for?
 *
 * Context: i_rwsem held, as for the I/O.
 */
static enum dio_next dio_look_back(struct dio_write *w)
{
	if (w->ret == -EAGAIN && (w->flags & IOMAP_DIO_OVERWRITE_ONLY) && !w->nowait) {
		w->apart = true;
		return DIO_ALONE;
	}
	if (w->ret == -ENOTBLK)
		w->ret = 0;
	/* (Where ki_pos has moved on it was the commit that failed.) */
	if (!dio_starved(w->inode, w->pos, w->len, w->ret) || w->iocb->ki_pos != w->pos)
		return DIO_END;
	if (w->decision.exclusive_io) {
		ext4dio_data_lost(w->inode, w->ret);
		return DIO_END;
	}
	/* Nothing is lost: the data is still with the caller.  Once more, alone. */
	iov_iter_revert(w->from, w->len - iov_iter_count(w->from));
	if (w->nowait)
		return dio_refuse(w, DIO_AGAIN_SCARCE);
	w->starved = true;
	return DIO_ALONE;
}

/**
 * ext4dio_dio_write_iter - write with O_DIRECT
 * @iocb: where to and how
 * @from: the data
 *
 * Context: process context; takes and drops i_rwsem.  With IOCB_NOWAIT it tries
 * the lock, and gives -EAGAIN before anything is written where it would have to
 * wait for another write or allocate.
 * Return: bytes written, -EIOCBQUEUED, or a negative error.
 */
ssize_t ext4dio_dio_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct dio_write w = {
		.iocb = iocb,
		.from = from,
		.inode = inode,
		.policy = READ_ONCE(EXT4_SB(inode->i_sb)->s_dio_policy),
		.asked = iov_iter_count(from),
		.nowait = iocb->ki_flags & IOCB_NOWAIT,
	};
	enum dio_next next;

	/*
	 * An io_uring that offers this, on some 6.12, ends the I/O when its task next comes by.
	 * If that task waits for the I/O itself it never does; and others wait as long.
	 */
	iocb->ki_flags &= ~IOCB_DIO_CALLER_COMP;
	w.exclusive = dio_guess(iocb, w.asked, w.policy);
	for (;;) {
		w.reason = DIO_FAILED;
		w.ret = dio_lock(inode, w.exclusive, w.nowait);
		if (w.ret) {
			dio_count(inode, writes[DIO_AGAIN_LOCK]);
			return w.ret;
		}
		next = dio_judge(&w);
		if (next == DIO_GO_ON)
			next = dio_prepare(&w);
		if (next == DIO_GO_ON)
			next = dio_submit(&w);
		if (next == DIO_GO_ON)
			next = dio_look_back(&w);
		if (next != DIO_ALONE)
			dio_count(inode, writes[w.reason]);
		else
			dio_count(inode, upgrades);
		if (next != DIO_GONE)
			dio_unlock(inode, w.exclusive);
		if (next != DIO_ALONE)
			break;
		w.exclusive = true;
	}
	if (w.reason == DIO_BUFFERED)
		return ext4dio_buffered_write_iter(iocb, from);
	if (w.sync && w.ret > 0)
		w.ret = generic_write_sync(iocb, w.ret);
	if (w.ret < 0 || !iov_iter_count(from))
		return w.ret;
	/* The page cache would do the rest in parts. */
	if (iocb->ki_flags & IOCB_ATOMIC)
		return w.ret ? w.ret : -EOPNOTSUPP;
	dio_count(inode, fallbacks);
	return dio_write_rest(iocb, from, dio_short(iocb, from, w.ret));
}
