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
 * struct dio_facts - what is known of one direct write under i_rwsem
 * @security: file privileges (suid, sgid, capabilities) may have to be dropped
 * @extends: it ends past i_size or past i_disksize
 * @unaligned: offset or length is no multiple of the file system block size
 * @zeroes: iomap would zero the rest of a partly covered block; looked up, and
 *          true, only for unaligned writes
 * @nowait: IOCB_NOWAIT
 * @unmapped: some block of the range needs an allocation or a journal handle;
 *            looked up, and true, only for IOCB_NOWAIT
 */
struct dio_facts {
	bool security;
	bool extends;
	bool unaligned;
	bool zeroes;
	bool nowait;
	bool unmapped;
};

/**
 * enum dio_reason - why a direct write runs as it does
 * @DIO_SHARED: nothing stands against the shared lock
 * @DIO_EXCL_SECURITY: exclusive for the check that drops privileges
 * @DIO_EXCL_EXTEND: exclusive because the file grows
 * @DIO_EXCL_ZEROING: exclusive because part of a block is zeroed
 * @DIO_AGAIN_SECURITY: NOWAIT, and would be %DIO_EXCL_SECURITY
 * @DIO_AGAIN_EXTEND: NOWAIT, and would be %DIO_EXCL_EXTEND
 * @DIO_AGAIN_ZEROING: NOWAIT, and would be %DIO_EXCL_ZEROING
 * @DIO_AGAIN_UNMAPPED: NOWAIT, and part of the range has no block to write to
 */
enum dio_reason {
	DIO_SHARED,
	DIO_EXCL_SECURITY,
	DIO_EXCL_EXTEND,
	DIO_EXCL_ZEROING,
	DIO_AGAIN_SECURITY,
	DIO_AGAIN_EXTEND,
	DIO_AGAIN_ZEROING,
	DIO_AGAIN_UNMAPPED,
};

/**
 * struct dio_decision - how a direct write has to run
 * @reason: the first reason that applies, in the order of the enum
 * @again: refuse with -EAGAIN; nothing else is set then
 * @exclusive: the checks need i_rwsem exclusively
 * @exclusive_io: the I/O needs it too; else the lock is downgraded after the checks
 * @drain: wait for direct I/O in flight before the I/O
 * @wait: the I/O must be complete when the lock is dropped
 */
struct dio_decision {
	enum dio_reason reason;
	bool again;
	bool exclusive;
	bool exclusive_io;
	bool drain;
	bool wait;
};

struct dio_decision ext4dio_dio_decide(const struct dio_facts *facts);

#endif
