/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What lock a direct write needs, and why: a pure function of the facts.
 *
 * The facts are gathered in one place (dio_write.c, under i_rwsem), judged here,
 * and acted on in a third.  Nothing here knows of inodes or locks, so that
 * tests/decide.c can try every combination in user space.
 */
#ifndef EXT4DIO_DIO_DECIDE_H
#define EXT4DIO_DIO_DECIDE_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#endif

/**
 * enum dio_policy - by which rule a mount decides
 * @DIO_POLICY_OVERLAP: shared wherever that is sound, also where the file grows or part of a
 *                      block is zeroed; the default
 * @DIO_POLICY_SHARED: the rule of Linux 7.3: shared unless the write extends the file, zeroes
 *                     part of a block or drops privileges
 * @DIO_POLICY_STOCK: as stock ext4 before Linux 7.3: shared only where one lookup finds
 *                    all of the range in one extent of one kind (before 6.4: of the kind
 *                    written, and the write is aligned).  What a write must be exclusive
 *                    for under the other policy, it is exclusive for here.
 */
enum dio_policy {
	DIO_POLICY_OVERLAP,
	DIO_POLICY_SHARED,
	DIO_POLICY_STOCK,
	DIO_POLICIES,
};

/**
 * struct dio_facts - what is known of one direct write under i_rwsem
 * @security: file privileges (suid, sgid, capabilities) may have to be dropped
 * @extends: it ends past i_size or past i_disksize
 * @append: with O_APPEND; true only where @extends is
 * @partial_end: it extends, and begins or ends, or the file ends, within a block or a page; or
 *               it zeroes the rest of the block that EOF lies in
 * @no_extents: the inode maps its blocks without extents; true only where it extends or zeroes
 * @fast_commit: the mount uses fast commits; true only where @extends is
 * @unaligned: offset or length is no multiple of the file system block size
 * @zeroes: iomap would zero the rest of a partly covered block; looked up, and
 *          true, only for unaligned writes
 * @tracked: writes to this file take tokens, see dio_token.c
 * @blank: some block of the range is not written; looked up, and true, only where @tracked is
 * @mixed: an atomic write (RWF_ATOMIC) that extends, or one of several blocks, and one lookup
 *         does not find all of them in one extent: what is not written would be zeroed first
 * @scarce: its conversion may find no block for the extent tree and have to zero the rest
 *          of the extent: some block of the range is not written, and there are few free
 *          blocks, or that has happened already
 * @split: stock ext4 does not take it for an overwrite of one extent; looked up, and
 *         true, only under %DIO_POLICY_STOCK
 * @eof: it does not extend, but touches the block, or the page if that is larger, that
 *       the end of the file lies in, and the caller would not wait for it by itself
 * @waits: it is asynchronous, but no AIO: where it extends or zeroes part of a block it is waited
 *         for, see dio_can_hand_over() in dio_write.c
 * @nowait: IOCB_NOWAIT
 * @unmapped: some block of the range needs an allocation or a journal handle;
 *            looked up, and true, only for IOCB_NOWAIT
 */
struct dio_facts {
	bool security;
	bool extends;
	bool append;
	bool partial_end;
	bool no_extents;
	bool fast_commit;
	bool unaligned;
	bool zeroes;
	bool tracked;
	bool blank;
	bool mixed;
	bool scarce;
	bool split;
	bool eof;
	bool waits;
	bool nowait;
	bool unmapped;
};

/**
 * DIO_REASONS - every way a direct write can go, with its name in sysfs and traces
 * @R: macro that is given the part after DIO_ of each &enum dio_reason, and the name
 *
 * Each direct write is counted under one of them.  The AGAIN ones are refused with
 * -EAGAIN because of IOCB_NOWAIT, before anything is written:
 *
 *	SHARED		nothing stands against the shared lock
 *	SHARED_EXTEND	nor does it where the file grows (%DIO_POLICY_OVERLAP)
 *	SHARED_ZEROING	nor where part of a block is zeroed (%DIO_POLICY_OVERLAP)
 *	EXCL_SECURITY	exclusive for the check that drops privileges
 *	EXCL_EXTEND	exclusive because the file grows (other policies)
 *	EXCL_APPEND	exclusive because it is to go where the file ends (O_APPEND)
 *	EXCL_PARTIAL_END exclusive because the file grows from, to or by part of a block or page,
 *			or is zeroed up to a part of a block
 *	EXCL_NO_EXTENTS	exclusive because a file without extents grows or has part of a block
 *			zeroed
 *	EXCL_FAST_COMMIT exclusive because the file grows on a mount with fast commits
 *	EXCL_ZEROING	exclusive because part of a block is zeroed, for the first time in this
 *			file (or under the other policies)
 *	EXCL_ATOMIC	exclusive because it is atomic and blocks of it are zeroed first
 *	EXCL_SCARCE	exclusive because blocks are scarce, see zeroout.c
 *	EXCL_SPLIT	exclusive because stock ext4 is (%DIO_POLICY_STOCK)
 *	AGAIN_SECURITY	would be EXCL_SECURITY
 *	AGAIN_EXTEND	would be EXCL_EXTEND, or waited for
 *	AGAIN_ZEROING	would be EXCL_ZEROING, or waited for
 *	AGAIN_ATOMIC	would be EXCL_ATOMIC
 *	AGAIN_SCARCE	would be EXCL_SCARCE
 *	AGAIN_SPLIT	would be EXCL_SPLIT
 *	AGAIN_EOF	would be SHARED, but waited for, because it touches the last block
 *	AGAIN_TOKEN	another write in flight has part of one of its blocks zeroed
 *	AGAIN_UNMAPPED	part of the range has no block to write to, or none that is known
 *			without sleeping
 *	AGAIN_LOCK	somebody holds i_rwsem
 *	AGAIN_TIME	a timestamp is due, and with it the change counter, in a journal handle
 *	BUFFERED	the file does not do direct I/O: journalled data, inline data, or
 *			unaligned encryption; through the page cache instead
 *	FAILED		ended in the checks (an error, a limit, nothing to write)
 */
#define DIO_REASONS(R)				\
	R(SHARED,	  shared)		\
	R(SHARED_EXTEND,  shared_extend)	\
	R(SHARED_ZEROING, shared_zeroing)	\
	R(EXCL_SECURITY,  exclusive_security)	\
	R(EXCL_EXTEND,	  exclusive_extend)	\
	R(EXCL_APPEND,	  exclusive_append)	\
	R(EXCL_PARTIAL_END, exclusive_partial_end)	\
	R(EXCL_NO_EXTENTS, exclusive_no_extents)	\
	R(EXCL_FAST_COMMIT, exclusive_fast_commit)	\
	R(EXCL_ZEROING,	  exclusive_zeroing)	\
	R(EXCL_ATOMIC,	  exclusive_atomic)	\
	R(EXCL_SCARCE,	  exclusive_scarce)	\
	R(EXCL_SPLIT,	  exclusive_split)	\
	R(AGAIN_SECURITY, again_security)	\
	R(AGAIN_EXTEND,	  again_extend)		\
	R(AGAIN_ZEROING,  again_zeroing)	\
	R(AGAIN_ATOMIC,	  again_atomic)		\
	R(AGAIN_SCARCE,	  again_scarce)		\
	R(AGAIN_SPLIT,	  again_split)		\
	R(AGAIN_EOF,	  again_eof)		\
	R(AGAIN_TOKEN,	  again_token)		\
	R(AGAIN_UNMAPPED, again_unmapped)	\
	R(AGAIN_LOCK,	  again_lock)		\
	R(AGAIN_TIME,	  again_time)		\
	R(BUFFERED,	  buffered)		\
	R(FAILED,	  failed)

#define DIO_REASON_ENUM(reason, name)	DIO_##reason,

/** enum dio_reason - why a direct write runs as it does; see DIO_REASONS() */
enum dio_reason {
	DIO_REASONS(DIO_REASON_ENUM)
	DIO_REASON_COUNT,
};

/**
 * struct dio_decision - how a direct write has to run
 * @reason: the first reason that applies, in the order of the enum
 * @refuse: with -EAGAIN; nothing else is set then
 * @exclusive: the checks need i_rwsem exclusively
 * @exclusive_io: the I/O needs it too; else the lock is downgraded after the checks
 * @drain: wait for direct I/O in flight before the I/O
 * @wait: the I/O must be complete when the lock is dropped; if that is shared, and the write
 *        asynchronous, the I/O may keep it instead, see dio_hand_over() in dio_write.c
 * @token: it needs a token, see dio_token.c
 */
struct dio_decision {
	enum dio_reason reason;
	bool refuse;
	bool exclusive;
	bool exclusive_io;
	bool drain;
	bool wait;
	bool token;
};

struct dio_decision ext4dio_decide(enum dio_policy policy, const struct dio_facts *facts);

#endif
