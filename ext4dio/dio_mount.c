// SPDX-License-Identifier: GPL-2.0
/*
 * What a mount knows of its direct writes, its folder in sysfs, and the mount options.
 * What each file means is in ABI/sysfs-fs-ext4dio.
 */
#include <linux/fs_parser.h>
#include <linux/sysfs.h>
#include "ext4dio.h"
#include "compat.h"
#include "dio_ahead.h"
#include "dio_mount.h"

static const char * const dio_policy_names[] = {
	[DIO_POLICY_OVERLAP] = "overlap",
	[DIO_POLICY_SHARED] = "shared",
	[DIO_POLICY_STOCK] = "stock",
};
static_assert(ARRAY_SIZE(dio_policy_names) == DIO_POLICIES);

/* --------------------------------------------------------------------- sysfs */

/* A file of the folder: a counter at @offset of struct dio_counts, or one by itself. */
struct dio_file {
	struct attribute attr;
	size_t offset;
	ssize_t (*show)(struct dio_mount *m, size_t offset, char *buf);
	ssize_t (*store)(struct dio_mount *m, const char *buf, size_t len);
};

/* What the files do; @offset is that of a file's counter in dio_counts, 0 for other files. */
static ssize_t show_sum(struct dio_mount *m, size_t offset, char *buf)
{
	return sysfs_emit(buf, "%llu\n", ext4dio_counters_sum(&m->counters, offset));
}

static ssize_t show_max(struct dio_mount *m, size_t offset, char *buf)
{
	return sysfs_emit(buf, "%llu\n", ext4dio_counters_max(&m->counters, offset));
}

static ssize_t show_policy(struct dio_mount *m, size_t offset, char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  dio_policy_names[READ_ONCE(EXT4_SB(m->sb)->s_dio_policy)]);
}

static ssize_t store_policy(struct dio_mount *m, const char *buf, size_t len)
{
	int policy = sysfs_match_string(dio_policy_names, buf);

	if (policy < 0)
		return policy;
	WRITE_ONCE(EXT4_SB(m->sb)->s_dio_policy, policy);
	return len;
}

static ssize_t show_ahead(struct dio_mount *m, size_t offset, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(EXT4_SB(m->sb)->s_dio_ahead));
}

static ssize_t store_ahead(struct dio_mount *m, const char *buf, size_t len)
{
	unsigned int kib;
	int ret = kstrtouint(buf, 10, &kib);

	if (ret)
		return ret;
	if (kib > DIO_AHEAD_MAX_KIB)
		return -ERANGE;
	if (kib && EXT4DIO_UNWRITTEN_NEEDS_HANDLE)
		return -EOPNOTSUPP;
	WRITE_ONCE(EXT4_SB(m->sb)->s_dio_ahead, kib);
	return len;
}

static ssize_t store_reset(struct dio_mount *m, const char *buf, size_t len)
{
	bool yes;
	int ret = kstrtobool(buf, &yes);

	if (ret || !yes)
		return -EINVAL;
	ext4dio_counters_reset(&m->counters);
	return len;
}

#define DIO_FILE(_name, _mode, _offset, _show, _store)		\
	static struct dio_file dio_file_##_name = {		\
		.attr = { .name = #_name, .mode = _mode },	\
		.offset = _offset,				\
		.show = _show,					\
		.store = _store,				\
	};
#define DIO_COUNTER(_name, _field, _show)	\
	DIO_FILE(_name, 0444, offsetof(struct dio_counts, _field), _show, NULL)
#define DIO_REASON_FILE(reason, name)		\
	DIO_COUNTER(name, writes[DIO_##reason], show_sum)
#define DIO_REASON_ATTR(reason, name)		\
	&dio_file_##name.attr,

DIO_FILE(policy, 0644, 0, show_policy, store_policy)
DIO_FILE(ahead_kib, 0644, 0, show_ahead, store_ahead)
DIO_FILE(reset, 0200, 0, NULL, store_reset)
DIO_REASONS(DIO_REASON_FILE)
DIO_COUNTER(upgrades, upgrades, show_sum)
DIO_COUNTER(fallbacks, fallbacks, show_sum)
DIO_COUNTER(tracked_files, tracked, show_sum)
DIO_COUNTER(handed_over, handed_over, show_sum)
DIO_COUNTER(ahead_blocks, ahead_blocks, show_sum)
DIO_COUNTER(ahead_trimmed, ahead_trimmed, show_sum)
DIO_COUNTER(lock_waits, waits[DIO_WAIT_LOCK], show_sum)
DIO_COUNTER(lock_wait_ns, wait_ns[DIO_WAIT_LOCK], show_sum)
DIO_COUNTER(lock_wait_max_ns, wait_max_ns[DIO_WAIT_LOCK], show_max)
DIO_COUNTER(drain_waits, waits[DIO_WAIT_DRAIN], show_sum)
DIO_COUNTER(drain_wait_ns, wait_ns[DIO_WAIT_DRAIN], show_sum)
DIO_COUNTER(drain_wait_max_ns, wait_max_ns[DIO_WAIT_DRAIN], show_max)
DIO_COUNTER(token_waits, waits[DIO_WAIT_TOKEN], show_sum)
DIO_COUNTER(token_wait_ns, wait_ns[DIO_WAIT_TOKEN], show_sum)
DIO_COUNTER(token_wait_max_ns, wait_max_ns[DIO_WAIT_TOKEN], show_max)

static struct attribute *dio_attrs[] = {
	&dio_file_policy.attr,
	&dio_file_ahead_kib.attr,
	&dio_file_reset.attr,
	DIO_REASONS(DIO_REASON_ATTR)
	&dio_file_upgrades.attr,
	&dio_file_fallbacks.attr,
	&dio_file_tracked_files.attr,
	&dio_file_handed_over.attr,
	&dio_file_ahead_blocks.attr,
	&dio_file_ahead_trimmed.attr,
	&dio_file_lock_waits.attr,
	&dio_file_lock_wait_ns.attr,
	&dio_file_lock_wait_max_ns.attr,
	&dio_file_drain_waits.attr,
	&dio_file_drain_wait_ns.attr,
	&dio_file_drain_wait_max_ns.attr,
	&dio_file_token_waits.attr,
	&dio_file_token_wait_ns.attr,
	&dio_file_token_wait_max_ns.attr,
	NULL
};
ATTRIBUTE_GROUPS(dio);

static ssize_t dio_show(struct kobject *kobj, struct attribute *attr, char *buf)
{
	struct dio_file *file = container_of(attr, struct dio_file, attr);

	/* Root can change the mode of a file that is only written. */
	if (!file->show)
		return -EIO;
	return file->show(container_of(kobj, struct dio_mount, kobj), file->offset, buf);
}

static ssize_t dio_store(struct kobject *kobj, struct attribute *attr, const char *buf,
			 size_t len)
{
	struct dio_file *file = container_of(attr, struct dio_file, attr);

	/* As above, of one that is only read. */
	if (!file->store)
		return -EIO;
	return file->store(container_of(kobj, struct dio_mount, kobj), buf, len);
}

static const struct sysfs_ops dio_sysfs_ops = {
	.show = dio_show,
	.store = dio_store,
};

/* The last reader of a file has gone: dio_mount_free() may free the mount. */
static void dio_released(struct kobject *kobj)
{
	complete(&container_of(kobj, struct dio_mount, kobj)->released);
}

static const struct kobj_type dio_ktype = {
	.default_groups = dio_groups,
	.sysfs_ops = &dio_sysfs_ops,
	.release = dio_released,
};

/* Drop @m, whose kobject was initialised; nobody reads or writes its files then. */
static void dio_mount_free(struct dio_mount *m)
{
	kobject_put(&m->kobj);
	wait_for_completion(&m->released);
	ext4dio_times_exit(&m->times);
	destroy_workqueue(m->ahead);
	ext4dio_counters_exit(&m->counters);
	kfree(m);
}

/**
 * ext4dio_mount_add - set up counters and the folder "dio" of a new mount
 * @sb: the mount's; its own sysfs folder has just been registered
 *
 * Context: process context, at mount, before a file can be opened.
 * Return: 0, or an error, after which the mount's own folder is gone as well, as the
 * caller, which registers it, promises of errors.
 */
int ext4dio_mount_add(struct super_block *sb)
{
	struct ext4dio_sb_info *sbi = EXT4_SB(sb);
	struct dio_mount *m = kzalloc(sizeof(*m), GFP_KERNEL);
	int err = -ENOMEM;

	if (!m)
		goto undo;
	/* (A close waits for it, also one that memory reclaim waits for.) */
	m->ahead = alloc_workqueue("ext4dio-ahead/%s", WQ_MEM_RECLAIM | WQ_UNBOUND, 0, sb->s_id);
	if (ext4dio_counters_init(&m->counters) || !m->ahead ||
	    ext4dio_times_init(&m->times, sb)) {
		if (m->ahead)
			destroy_workqueue(m->ahead);
		ext4dio_counters_exit(&m->counters);
		kfree(m);
		goto undo;
	}
	m->sb = sb;
	init_completion(&m->released);
	err = kobject_init_and_add(&m->kobj, &dio_ktype, &sbi->s_kobj, "dio");
	if (err) {
		dio_mount_free(m);
		goto undo;
	}
	sbi->s_dio = m;
	return 0;
undo:
	ext4dio_unregister_sysfs(sb);
	kobject_put(&sbi->s_kobj);
	wait_for_completion(&sbi->s_kobj_unregister);
	return err;
}

/**
 * ext4dio_mount_del - undo ext4dio_mount_add()
 * @sb: the mount's; called before its own folder goes, also where there is nothing to undo
 *
 * Context: process context, at unmount, when no file is open; sleeps until nobody reads
 * or writes the folder's files.
 */
void ext4dio_mount_del(struct super_block *sb)
{
	struct dio_mount *m = EXT4_SB(sb)->s_dio;

	if (!m)
		return;
	EXT4_SB(sb)->s_dio = NULL;
	kobject_del(&m->kobj);
	dio_mount_free(m);
}

/* -------------------------------------------------------------- mount option */

enum { OPT_DIO_POLICY, OPT_DIO_AHEAD };

static const struct fs_parameter_spec dio_params[] = {
	fsparam_string("dio_policy", OPT_DIO_POLICY),
	fsparam_u32("dio_ahead", OPT_DIO_AHEAD),
	{}
};

/* dio_ahead=KIB; 0 or an error. */
static int parse_ahead(struct fs_context *fc, unsigned int kib, struct dio_options *options)
{
	if (kib > DIO_AHEAD_MAX_KIB)
		return invalf(fc, "EXT4DIO-fs: dio_ahead=%u: at most %u (KiB)", kib,
			      DIO_AHEAD_MAX_KIB);
	if (kib && EXT4DIO_UNWRITTEN_NEEDS_HANDLE)
		return invalf(fc, "EXT4DIO-fs: dio_ahead needs Linux 7.0 or later, see ext4dio(5)");
	options->ahead_given = true;
	options->ahead = kib;
	return 0;
}

/**
 * ext4dio_own_option_parse - take a mount option if it is ours
 * @fc: of the mount or remount
 * @param: the option
 * @options: where its value goes
 * @result: 0 or an error, if it is ours
 *
 * Return: true if it is ours.
 */
bool ext4dio_own_option_parse(struct fs_context *fc, struct fs_parameter *param,
			      struct dio_options *options, int *result)
{
	struct fs_parse_result parsed;
	int opt = fs_parse(fc, dio_params, param, &parsed);

	if (opt == -ENOPARAM)
		return false;
	*result = opt;
	if (opt < 0)
		return true;
	if (opt == OPT_DIO_AHEAD) {
		*result = parse_ahead(fc, parsed.uint_32, options);
		return true;
	}
	*result = match_string(dio_policy_names, ARRAY_SIZE(dio_policy_names), param->string);
	if (*result < 0) {
		*result = invalf(fc, "EXT4DIO-fs: dio_policy=%s: expected overlap, shared or stock",
				 param->string);
		return true;
	}
	options->policy_given = true;
	options->policy = *result;
	*result = 0;
	return true;
}

/**
 * ext4dio_own_options_apply - put what was given into effect
 * @sb: the mount's
 * @options: as parsed
 *
 * A policy that changes while writes run meets each write before or after its decision.
 * Writes of all policies are safe beside each other: what the policy of one takes tokens for,
 * those of the others take them for as well, or wait until nothing is in flight.
 */
void ext4dio_own_options_apply(struct super_block *sb, struct dio_options *options)
{
	struct ext4dio_sb_info *sbi = EXT4_SB(sb);

	options->policy_before = sbi->s_dio_policy;
	options->ahead_before = sbi->s_dio_ahead;
	options->applied = true;
	if (options->policy_given)
		WRITE_ONCE(sbi->s_dio_policy, options->policy);
	if (options->ahead_given)
		WRITE_ONCE(sbi->s_dio_ahead, options->ahead);
}

/**
 * ext4dio_own_options_revert - undo ext4dio_own_options_apply() after a failed remount
 * @sb: the mount's
 * @options: as applied, or not
 */
void ext4dio_own_options_revert(struct super_block *sb, struct dio_options *options)
{
	if (!options->applied)
		return;
	if (options->policy_given)
		WRITE_ONCE(EXT4_SB(sb)->s_dio_policy, options->policy_before);
	if (options->ahead_given)
		WRITE_ONCE(EXT4_SB(sb)->s_dio_ahead, options->ahead_before);
}

/**
 * ext4dio_own_options_show - for /proc/mounts and /proc/fs/ext4dio/DEVICE/options
 * @seq: where to
 * @sb: the mount's
 * @nodefs: show what is the default as well, a line each
 */
void ext4dio_own_options_show(struct seq_file *seq, struct super_block *sb, int nodefs)
{
	enum dio_policy policy = READ_ONCE(EXT4_SB(sb)->s_dio_policy);
	unsigned int ahead = READ_ONCE(EXT4_SB(sb)->s_dio_ahead);

	if (nodefs || policy != DIO_POLICY_OVERLAP)
		seq_printf(seq, "%cdio_policy=%s", nodefs ? '\n' : ',',
			   dio_policy_names[policy]);
	if (nodefs || ahead)
		seq_printf(seq, "%cdio_ahead=%u", nodefs ? '\n' : ',', ahead);
}
