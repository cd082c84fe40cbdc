/* SPDX-License-Identifier: GPL-2.0 */
/* Blocks allocated before a write comes to them; see dio_ahead.c. */
#ifndef EXT4DIO_DIO_AHEAD_H
#define EXT4DIO_DIO_AHEAD_H

#include <linux/fs.h>

/* The most that may be asked for, in KiB. */
#define DIO_AHEAD_MAX_KIB	16384

void ext4dio_ahead(struct inode *inode, loff_t pos, size_t len, bool extends);
void ext4dio_ahead_fallocated(struct inode *inode);
void ext4dio_ahead_release(struct inode *inode, struct file *file);
void ext4dio_ahead_free(struct inode *inode);

#endif
