/* SPDX-License-Identifier: GPL-2.0 */
/* What a mount knows of its direct writes: policy, counters, their sysfs folder. */
#ifndef EXT4DIO_DIO_MOUNT_H
#define EXT4DIO_DIO_MOUNT_H

#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/kobject.h>
#include <linux/seq_file.h>
#include "dio_decide.h"
#include "modified.h"

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
 * struct dio_counts - the counters, one set for each CPU
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
 * struct dio_mount - what one mount knows of its direct writes
 * @counts: what happened since the mount
 * @base: what to subtract for what happened since the last reset
 * @base_lock: orders readers of @base and resets
 * @kobj: /sys/fs/ext4dio/DEVICE/dio
 * @released: completed by the last reference to @kobj
 * @sb: whose
 * @times: timestamps on their way to the journal
 * @ahead: allocates ahead
 *
 * Lives from the registration of the mount's sysfs folder, before any file of it can
 * be opened, to its removal at unmount, when none is open any more.
 */
struct dio_mount {
	struct dio_counts __percpu *counts;
	struct dio_counts base;
	struct mutex base_lock;
	struct kobject kobj;
	struct completion released;
	struct super_block *sb;
	struct dio_times times;
	struct workqueue_struct *ahead;
};

/**
 * struct dio_options - the mount options that are ours, on their way to the mount
 * @policy_given: dio_policy= was
 * @ahead_given: dio_ahead= was
 * @applied: those before are set
 * @policy: dio_policy=
 * @policy_before: what it was before, to go back to if a remount fails
 * @ahead: dio_ahead=, in KiB
 * @ahead_before: likewise
 */
struct dio_options {
	bool policy_given;
	bool ahead_given;
	bool applied;
	enum dio_policy policy;
	enum dio_policy policy_before;
	unsigned int ahead;
	unsigned int ahead_before;
};

int ext4dio_dio_mount_add(struct super_block *sb);
void ext4dio_dio_mount_del(struct super_block *sb);

bool ext4dio_dio_parse_option(struct fs_context *fc, struct fs_parameter *param,
			      struct dio_options *options, int *result);
void ext4dio_dio_apply_options(struct super_block *sb, struct dio_options *options);
void ext4dio_dio_revert_options(struct super_block *sb, struct dio_options *options);
void ext4dio_dio_show_options(struct seq_file *seq, struct super_block *sb, int nodefs);

void ext4dio_dio_count_wait(struct inode *inode, enum dio_wait_kind kind, u64 ns);

#endif
