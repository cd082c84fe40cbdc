// SPDX-License-Identifier: GPL-2.0
/*
 * Allocate ahead: blocks for writes that will come, so that they need no journal handle.
 *
 * Off unless the mount asks for it (dio_ahead=KIB).  A direct write that appends, or that goes on
 * where the last one was, has a worker allocate the next KIB of the file, unwritten, as soon as
 * less than half of that is there.  Then a write into new space starts no handle before its
 * I/O, and NOWAIT, which never allocates, is not refused.
 *
 * The worker is a direct write that writes nothing: it holds i_rwsem shared and maps blocks as
 * ext4_iomap_alloc() does.  What holds of a direct write that has failed after its allocation
 * holds of what the worker leaves: unwritten blocks, which read as zeros, inside the file or
 * past EOF, where they are what fallocate leaves with FALLOC_FL_KEEP_SIZE.
 *
 * Those past EOF go when the last writer closes the file.  Only what the worker itself has
 * allocated may go then, not what the user has: of that one range is known (@ours), and none any
 * more once fallocate was called, which may have counted on what was there.  After a crash, or
 * where the close finds the lock taken or the file system frozen and no writer closes the file
 * later, they stay, until the file is truncated.
 *
 * Neither the worker nor the close waits for i_rwsem: who holds it may wait for the task that
 * closes, as it may be the one that serves his memory (FUSE, userfaultfd) or reaps his I/O.
 *
 * Space and quota are those of the writer, with its credentials: the worker of a user has no
 * reserved blocks and no limit more than he.  It stops when little is left, of the disk or of a
 * quota: then blocks are for who writes them.
 */
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/quotaops.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "ext4dio.h"
#include "ext4dio_jbd2.h"
#include "compat.h"
#include "dio_ahead.h"
#include "dio_count.h"
#include "dio_map.h"
#include "dio_mount.h"

/* Nothing is allocated ahead when less than this part of the file system is free: 1/2^n. */
#define AHEAD_FREE_SHIFT	4
/* Nor when a quota has no room for so many times what would be. */
#define AHEAD_QUOTA_TIMES	16
/* The worker tries to get i_rwsem so often, and waits so long in between, in us. */
#define AHEAD_TRIES	20
#define AHEAD_TRY_US	100

/**
 * struct dio_ahead - what a file is allocated ahead
 * @work: does it
 * @inode: the file; the work ends before a writer's close of it does
 * @queued: @work has its orders: @from, @to and @cred are its
 * @from: the first block to be there
 * @to: the block behind the last
 * @cred: of the writer
 * @next: where the last write ended, in bytes; a guess
 * @tried: @to of the last orders; what is missing before it could not be allocated
 * @ours_from: first of the last blocks in a row that @work has allocated; i_rwsem: shared by
 *	@work, which does not run twice at once, or exclusively
 * @ours_to: the block behind them
 * @kept: the user has called fallocate: nothing here is ours alone
 *
 * There is one for a file that was written to in this way, until its eviction.
 */
struct dio_ahead {
	struct work_struct work;
	struct inode *inode;
	unsigned long queued;
	ext4dio_lblk_t from;
	ext4dio_lblk_t to;
	const struct cred *cred;
	loff_t next;
	ext4dio_lblk_t tried;
	ext4dio_lblk_t ours_from;
	ext4dio_lblk_t ours_to;
	bool kept;
};

/* Is so much free that some of it may be taken in advance? */
static bool ahead_room(struct super_block *sb)
{
	struct ext4dio_sb_info *sbi = EXT4_SB(sb);
	s64 free = percpu_counter_read_positive(&sbi->s_freeclusters_counter) -
		   percpu_counter_read_positive(&sbi->s_dirtyclusters_counter);

	return free > 0 &&
	       EXT4_C2B(sbi, (u64)free) > ext4dio_blocks_count(sbi->s_es) >> AHEAD_FREE_SHIFT;
}

/* Is so much of one of the file's quotas left, if it has limits? */
static bool ahead_quota_room(struct inode *inode, struct kqid qid, u64 bytes)
{
	struct super_block *sb = inode->i_sb;
	struct qc_dqblk q;
	u64 limit;

	if (!sb_has_quota_limits_enabled(sb, qid.type))
		return true;
	if (!sb->s_qcop || !sb->s_qcop->get_dqblk || sb->s_qcop->get_dqblk(sb, qid, &q))
		return false;
	limit = min_not_zero(q.d_spc_softlimit, q.d_spc_hardlimit);
	return !limit || q.d_space + AHEAD_QUOTA_TIMES * bytes <= limit;
}

/*
 * Is it in all of them?
 *
 * Context: process context; sleeps.
 */
static bool ahead_quotas_room(struct inode *inode, u64 bytes)
{
	return ahead_quota_room(inode, make_kqid_uid(inode->i_uid), bytes) &&
	       ahead_quota_room(inode, make_kqid_gid(inode->i_gid), bytes) &&
	       ahead_quota_room(inode, make_kqid_projid(EXT4_I(inode)->i_projid), bytes);
}

/* May blocks of this file be allocated unwritten, with nothing else to be told of it? */
static bool ahead_suits(struct inode *inode)
{
	return ext4dio_test_inode_flag(inode, EXT4_INODE_EXTENTS) &&
	       !ext4dio_has_inline_data(inode) && !test_opt2(inode->i_sb, JOURNAL_FAST_COMMIT);
}

/*
 * May blocks from @lblk on become the work's own?  Not if that would have it forget others past
 * EOF, which then nobody would free.
 */
static bool ahead_may_own(struct dio_ahead *a, ext4dio_lblk_t lblk)
{
	return lblk <= a->ours_to ||
	       (loff_t)a->ours_to << a->inode->i_blkbits <= i_size_read(a->inode);
}

/* Remember that @map's blocks are the work's own. */
static void ahead_own(struct dio_ahead *a, const struct ext4dio_map_blocks *map)
{
	if (!(map->m_flags & EXT4_MAP_NEW))
		return;
	if (map->m_lblk != a->ours_to)
		a->ours_from = map->m_lblk;
	a->ours_to = map->m_lblk + map->m_len;
	dio_count_add(a->inode, ahead_blocks, map->m_len);
}

/*
 * Map the blocks of the orders, and allocate those that are missing.
 *
 * Context: i_rwsem held shared, as by the direct write that this is one of; the file system kept
 * from freezing.  Sleeps.
 */
static void ahead_allocate(struct dio_ahead *a)
{
	struct inode *inode = a->inode;
	ext4dio_lblk_t lblk = a->from;

	lockdep_assert_held(&inode->i_rwsem);
	while (lblk < a->to && ahead_room(inode->i_sb)) {
		struct ext4dio_map_blocks map = { .m_lblk = lblk, .m_len = a->to - lblk };
		handle_t *handle;
		int ret;

		ret = ext4dio_map_blocks(NULL, inode, &map, 0);
		if (ret > 0) {
			lblk += ret;
			continue;
		}
		if (ret < 0 || !ahead_may_own(a, lblk))
			return;
		map = (struct ext4dio_map_blocks) { .m_lblk = lblk, .m_len = a->to - lblk };
		handle = ext4dio_journal_start(inode, EXT4_HT_MAP_BLOCKS,
					       ext4dio_chunk_trans_blocks(inode, map.m_len));
		if (IS_ERR(handle))
			return;
		ret = ext4dio_map_blocks(handle, inode, &map, EXT4_GET_BLOCKS_CREATE_UNWRIT_EXT);
		if (ret > 0)
			ahead_own(a, &map);
		ext4dio_journal_stop(handle);
		/* No space, no quota, damage: who writes there will be told. */
		if (ret <= 0)
			return;
		lblk += ret;
	}
}

/* The orders are carried out, or, with @again, will not be, but may come once more. */
static void ahead_over(struct dio_ahead *a, bool again)
{
	if (again)
		WRITE_ONCE(a->tried, 0);
	put_cred(a->cred);
	clear_bit_unlock(0, &a->queued);
}

/* i_rwsem, shared, if it is to be had soon. */
static bool ahead_lock(struct inode *inode)
{
	int tries;

	for (tries = 0; tries < AHEAD_TRIES; tries++) {
		if (inode_trylock_shared(inode))
			return true;
		usleep_range(AHEAD_TRY_US, 2 * AHEAD_TRY_US);
	}
	return false;
}

static void ahead_work(struct work_struct *work)
{
	struct dio_ahead *a = container_of(work, struct dio_ahead, work);
	struct super_block *sb = a->inode->i_sb;
	const struct cred *saved;
	bool locked;

	/* A frozen file system is no reason to wait, for a close might wait for us. */
	if (!sb_start_write_trylock(sb)) {
		ahead_over(a, true);
		return;
	}
	locked = ahead_lock(a->inode);
	if (locked) {
		saved = override_creds(a->cred);
		if (ahead_suits(a->inode) &&
		    ahead_quotas_room(a->inode, (u64)(a->to - a->from) << a->inode->i_blkbits))
			ahead_allocate(a);
		revert_creds(saved);
		inode_unlock_shared(a->inode);
	}
	sb_end_write(sb);
	ahead_over(a, !locked);
}

/* That of @inode, or NULL. */
static struct dio_ahead *ahead_if_any(struct inode *inode)
{
	/* Pairs with cmpxchg() in ahead_of(): who finds it finds it initialised. */
	return smp_load_acquire(&EXT4_I(inode)->i_dio_ahead);
}

/* That of @inode, made if there is none; NULL without memory. */
static struct dio_ahead *ahead_of(struct inode *inode)
{
	struct dio_ahead *a = ahead_if_any(inode), *other;

	if (a)
		return a;
	a = kzalloc(sizeof(*a), GFP_NOWAIT | __GFP_NOWARN);
	if (!a)
		return NULL;
	INIT_WORK(&a->work, ahead_work);
	a->inode = inode;
	other = cmpxchg(&EXT4_I(inode)->i_dio_ahead, NULL, a);
	if (!other)
		return a;
	kfree(a);
	return other;
}

/**
 * ext4dio_ahead - a direct write comes: does the next one find its blocks?
 * @inode: the file
 * @pos: where it begins, in bytes
 * @len: how long it is
 * @extends: it goes past EOF
 *
 * For all writes, also for those with NOWAIT that are refused.  Appends are taken for one of many;
 * inside the file a write is that if it begins no further than the size of one helping from where
 * the last one ended.  (At the first write that is the begin of the file.)
 *
 * Context: i_rwsem held, shared or exclusively, by a task that has the file open for writing.
 * Does not sleep.
 */
void ext4dio_ahead(struct inode *inode, loff_t pos, size_t len, bool extends)
{
	struct ext4dio_sb_info *sbi = EXT4_SB(inode->i_sb);
	loff_t bytes = (loff_t)READ_ONCE(sbi->s_dio_ahead) << 10;
	loff_t end = pos + len, before, limit;
	ext4dio_lblk_t from, half, to, tried;
	struct dio_ahead *a;

	if (!bytes)
		return;
	a = ahead_of(inode);
	if (!a)
		return;
	before = READ_ONCE(a->next);
	WRITE_ONCE(a->next, end);
	/* The same one once more: under the exclusive lock, or without NOWAIT. */
	if (end == before)
		return;
	if (!extends && (pos > before + bytes || pos < before - bytes))
		return;
	limit = extends ? inode->i_sb->s_maxbytes : i_size_read(inode);
	if (end >= limit)
		return;
	to = min(round_up(end, i_blocksize(inode)) + bytes, limit) >> inode->i_blkbits;
	from = (end + i_blocksize(inode) - 1) >> inode->i_blkbits;
	if (to <= from)
		return;
	half = min_t(loff_t, (end + bytes / 2) >> inode->i_blkbits, to - 1);
	/* A cache that does not know it either is one that NOWAIT is refused for. */
	if (ext4dio_map_cached(inode, (loff_t)half << inode->i_blkbits, 1, true))
		return;
	tried = READ_ONCE(a->tried);
	if (half < tried && tried - half <= bytes >> inode->i_blkbits)
		return;
	if (test_and_set_bit_lock(0, &a->queued))
		return;
	a->from = from;
	a->to = to;
	a->cred = get_current_cred();
	WRITE_ONCE(a->tried, to);
	/* Refused while somebody who closes the file waits for the work before. */
	if (!queue_work(sbi->s_dio->ahead, &a->work))
		ahead_over(a, true);
}

/**
 * ext4dio_ahead_fallocated - fallocate counts on what it finds
 * @inode: the file
 *
 * Context: i_rwsem held exclusively: what is not here yet has allocated nothing.
 */
void ext4dio_ahead_fallocated(struct inode *inode)
{
	struct dio_ahead *a = ahead_if_any(inode);

	lockdep_assert_held_write(&inode->i_rwsem);
	if (a)
		a->kept = true;
}

/*
 * Free what is ours past EOF.
 *
 * Direct I/O in flight, which may be polled by this task, is not waited for: nobody writes there,
 * as who extends the file holds the lock, and reads of what is unwritten do no I/O.
 *
 * The page cache may have buffers there, of a buffered write that has copied nothing; they know
 * the blocks, so they go as well.
 *
 * Context: i_rwsem held exclusively; the file system kept from freezing.
 */
static void ahead_trim(struct dio_ahead *a)
{
	struct inode *inode = a->inode;
	struct address_space *mapping = inode->i_mapping;
	u64 from = round_up((u64)inode->i_size, i_blocksize(inode)) >> inode->i_blkbits;
	u64 blocks = inode->i_blocks;
	handle_t *handle;

	lockdep_assert_held_write(&inode->i_rwsem);
	if (a->kept)
		return;
	from = round_up(max_t(u64, from, a->ours_from),
			(u64)EXT4_SB(inode->i_sb)->s_cluster_ratio);
	/* (An unlinked file is about to lose all it has.) */
	if (from >= a->ours_to || !inode->i_nlink || !ahead_suits(inode) ||
	    sb_rdonly(inode->i_sb))
		goto none;
	filemap_invalidate_lock(mapping);
	/* Before the handle: it waits for writeback, whose end needs one. */
	truncate_inode_pages(mapping, from << inode->i_blkbits);
	handle = ext4dio_journal_start(inode, EXT4_HT_TRUNCATE,
				       ext4dio_chunk_trans_blocks(inode, 1));
	if (IS_ERR(handle))
		goto unlock;
	down_write(&EXT4_I(inode)->i_data_sem);
	/* What the allocator has reserved around them may overlap what is freed. */
	EXT4DIO_DISCARD_ALL(inode);
	ext4dio_es_remove_extent(inode, from, a->ours_to - from);
	ext4dio_ext_remove_space(inode, from, a->ours_to - 1);
	up_write(&EXT4_I(inode)->i_data_sem);
	ext4dio_mark_inode_dirty(handle, inode);
	ext4dio_journal_stop(handle);
	dio_count_add(inode, ahead_trimmed,
		      (blocks - inode->i_blocks) >> (inode->i_blkbits - 9));
unlock:
	filemap_invalidate_unlock(mapping);
none:
	a->ours_from = 0;
	a->ours_to = 0;
}

/**
 * ext4dio_ahead_release - a file is closed
 * @inode: its inode
 * @file: the file
 *
 * No work outlives the close of a file that was open for writing, and so none that of the last.
 *
 * Context: ->release(); sleeps.
 */
void ext4dio_ahead_release(struct inode *inode, struct file *file)
{
	struct dio_ahead *a = ahead_if_any(inode);

	if (!a || !(file->f_mode & FMODE_WRITE))
		return;
	if (cancel_work_sync(&a->work))
		ahead_over(a, true);
	if (atomic_read(&inode->i_writecount) != 1)
		return;
	/* What could not be allocated may be tried again. */
	WRITE_ONCE(a->tried, 0);
	if (READ_ONCE(a->kept) || !READ_ONCE(a->ours_to))
		return;
	if (!sb_start_write_trylock(inode->i_sb))
		return;
	if (inode_trylock(inode)) {
		ahead_trim(a);
		inode_unlock(inode);
	}
	sb_end_write(inode->i_sb);
}

/**
 * ext4dio_ahead_free - the inode goes
 * @inode: the file, at its eviction
 */
void ext4dio_ahead_free(struct inode *inode)
{
	struct dio_ahead *a = EXT4_I(inode)->i_dio_ahead;

	WARN_ON_ONCE(a && test_bit(0, &a->queued));
	kfree(a);
	EXT4_I(inode)->i_dio_ahead = NULL;
}
