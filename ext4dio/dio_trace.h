/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trace events of the direct write path, in the trace system of the fork.  With the
 * events off each costs a static branch.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ext4dio

#if !defined(EXT4DIO_DIO_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define EXT4DIO_DIO_TRACE_H

#include <linux/tracepoint.h>
#include "dio_count.h"
#include "dio_decide.h"

#ifndef DIO_TRACE_NAMES
#define DIO_TRACE_NAMES
#define DIO_REASON_DEFINE(reason, name)	TRACE_DEFINE_ENUM(DIO_##reason);
#define DIO_REASON_SYMBOL(reason, name)	{ DIO_##reason, #name },
#endif

DIO_REASONS(DIO_REASON_DEFINE)
TRACE_DEFINE_ENUM(DIO_POLICY_OVERLAP);
TRACE_DEFINE_ENUM(DIO_POLICY_SHARED);
TRACE_DEFINE_ENUM(DIO_POLICY_STOCK);

/**
 * ext4dio_dio_decision - a direct write was decided on
 *
 * Once for each direct write that comes to a decision; again after an upgrade.  The
 * flags of @facts are those of struct dio_facts, those of @decision of struct dio_decision.
 */
TRACE_EVENT(ext4dio_dio_decision,
	TP_PROTO(struct inode *inode, loff_t pos, size_t len, enum dio_policy policy,
		 const struct dio_facts *facts, const struct dio_decision *decision),
	TP_ARGS(inode, pos, len, policy, facts, decision),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(loff_t, pos)
		__field(size_t, len)
		__field(int, policy)
		__field(int, reason)
		__field(unsigned int, facts)
		__field(unsigned int, decision)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->pos = pos;
		__entry->len = len;
		__entry->policy = policy;
		__entry->reason = decision->reason;
		__entry->facts = facts->security | facts->extends << 1 |
				 facts->unaligned << 2 | facts->zeroes << 3 |
				 facts->split << 4 | facts->nowait << 5 |
				 facts->unmapped << 6 | facts->scarce << 7 |
				 facts->eof << 8 | facts->mixed << 9 |
				 facts->append << 10 | facts->partial_end << 11 |
				 facts->no_extents << 12 | facts->fast_commit << 13 |
				 facts->tracked << 14 | facts->blank << 15 |
				 facts->waits << 16;
		__entry->decision = decision->refuse | decision->exclusive << 1 |
				    decision->exclusive_io << 2 | decision->drain << 3 |
				    decision->wait << 4 | decision->token << 5;
	),
	TP_printk("dev %d,%d ino %llu pos %lld len %zu policy %s reason %s facts %s decision %s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino, __entry->pos,
		  __entry->len,
		  __print_symbolic(__entry->policy, { DIO_POLICY_OVERLAP, "overlap" },
				   { DIO_POLICY_SHARED, "shared" }, { DIO_POLICY_STOCK, "stock" }),
		  __print_symbolic(__entry->reason, DIO_REASONS(DIO_REASON_SYMBOL) { -1, "" }),
		  __print_flags(__entry->facts, "|", { 1, "security" }, { 2, "extends" },
				{ 4, "unaligned" }, { 8, "zeroes" }, { 16, "split" },
				{ 32, "nowait" }, { 64, "unmapped" }, { 128, "scarce" },
				{ 256, "eof" }, { 512, "mixed" }, { 1024, "append" },
				{ 2048, "partial_end" }, { 4096, "no_extents" },
				{ 8192, "fast_commit" }, { 16384, "tracked" },
				{ 32768, "blank" }, { 65536, "waits" }),
		  __print_flags(__entry->decision, "|", { 1, "refuse" }, { 2, "exclusive" },
				{ 4, "exclusive_io" }, { 8, "drain" }, { 16, "wait" },
				{ 32, "token" }))
);

TRACE_DEFINE_ENUM(DIO_WAIT_LOCK);
TRACE_DEFINE_ENUM(DIO_WAIT_DRAIN);
TRACE_DEFINE_ENUM(DIO_WAIT_TOKEN);

/** ext4dio_dio_wait - a direct write has waited @ns nanoseconds for @kind */
TRACE_EVENT(ext4dio_dio_wait,
	TP_PROTO(struct inode *inode, int kind, u64 ns),
	TP_ARGS(inode, kind, ns),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(u64, ns)
		__field(int, kind)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->ns = ns;
		__entry->kind = kind;
	),
	TP_printk("dev %d,%d ino %llu for %s ns %llu", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->ino,
		  __print_symbolic(__entry->kind, { DIO_WAIT_LOCK, "lock" },
				   { DIO_WAIT_DRAIN, "drain" }, { DIO_WAIT_TOKEN, "token" }),
		  __entry->ns)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE dio_trace
#include <trace/define_trace.h>
