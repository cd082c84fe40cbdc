// SPDX-License-Identifier: GPL-2.0
/*
 * The timestamps of a write, without sleeping where that can be done.
 *
 * The VFS refuses NOWAIT for every timestamp that is due: up to 6.12 always, since 7.0
 * for a file system that has ->dirty_inode, which for ext4 starts a journal handle.
 * Mounted with lazytime a new timestamp needs no handle.  It stays in the inode in memory
 * until something else writes the inode, and fsync, sync, eviction, unmount or a day bring
 * it to the disk; the inode on %I_DIRTY_TIME is what tells them.
 *
 * This is not in ->update_time, where XFS has it, because before 7.0 that is not asked
 * for a NOWAIT write, and its arguments differ in three of the supported kernels.
 */
#include <linux/iversion.h>
#include <linux/kernel.h>

#include "ext4dio.h"
#include "compat.h"
#include "lazy_time.h"

/*
 * May the timestamps of a write be brought up to date in memory alone?  Not if somebody
 * has asked for the change counter, which then must be counted up, on disk.  And a file
 * system that went read-only takes no change.
 */
static bool lazy_time_will_do(struct inode *inode)
{
	return (inode->i_sb->s_flags & SB_LAZYTIME) && !sb_rdonly(inode->i_sb) &&
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
	if (ret == -EAGAIN && lazy_time_will_do(inode)) {
		inode_set_mtime_to_ts(inode, inode_set_ctime_current(inode));
		__mark_inode_dirty(inode, I_DIRTY_TIME);
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
