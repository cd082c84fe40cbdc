/* SPDX-License-Identifier: GPL-2.0 */
/* What a mount knows of its direct writes: policy, counters, their folder in sysfs. */
#ifndef EXT4DIO_DIO_MOUNT_H
#define EXT4DIO_DIO_MOUNT_H

#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/kobject.h>
#include <linux/seq_file.h>
#include "dio_count.h"
#include "dio_decide.h"
#include "modified.h"

/**
 * struct dio_mount - what one mount knows of its direct writes
 * @counters: what happened to them
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
	struct dio_counters counters;
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

int ext4dio_mount_add(struct super_block *sb);
void ext4dio_mount_del(struct super_block *sb);

bool ext4dio_own_option_parse(struct fs_context *fc, struct fs_parameter *param,
			      struct dio_options *options, int *result);
void ext4dio_own_options_apply(struct super_block *sb, struct dio_options *options);
void ext4dio_own_options_revert(struct super_block *sb, struct dio_options *options);
void ext4dio_own_options_show(struct seq_file *seq, struct super_block *sb, int nodefs);

#endif
