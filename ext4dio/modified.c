// SPDX-License-Identifier: GPL-2.0
/*
 * Privileges and timestamps of a write, without sleeping where it must not.
 *
 * The VFS refuses NOWAIT for every timestamp that is due: up to 6.12 always, since 7.0
 * for a file system that has ->dirty_inode, which for ext4 starts a journal handle.  One is
 * due once a tick, and once more whenever somebody has looked at the last.  Here it changes in
 * memory, where everybody sees it, and then:
 *
 *  - With lazytime it stays there until something else writes the inode, and fsync,
 *    sync, eviction, unmount or half a day bring it to the disk; the inode on %I_DIRTY_TIME
 *    is what tells them.
 *  - Without, a worker puts it into the journal at once, as the writer would have done.  The
 *    inode is held until then, so it is not evicted before; whoever closes the file does what
 *    the worker has not done yet, so that nobody else meets an inode that is held.  Who
 *    promises that the timestamp is on the disk has it done first: fsync, and all that comes
 *    by ->sync_fs (sync, syncfs, a freeze, a remount that makes read-only, unmount).
 *
 * This is not in ->update_time, where XFS has it, because before 7.0 that is not asked
 * for a NOWAIT write, and its arguments differ in three of the supported kernels.
 */
#include <linux/iversion.h>
#include <linux/kernel.h>
#include <linux/wait.h>

#include "ext4dio.h"
#include "compat.h"
#include "dio_mount.h"
#include "modified.h"

/*
 * struct times_taker - somebody who is putting the timestamps of an inode into the journal
 * @list: in dio_times.takers
 * @inode: whose; only compared: the reference that the list had is given up before the end
 * @seq: counts them
 *
 * On the stack of who does it: the worker, or ext4dio_times_of().
 */
struct times_taker {
	struct list_head list;
	struct inode *inode;
	u64 seq;
};

/*
 * Take the inode that is waiting off its list, and put its timestamps into the journal.  Others
 * find it on the list or, from before it leaves that until it is done, among the takers.
 *
 * Context: dio_times.lock, which is dropped and taken again; no journal handle open; sleeps.
 */
static void times_take(struct dio_times *times, struct ext4dio_inode_info *ei)
	__releases(&times->lock) __acquires(&times->lock)
{
	struct times_taker taker = { .inode = &ei->vfs_inode, .seq = ++times->seq };

	lockdep_assert_held(&times->lock);
	list_add(&taker.list, &times->takers);
	/*
	 * After that, for who looks without the lock; before the rest, so that a write from here
	 * on has it done once more.
	 */
	list_del_init_careful(&ei->i_dio_times);
	spin_unlock(&times->lock);
	mark_inode_dirty_sync(taker.inode);
	/* Not the last one: who closes the file waits until we are done. */
	iput(taker.inode);
	/* Pairs with the acquire in ext4dio_times_of(): no taker, so it is in the journal. */
	smp_wmb();
	spin_lock(&times->lock);
	list_del(&taker.list);
	wake_up_all(&times->done);
}

/* Is somebody at work who began up to @seq, with @inode or, if that is NULL, any? */
static bool times_in_hand(struct dio_times *times, struct inode *inode, u64 seq)
{
	struct times_taker *taker;
	bool found = false;

	spin_lock(&times->lock);
	list_for_each_entry(taker, &times->takers, list)
		found |= taker->seq <= seq && (!inode || taker->inode == inode);
	spin_unlock(&times->lock);
	return found;
}

/*
 * The worker: the timestamps of all that are there when it begins, in a handle for each.  For those
 * that come meanwhile it is queued once more, so that who waits for it does so for two rounds
 * at most.
 */
static void times_work(struct work_struct *work)
{
	struct dio_times *times = container_of(work, struct dio_times, work);
	LIST_HEAD(round);

	spin_lock(&times->lock);
	list_splice_init(&times->inodes, &round);
	while (!list_empty(&round)) {
		times_take(times, list_first_entry(&round, struct ext4dio_inode_info,
						   i_dio_times));
		spin_unlock(&times->lock);
		cond_resched();
		spin_lock(&times->lock);
	}
	spin_unlock(&times->lock);
}

/* Have the worker take @inode's timestamps to the journal.  Does not sleep. */
static void times_queue(struct inode *inode)
{
	struct dio_times *times = &EXT4_SB(inode->i_sb)->s_dio->times;

	spin_lock(&times->lock);
	if (list_empty(&EXT4_I(inode)->i_dio_times)) {
		ihold(inode);
		list_add_tail(&EXT4_I(inode)->i_dio_times, &times->inodes);
		/* Under the lock: who finds it there relies on the worker. */
		queue_work(times->wq, &times->work);
	}
	spin_unlock(&times->lock);
}

/**
 * ext4dio_times_of - see to it that the timestamps of all writes to a file are in the journal
 * @inode: the file, or whatever has none of these
 *
 * For fsync, and for who closes it after a write.  Files without such writes pay two reads, and the
 * mount's spinlock while somebody is taking the timestamps of any file there.
 *
 * Context: process context, no journal handle open; sleeps.
 */
void ext4dio_times_of(struct inode *inode)
{
	struct dio_mount *mount = EXT4_SB(inode->i_sb)->s_dio;
	struct dio_times *times;
	u64 seq;

	if (!S_ISREG(inode->i_mode) || !mount)
		return;
	times = &mount->times;
	/* In this order: it is among the takers before it leaves the list. */
	if (list_empty_careful(&EXT4_I(inode)->i_dio_times) &&
	    list_empty_careful(&times->takers))
		return;
	spin_lock(&times->lock);
	if (!list_empty(&EXT4_I(inode)->i_dio_times))
		times_take(times, EXT4_I(inode));
	seq = times->seq;
	spin_unlock(&times->lock);
	/* Somebody else may have taken it, with what was written before we came. */
	wait_event(times->done, !times_in_hand(times, inode, seq));
}

/**
 * ext4dio_times_init - set up the way of timestamps to the journal
 * @times: of a new mount
 * @sb: its
 *
 * The workqueue is the mount's own: ext4's has one worker, for which a journal handle here could
 * have to wait; and a fsync that waits for it may run where the reclaim of memory waits.
 *
 * Context: process context.
 * Return: 0 or -ENOMEM.
 */
int ext4dio_times_init(struct dio_times *times, struct super_block *sb)
{
	spin_lock_init(&times->lock);
	INIT_LIST_HEAD(&times->inodes);
	INIT_LIST_HEAD(&times->takers);
	init_waitqueue_head(&times->done);
	times->seq = 0;
	INIT_WORK(&times->work, times_work);
	times->wq = alloc_workqueue("ext4dio-times/%s", WQ_MEM_RECLAIM | WQ_UNBOUND, 1, sb->s_id);
	return times->wq ? 0 : -ENOMEM;
}

/**
 * ext4dio_times_exit - undo ext4dio_times_init()
 * @times: of a mount that has no inodes any more
 *
 * Context: process context; sleeps.
 */
void ext4dio_times_exit(struct dio_times *times)
{
	destroy_workqueue(times->wq);
}

/**
 * ext4dio_times_flush - wait until the timestamps of all writes so far are in the journal
 * @sb: the mount's; nothing is to do for one that is not complete
 *
 * Context: process context, no journal handle open; sleeps.
 */
void ext4dio_times_flush(struct super_block *sb)
{
	struct ext4dio_sb_info *sbi = EXT4_SB(sb);
	struct dio_times *times;
	u64 seq;

	if (!sbi || !sbi->s_dio)
		return;
	times = &sbi->s_dio->times;
	flush_work(&times->work);
	spin_lock(&times->lock);
	seq = times->seq;
	spin_unlock(&times->lock);
	/* What others have taken off the list before the worker came to it. */
	wait_event(times->done, !times_in_hand(times, NULL, seq));
}

/**
 * ext4dio_kill_block_super - unmount; no inode may be held then
 * @sb: the mount's
 *
 * What is read-only by now, after an abort of the journal, has no ->sync_fs before, or one that
 * does nothing.
 */
void ext4dio_kill_block_super(struct super_block *sb)
{
	ext4dio_times_flush(sb);
	kill_block_super(sb);
}

/*
 * May the timestamps of a write be brought up to date in memory alone, for now?  Not if somebody
 * has asked for the change counter, which then must be counted up, on disk.  And a file
 * system that went read-only takes no change.
 */
static bool times_can_wait(struct inode *inode)
{
	return !sb_rdonly(inode->i_sb) &&
	       !(IS_I_VERSION(inode) && inode_iversion_need_inc(inode));
}

/* The checks and timestamps of a NOWAIT write; -EAGAIN where that would sleep. */
static int nowait_modified(struct kiocb *iocb, struct inode *inode)
{
	int ret;

	/* To find out whether there is something to drop may take a read from the disk. */
	if (!IS_NOSEC(inode))
		return -EAGAIN;
	non_block_start();
	ret = kiocb_modified(iocb);
	if (ret == -EAGAIN && times_can_wait(inode)) {
		inode_set_mtime_to_ts(inode, inode_set_ctime_current(inode));
		if (inode->i_sb->s_flags & SB_LAZYTIME)
			__mark_inode_dirty(inode, I_DIRTY_TIME);
		else
			times_queue(inode);
		ret = 0;
	}
	non_block_end();
	return ret;
}

/**
 * ext4dio_write_modified - what a write does to its inode beside the data
 * @iocb: the write
 *
 * Drops suid, sgid and capabilities, and brings mtime, ctime and the change counter up to
 * date.
 *
 * Context: i_rwsem held, exclusively if there may be something to drop; the file is open
 * for writing and the file system kept from freezing, as they are in ->write_iter().
 * Sleeps (journal handle) without IOCB_NOWAIT; with it, never: what it takes are
 * spinlocks.  Writers under the shared lock may set the timestamps at the same time,
 * as they do in stock ext4.
 * Return: 0; -EAGAIN for IOCB_NOWAIT if it would have to sleep; or another error.
 */
int ext4dio_write_modified(struct kiocb *iocb)
{
	if (iocb->ki_flags & IOCB_NOWAIT)
		return nowait_modified(iocb, file_inode(iocb->ki_filp));
	return kiocb_modified(iocb);
}
