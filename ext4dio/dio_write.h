/* SPDX-License-Identifier: GPL-2.0 */
#ifndef EXT4DIO_DIO_WRITE_H
#define EXT4DIO_DIO_WRITE_H

#include <linux/fs.h>
#include <linux/iomap.h>
#include "compat.h"
#include "dio_map.h"
#include "dio_mount.h"

/* What the write path takes from the fork's file.c, where it was static. */
bool ext4dio_should_use_dio(struct kiocb *iocb, struct iov_iter *iter);
ssize_t ext4dio_generic_write_checks(struct kiocb *iocb, struct iov_iter *from);
ssize_t ext4dio_buffered_write_iter(struct kiocb *iocb, struct iov_iter *from);
void ext4dio_inode_extension_cleanup(struct inode *inode, bool need_trunc);
int ext4dio_dio_write_end_io(struct kiocb *iocb, ssize_t size, int error, unsigned int flags);

/* What it gives to it. */
ssize_t ext4dio_dio_write_iter(struct kiocb *iocb, struct iov_iter *from);
void ext4dio_before_zeroing(struct inode *inode);

/**
 * ext4dio_atomic_refused - is this an atomic write that may not allocate or zero blocks?
 * @flags: the IOMAP_ ones of iomap_begin
 *
 * It is, where it was taken for one to a single extent, under the shared lock: a write in
 * flight that has completed since can have made two of it.
 */
static inline bool ext4dio_atomic_refused(unsigned int flags)
{
	return IOMAP_ATOMIC && (flags & IOMAP_ATOMIC) && (flags & IOMAP_OVERWRITE_ONLY);
}

/**
 * ext4dio_extends_unwritten - are blocks past EOF unwritten until the end of the I/O?
 * @inode: the file
 * @atomic: nonzero if it is asked for an atomic write
 *
 * See dio_write_extending() in dio_write.c.
 *
 * Context: i_rwsem held.
 */
static inline bool ext4dio_extends_unwritten(struct inode *inode, unsigned int atomic)
{
	return !atomic && ext4dio_test_inode_flag(inode, EXT4_INODE_EXTENTS);
}

/**
 * ext4dio_lookup_past_eof - may iomap_begin for a write find its blocks past EOF?
 * @inode: the file
 * @flags: the IOMAP_ ones of iomap_begin
 *
 * There they are unwritten, and before 7.0 to find those spares nothing.
 */
static inline bool ext4dio_lookup_past_eof(struct inode *inode, unsigned int flags)
{
	return !EXT4DIO_UNWRITTEN_NEEDS_HANDLE && !(flags & IOMAP_DAX) &&
	       ext4dio_extends_unwritten(inode, flags & IOMAP_ATOMIC);
}

bool ext4dio_readahead_refused(struct inode *inode);

#endif
