/* SPDX-License-Identifier: GPL-2.0 */
/* What differs between the supported kernels and no rule can see. */
#ifndef EXT4DIO_COMPAT_H
#define EXT4DIO_COMPAT_H

#include <linux/fs.h>
#include <linux/iomap.h>
#include <linux/version.h>

/*
 * Before 7.0 a direct write starts a journal handle in iomap_begin even for
 * blocks that are allocated but unwritten, to split the extent before the I/O.
 */
#define EXT4DIO_UNWRITTEN_NEEDS_HANDLE	(LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0))

/*
 * Before 6.4 stock ext4 takes the exclusive lock for every unaligned write, and for every
 * block that is not written.
 */
#define EXT4DIO_STOCK_OVERWRITE_IS_WRITTEN	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0))

/*
 * What turns unwritten into written, as stock ext4 asks for it: newer ones do not have it fill
 * the extent status cache.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
#define EXT4DIO_CONVERT		EXT4_GET_BLOCKS_IO_CONVERT_EXT
#else
#define EXT4DIO_CONVERT		(EXT4_GET_BLOCKS_IO_CONVERT_EXT | EXT4_EX_NOCACHE)
#endif

/* Up to 6.7 it can be told how many to discard, of which 0 stands for all. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define EXT4DIO_DISCARD_ALL(inode)	ext4dio_discard_preallocations(inode, 0)
#else
#define EXT4DIO_DISCARD_ALL(inode)	ext4dio_discard_preallocations(inode)
#endif

/* Before 7.0 what direct writes allocate is not merged anyway. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
#define EXT4DIO_ALLOC_NOMERGE	0
#else
#define EXT4DIO_ALLOC_NOMERGE	EXT4_GET_BLOCKS_SPLIT_NOMERGE
#endif

/* RWF_ATOMIC is of 6.11, and of 6.13 for ext4. */
#ifndef IOCB_ATOMIC
#define IOCB_ATOMIC	0
#endif
#ifndef IOMAP_ATOMIC
#define IOMAP_ATOMIC	0
#endif

/* Of 6.8, and of later point releases of 6.1: it comes from io_submit(). */
#ifndef IOCB_AIO_RW
#define IOCB_AIO_RW	0
#endif

/* Of 6.6 to 6.18: the end of the I/O may be left to the task that submitted it. */
#ifndef IOCB_DIO_CALLER_COMP
#define IOCB_DIO_CALLER_COMP	0
#endif

/* Since 6.6 ctime has, and later point releases of 6.1 have it too. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define inode_set_ctime_current(inode)	((inode)->i_ctime = current_time(inode))
#endif

/* Since 6.7 the timestamps of an inode have accessors. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#define inode_set_mtime_to_ts(inode, ts)	((inode)->i_mtime = (ts))
#endif

#endif
