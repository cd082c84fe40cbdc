/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a write does to its inode beside the data: privileges and timestamps.
 */
#ifndef EXT4DIO_MODIFIED_H
#define EXT4DIO_MODIFIED_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

/**
 * struct dio_times - the inodes of a mount whose new timestamps are on their way to the journal
 * @lock: orders changes of the two lists and @seq
 * @inodes: those that wait, by i_dio_times; each is held
 * @takers: who is taking one there, see struct times_taker
 * @done: woken when one has done so
 * @seq: counts @takers
 * @work: takes all there that wait
 * @wq: where @work runs
 */
struct dio_times {
	spinlock_t lock;
	struct list_head inodes;
	struct list_head takers;
	wait_queue_head_t done;
	u64 seq;
	struct work_struct work;
	struct workqueue_struct *wq;
};

int ext4dio_times_init(struct dio_times *times, struct super_block *sb);
void ext4dio_times_exit(struct dio_times *times);
void ext4dio_times_flush(struct super_block *sb);
void ext4dio_times_of(struct inode *inode);
void ext4dio_kill_block_super(struct super_block *sb);

int ext4dio_write_modified(struct kiocb *iocb);

#endif
