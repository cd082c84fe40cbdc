// SPDX-License-Identifier: GPL-2.0
/*
 * The counters of a mount's direct writes.
 *
 * They only ever grow, so that no increment can be lost to a reset; what they were then is
 * subtracted from there on.
 */
#include "ext4dio.h"
#include "dio_count.h"
#include "dio_mount.h"
#include "dio_trace.h"

/**
 * ext4dio_count_wait - count and trace that a direct write had to wait
 * @inode: what it writes to
 * @kind: for what
 * @since: when that began
 *
 * Context: any; does not sleep.
 */
void ext4dio_count_wait(struct inode *inode, enum dio_wait_kind kind, ktime_t since)
{
	struct dio_counters *counters = &EXT4_SB(inode->i_sb)->s_dio->counters;
	u64 ns = ktime_to_ns(ktime_sub(ktime_get(), since));
	struct dio_counts *c;

	dio_count(inode, waits[kind]);
	dio_count_add(inode, wait_ns[kind], ns);
	c = get_cpu_ptr(counters->counts);
	if (ns > c->wait_max_ns[kind])
		WRITE_ONCE(c->wait_max_ns[kind], ns);
	put_cpu_ptr(counters->counts);
	trace_ext4dio_dio_wait(inode, kind, ns);
}

/* Of one CPU. */
static u64 count_of(struct dio_counters *c, size_t offset, int cpu)
{
	return READ_ONCE(*(u64 *)((void *)per_cpu_ptr(c->counts, cpu) + offset));
}

/* Since the mount, of all CPUs. */
static u64 count_ever(struct dio_counters *c, size_t offset)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += count_of(c, offset, cpu);
	return sum;
}

/**
 * ext4dio_counters_sum - one counter, over all CPUs, since the last reset
 * @c: the counters
 * @offset: which, as its offset in struct dio_counts
 *
 * Context: process context; sleeps.
 */
u64 ext4dio_counters_sum(struct dio_counters *c, size_t offset)
{
	u64 sum;

	mutex_lock(&c->base_lock);
	sum = count_ever(c, offset) - *(u64 *)((void *)&c->base + offset);
	mutex_unlock(&c->base_lock);
	return sum;
}

/**
 * ext4dio_counters_max - one maximum, over all CPUs, since the last reset
 * @c: the counters
 * @offset: which, as its offset in struct dio_counts
 *
 * Context: any.
 */
u64 ext4dio_counters_max(struct dio_counters *c, size_t offset)
{
	u64 max = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		max = max_t(u64, max, count_of(c, offset, cpu));
	return max;
}

/**
 * ext4dio_counters_reset - start from zero
 * @c: the counters
 *
 * A maximum is cleared in place: one that is set in the same moment may be lost or kept.
 *
 * Context: process context; sleeps.
 */
void ext4dio_counters_reset(struct dio_counters *c)
{
	enum dio_wait_kind kind;
	size_t offset;
	int cpu;

	mutex_lock(&c->base_lock);
	for (offset = 0; offset < sizeof(c->base); offset += sizeof(u64))
		*(u64 *)((void *)&c->base + offset) = count_ever(c, offset);
	for_each_possible_cpu(cpu)
		for (kind = 0; kind < DIO_WAIT_KINDS; kind++)
			WRITE_ONCE(per_cpu_ptr(c->counts, cpu)->wait_max_ns[kind], 0);
	mutex_unlock(&c->base_lock);
}

/**
 * ext4dio_counters_init - set up the counters of a mount
 * @c: zeroed
 *
 * Return: 0, or -ENOMEM.
 */
int ext4dio_counters_init(struct dio_counters *c)
{
	mutex_init(&c->base_lock);
	c->counts = alloc_percpu(struct dio_counts);
	return c->counts ? 0 : -ENOMEM;
}

/**
 * ext4dio_counters_exit - undo ext4dio_counters_init(), also where it failed
 * @c: the counters; nobody counts any more
 */
void ext4dio_counters_exit(struct dio_counters *c)
{
	free_percpu(c->counts);
}
