// SPDX-License-Identifier: GPL-2.0
/*
 * Every combination of the facts against the rules (doc/design.md), which are written down
 * here a second time, one by one, as statements about the answer.
 */
#include <stdio.h>
#include "../ext4dio/dio_decide.h"

static int bad;

static void must(bool holds, const char *rule, const struct dio_facts *f)
{
	if (holds)
		return;
	bad++;
	printf("# %s: append %d partial_end %d no_extents %d fast_commit %d tracked %d blank %d\n",
	       rule, f->append, f->partial_end, f->no_extents, f->fast_commit, f->tracked,
	       f->blank);
	printf("# %s: security %d extends %d unaligned %d zeroes %d mixed %d scarce %d split %d "
	       "eof %d waits %d nowait %d unmapped %d\n", rule, f->security, f->extends,
	       f->unaligned, f->zeroes, f->mixed, f->scarce, f->split, f->eof, f->waits,
	       f->nowait, f->unmapped);
}

/*
 * What holds under every policy.  @alone: for it, what extends the file is exclusive; @zeroing:
 * what zeroes part of a block.
 */
static void check(const struct dio_facts *f, const struct dio_decision *d, bool alone,
		  bool zeroing)
{
	bool zeroes = f->unaligned && f->zeroes;
	bool before;

	/* What keeps the lock must be AIO, or is waited for, which NOWAIT is not. */
	alone |= f->nowait && f->waits;
	zeroing |= f->nowait && f->waits && zeroes;
	/* NOWAIT: the upgrade, the drain, the wait and an allocation are each -EAGAIN. */
	if (f->nowait) {
		must(d->refuse == (f->security || (f->extends && alone) || zeroing || f->mixed ||
				  f->scarce || f->split || f->eof || f->unmapped),
		     "NOWAIT is refused exactly where it would wait", f);
		must(!d->exclusive && !d->exclusive_io && !d->drain,
		     "NOWAIT never upgrades or drains", f);
		must(d->wait == (!d->refuse && (f->extends || zeroes)),
		     "it keeps the lock where others do", f);
		must(d->refuse == (d->reason != DIO_SHARED && d->reason != DIO_SHARED_EXTEND &&
				  d->reason != DIO_SHARED_ZEROING), "a refusal has a reason", f);
	} else {
		must(!d->refuse, "only NOWAIT is refused", f);
		/* 1. */
		must(!f->security || d->exclusive, "security is checked exclusively", f);
		/* 2. */
		must(!f->extends || d->wait, "an extending write is waited for", f);
		must(!f->extends || !alone || d->exclusive_io, "and exclusive", f);
		must(!zeroes || d->wait, "zeroing is waited for", f);
		must(!zeroing || (d->exclusive_io && d->drain), "and exclusive, and drains", f);
		must(!f->eof || d->wait, "what touches the last block is waited for", f);
		must(!f->mixed || (d->exclusive_io && d->drain && d->wait),
		     "so is an atomic write to more than one extent", f);
		must(!d->exclusive_io || d->exclusive, "exclusive I/O has exclusive checks", f);
		must(!f->scarce || (d->exclusive_io && d->drain && d->wait),
		     "where blocks are scarce it is exclusive, drains and is waited for", f);
		must(d->exclusive ==
		     (d->reason != DIO_SHARED && d->reason != DIO_SHARED_EXTEND &&
		      d->reason != DIO_SHARED_ZEROING), "an exclusive lock has a reason", f);
		must(zeroes || d->reason != DIO_SHARED_ZEROING, "who zeroes zeroes", f);
		must(!zeroes || d->reason != DIO_SHARED, "and is counted so", f);
		must(f->extends || d->reason != DIO_SHARED_EXTEND, "who extends extends", f);
		must(!f->extends || d->reason != DIO_SHARED, "and is counted so", f);
	}

	must(d->token == (f->blank && !d->refuse && !(d->exclusive_io && d->wait)),
	     "what others can meet and is not all written takes a token", f);

	/* The reason is the first fact in the order of the layers. */
	must(!f->security || d->reason == (f->nowait ? DIO_AGAIN_SECURITY : DIO_EXCL_SECURITY),
	     "security is named first", f);
	alone &= f->extends;
	must(f->security || !alone || !f->nowait || d->reason == DIO_AGAIN_EXTEND,
	     "then extension", f);
	must(f->security || alone || !zeroing || !f->nowait || d->reason == DIO_AGAIN_ZEROING,
	     "then zeroing", f);
	before = f->security || alone || zeroing;
	must(before || !f->mixed || d->reason == (f->nowait ? DIO_AGAIN_ATOMIC : DIO_EXCL_ATOMIC),
	     "then atomic", f);
	before |= f->mixed;
	must(before || !f->scarce || d->reason == (f->nowait ? DIO_AGAIN_SCARCE : DIO_EXCL_SCARCE),
	     "then scarce blocks", f);
	before |= f->scarce;
	must(before || !f->split || d->reason == (f->nowait ? DIO_AGAIN_SPLIT : DIO_EXCL_SPLIT),
	     "then what stock ext4 does not see", f);
	before |= f->split;
	must(before || !(f->nowait && f->eof) || d->reason == DIO_AGAIN_EOF,
	     "then the last block", f);
	must(before || f->eof || !(f->nowait && f->unmapped) || d->reason == DIO_AGAIN_UNMAPPED,
	     "then missing blocks", f);
}

/* The rule of Linux 7.3; @f->split is never set. */
static void check_shared(const struct dio_facts *f)
{
	struct dio_decision d = ext4dio_decide(DIO_POLICY_SHARED, f);
	bool zeroing = f->unaligned && f->zeroes;

	check(f, &d, true, zeroing);
	must(f->security || !f->extends || f->nowait || d.reason == DIO_EXCL_EXTEND,
	     "extension is named second", f);
	must(f->security || f->extends || !zeroing || f->nowait || d.reason == DIO_EXCL_ZEROING,
	     "zeroing third", f);
	if (f->nowait)
		return;
	/* 3. */
	must(f->security || f->extends || f->unaligned || f->mixed || f->scarce || !d.exclusive,
	     "aligned and not extending is shared", f);
	/* 4. */
	must(f->security || f->extends || f->mixed || f->scarce || !f->unaligned ||
	     d.exclusive == f->zeroes,
	     "unaligned is exclusive exactly if a block is zeroed", f);
	must(d.wait == (f->extends || zeroing || f->mixed || f->scarce || f->eof),
	     "nothing else is waited for, security included", f);
	must(!d.drain || zeroing || f->mixed || f->scarce, "only zeroing drains", f);
}

/* Stock ext4 up to 7.2, made safe where it was not. */
static void check_stock(const struct dio_facts *f)
{
	struct dio_facts without = *f;
	struct dio_decision d = ext4dio_decide(DIO_POLICY_STOCK, f), shared;

	without.split = false;
	shared = ext4dio_decide(DIO_POLICY_SHARED, &without);
	check(f, &d, true, f->unaligned && f->zeroes);
	must(f->security || !f->extends || f->nowait || d.reason == DIO_EXCL_EXTEND,
	     "extension is named second", f);
	must(d.refuse >= shared.refuse && d.exclusive >= shared.exclusive &&
	     d.exclusive_io >= shared.exclusive_io && d.drain >= shared.drain &&
	     d.wait >= shared.wait, "stock is never laxer than shared", f);
	if (f->nowait)
		return;
	must(!f->split || d.exclusive, "stock: more than one extent is exclusive", f);
	must(d.exclusive_io == d.exclusive, "stock: an exclusive lock is kept", f);
	must(d.drain == (f->mixed || f->scarce || (f->unaligned && (f->zeroes || f->split))),
	     "stock: unaligned drains unless it overwrites", f);
	must(d.wait == (f->mixed || f->scarce || f->eof ||
			(d.exclusive && (f->unaligned || f->extends))),
	     "stock: unaligned and exclusive is waited for", f);
}

/*
 * The rule of ours: as shared, but that what extends in whole pages and blocks is shared, and what
 * zeroes in a file with tokens.
 */
static void check_overlap(const struct dio_facts *f)
{
	struct dio_decision d = ext4dio_decide(DIO_POLICY_OVERLAP, f);
	struct dio_decision shared = ext4dio_decide(DIO_POLICY_SHARED, f);
	bool alone = f->append || f->partial_end || f->no_extents || f->fast_commit;
	enum dio_reason why = f->append ? DIO_EXCL_APPEND :
			      f->partial_end ? DIO_EXCL_PARTIAL_END :
			      f->no_extents ? DIO_EXCL_NO_EXTENTS : DIO_EXCL_FAST_COMMIT;
	bool zeroes = f->unaligned && f->zeroes;
	bool zeroing = zeroes && (!f->tracked || f->partial_end || f->no_extents);
	bool other = zeroing || f->mixed || f->scarce;

	check(f, &d, alone, zeroing);
	must(f->nowait || d.wait == shared.wait, "overlap: waited for as shared", f);
	must(d.refuse <= shared.refuse, "overlap: refused where shared is, at most", f);
	must(f->extends || zeroes ||
	     (d.exclusive == shared.exclusive && d.exclusive_io == shared.exclusive_io &&
	      d.drain == shared.drain && d.reason == shared.reason),
	     "overlap: only extension and zeroing are others", f);
	must(d.refuse || other || f->security || (f->extends && alone) ||
	     d.reason == (zeroes ? DIO_SHARED_ZEROING :
			  f->extends ? DIO_SHARED_EXTEND : DIO_SHARED),
	     "overlap: what is shared is counted so", f);
	if (f->nowait)
		return;
	must(d.drain == other, "overlap: who zeroes without tokens drains", f);
	must(d.exclusive_io == ((f->extends && alone) || other),
	     "overlap: shared if nothing is against it", f);
	if (f->security)
		return;
	if (f->extends && alone) {
		must(d.reason == why, "overlap: and what is is named", f);
		return;
	}
	if (zeroing)
		must(d.reason == (f->partial_end ? DIO_EXCL_PARTIAL_END :
				  f->no_extents ? DIO_EXCL_NO_EXTENTS : DIO_EXCL_ZEROING),
		     "overlap: so is what is for zeroing", f);
}

int main(void)
{
	unsigned int i;

	for (i = 0; i < 131072; i++) {
		struct dio_facts f = {
			.security = i & 1, .extends = i & 2, .unaligned = i & 4,
			.zeroes = i & 8, .nowait = i & 16, .unmapped = i & 32, .split = i & 64,
			.scarce = i & 128, .eof = i & 256, .mixed = i & 512,
			.append = i & 1024, .partial_end = i & 2048, .no_extents = i & 4096,
			.fast_commit = i & 8192, .tracked = i & 16384, .blank = i & 32768,
			.waits = i & 65536,
		};

		check_stock(&f);
		if (f.split)
			continue;
		check_shared(&f);
		check_overlap(&f);
	}
	printf("%sok 1 - all %u combinations of the facts are decided by the rules\n1..1\n",
	       bad ? "not " : "", i);
	return bad != 0;
}
