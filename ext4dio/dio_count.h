/* SPDX-License-Identifier: GPL-2.0 */
/* The counters of a mount's direct writes. */
#ifndef EXT4DIO_DIO_COUNT_H
#define EXT4DIO_DIO_COUNT_H

#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include "dio_decide.h"

/**
 * enum dio_wait_kind - what a direct write waits for
 * @DIO_WAIT_LOCK: i_rwsem
 * @DIO_WAIT_DRAIN: direct I/O in flight, with i_rwsem held exclusively
 * @DIO_WAIT_TOKEN: a write in flight to a block that one of both has part of zeroed
 */
enum dio_wait_kind {
	DIO_WAIT_LOCK,
	DIO_WAIT_DRAIN,
	DIO_WAIT_TOKEN,
	DIO_WAIT_KINDS,
};

/**
 * struct dio_counts - what is counted, one set for each CPU
 * @writes: direct writes, each counted once
 * @upgrades: those that took i_rwsem shared first and then exclusively
 * @fallbacks: those whose rest went through the page cache
 * @tracked: files that tokens were needed for
 * @ahead_blocks: blocks that were allocated before a write came to them
 * @ahead_trimmed: those of them that were freed at a close
 * @handed_over: asynchronous writes that kept the shared lock when their submitter went on
 * @waits: how often one had to wait; a lock that was free is no wait
 * @wait_ns: for how long, together
 * @wait_max_ns: the longest
 */
struct dio_counts {
	u64 writes[DIO_REASON_COUNT];
	u64 upgrades;
	u64 fallbacks;
	u64 tracked;
	u64 ahead_blocks;
	u64 ahead_trimmed;
	u64 handed_over;
	u64 waits[DIO_WAIT_KINDS];
	u64 wait_ns[DIO_WAIT_KINDS];
	u64 wait_max_ns[DIO_WAIT_KINDS];
};

/**
 * struct dio_counters - the counters of a mount
 * @counts: what happened since the mount
 * @base: what to subtract for what happened since the last reset
 * @base_lock: orders readers of @base and resets
 */
struct dio_counters {
	struct dio_counts __percpu *counts;
	struct dio_counts base;
	struct mutex base_lock;
};

/**
 * dio_count_add - count
 * @inode: a file of the mount
 * @field: which counter, a member of struct dio_counts
 * @n: how much is added
 *
 * Context: any; while the file is open, or at least in use.
 */
#define dio_count_add(inode, field, n)	\
	this_cpu_add(EXT4_SB((inode)->i_sb)->s_dio->counters.counts->field, n)

/**
 * dio_count - count one
 * @inode: a file of the mount
 * @field: which counter, a member of struct dio_counts
 */
#define dio_count(inode, field)		dio_count_add(inode, field, 1)

void ext4dio_count_wait(struct inode *inode, enum dio_wait_kind kind, ktime_t since);

int ext4dio_counters_init(struct dio_counters *c);
void ext4dio_counters_exit(struct dio_counters *c);
u64 ext4dio_counters_sum(struct dio_counters *c, size_t offset);
u64 ext4dio_counters_max(struct dio_counters *c, size_t offset);
void ext4dio_counters_reset(struct dio_counters *c);

#endif
