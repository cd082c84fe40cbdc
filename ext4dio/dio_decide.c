// SPDX-License-Identifier: GPL-2.0
/* The layered decision of SPEC section 2; see dio_decide.h for the terms. */
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

/* The first fact that stands against the shared lock. */
static enum dio_reason dio_reason(enum dio_policy policy, const struct dio_facts *f)
{
	enum dio_reason extend = dio_extend_reason(policy, f);

	if (f->security)
		return f->nowait ? DIO_AGAIN_SECURITY : DIO_EXCL_SECURITY;
	if (f->extends && f->nowait)
		return DIO_AGAIN_EXTEND;
	if (f->extends && extend != DIO_SHARED_EXTEND)
		return extend;
	if (f->unaligned && f->zeroes)
		return f->nowait ? DIO_AGAIN_ZEROING : DIO_EXCL_ZEROING;
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
	return f->extends ? DIO_SHARED_EXTEND : DIO_SHARED;
}

/**
 * ext4dio_dio_decide - decide how a direct write has to run
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
struct dio_decision ext4dio_dio_decide(enum dio_policy policy, const struct dio_facts *facts)
{
	struct dio_decision d = { .reason = dio_reason(policy, facts) };
	/* Blocks of others are zeroed: those must not be in flight. */
	bool zeroes = (facts->unaligned && facts->zeroes) || facts->mixed;
	/* It is waited for in any case: i_size moves when the data is on disk. */
	bool alone = facts->extends && dio_extend_reason(policy, facts) != DIO_SHARED_EXTEND;

	if (facts->nowait) {
		d.again = d.reason != DIO_SHARED;
		return d;
	}
	d.exclusive_io = alone || zeroes || facts->scarce;
	d.exclusive = facts->security || facts->split || d.exclusive_io;
	d.drain = zeroes || facts->scarce;
	d.wait = d.exclusive_io || facts->extends || facts->eof;
	if (policy == DIO_POLICY_STOCK) {
		d.exclusive_io = d.exclusive;
		d.drain |= facts->unaligned && facts->split;
		d.wait |= d.exclusive && (facts->unaligned || facts->extends);
	}
	return d;
}
