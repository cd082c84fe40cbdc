// SPDX-License-Identifier: GPL-2.0
/* The decision; see dio_decide.h for the terms, doc/design.md for the table. */
#include "dio_decide.h"

/* What stands against the shared lock for a write that extends the file. */
static enum dio_reason dio_extend_reason(enum dio_policy policy, const struct dio_facts *f)
{
	if (policy != DIO_POLICY_OVERLAP)
		return DIO_EXCL_EXTEND;
	if (f->append)
		return DIO_EXCL_APPEND;
	if (f->partial_end)
		return DIO_EXCL_PARTIAL_END;
	if (f->no_extents)
		return DIO_EXCL_NO_EXTENTS;
	if (f->fast_commit)
		return DIO_EXCL_FAST_COMMIT;
	return DIO_SHARED_EXTEND;
}

/* What stands against it for one that has part of a block zeroed. */
static enum dio_reason dio_zeroing_reason(enum dio_policy policy, const struct dio_facts *f)
{
	if (policy != DIO_POLICY_OVERLAP)
		return DIO_EXCL_ZEROING;
	if (f->partial_end)
		return DIO_EXCL_PARTIAL_END;
	if (f->no_extents)
		return DIO_EXCL_NO_EXTENTS;
	return f->tracked ? DIO_SHARED_ZEROING : DIO_EXCL_ZEROING;
}

/* The first fact that stands against the shared lock; or how it is shared. */
static enum dio_reason dio_reason(enum dio_policy policy, const struct dio_facts *f)
{
	enum dio_reason shared = DIO_SHARED;

	if (f->security)
		return f->nowait ? DIO_AGAIN_SECURITY : DIO_EXCL_SECURITY;
	if (f->extends) {
		shared = dio_extend_reason(policy, f);
		if (shared != DIO_SHARED_EXTEND || (f->nowait && f->waits))
			return f->nowait ? DIO_AGAIN_EXTEND : shared;
	}
	if (f->unaligned && f->zeroes) {
		shared = dio_zeroing_reason(policy, f);
		if (shared != DIO_SHARED_ZEROING || (f->nowait && f->waits))
			return f->nowait ? DIO_AGAIN_ZEROING : shared;
	}
	if (f->mixed)
		return f->nowait ? DIO_AGAIN_ATOMIC : DIO_EXCL_ATOMIC;
	if (f->scarce)
		return f->nowait ? DIO_AGAIN_SCARCE : DIO_EXCL_SCARCE;
	if (f->split)
		return f->nowait ? DIO_AGAIN_SPLIT : DIO_EXCL_SPLIT;
	if (f->nowait && f->eof)
		return DIO_AGAIN_EOF;
	if (f->nowait && f->unmapped)
		return DIO_AGAIN_UNMAPPED;
	return shared;
}

/**
 * ext4dio_decide - decide how a direct write has to run
 * @policy: of the mount
 * @facts: what is known of it
 *
 * The reason names the first fact that stands against the shared lock; what has
 * to be done follows from all of them: a write that drops privileges and extends
 * the file as well is waited for like any extending one.
 *
 * %DIO_POLICY_STOCK only adds to that, what stock ext4 does: it keeps the lock that it
 * has taken exclusively for the I/O as well, drains before every unaligned write to a
 * range that is split, and waits for every unaligned write that is exclusive.
 *
 * Context: any; the answer holds as long as the facts do, that is while i_rwsem
 * is held at least shared.
 * Return: the decision.
 */
struct dio_decision ext4dio_decide(enum dio_policy policy, const struct dio_facts *facts)
{
	struct dio_decision d = { .reason = dio_reason(policy, facts) };
	bool zeroes = facts->unaligned && facts->zeroes;
	/* Blocks of others are zeroed: those must not be in flight. */
	bool drain = facts->mixed || facts->scarce ||
		     (zeroes && dio_zeroing_reason(policy, facts) != DIO_SHARED_ZEROING);
	bool alone = facts->extends && dio_extend_reason(policy, facts) != DIO_SHARED_EXTEND;

	if (facts->nowait) {
		d.refuse = d.reason != DIO_SHARED && d.reason != DIO_SHARED_EXTEND &&
			   d.reason != DIO_SHARED_ZEROING;
		d.wait = !d.refuse && (facts->extends || zeroes);
		d.token = facts->blank && !d.refuse;
		return d;
	}
	d.exclusive_io = alone || drain;
	d.exclusive = facts->security || facts->split || d.exclusive_io;
	d.drain = drain;
	/* i_size moves when the data is on disk, and a partly zeroed block belongs to it alone. */
	d.wait = d.exclusive_io || facts->extends || zeroes || facts->eof;
	if (policy == DIO_POLICY_STOCK) {
		d.exclusive_io = d.exclusive;
		d.drain |= facts->unaligned && facts->split;
		d.wait |= d.exclusive && (facts->unaligned || facts->extends);
	}
	/* One in flight when the lock is dropped can meet another that was decided otherwise. */
	d.token = facts->blank && !(d.exclusive_io && d.wait);
	return d;
}
