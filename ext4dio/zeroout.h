/* SPDX-License-Identifier: GPL-2.0 */
/* The last resort of a conversion from unwritten to written; see zeroout.c. */
#ifndef EXT4DIO_ZEROOUT_H
#define EXT4DIO_ZEROOUT_H

#include <linux/fs.h>

int ext4dio_zeroout(struct inode *inode, ext4dio_lblk_t lblk, ext4dio_fsblk_t pblk,
		    ext4dio_lblk_t len);

bool ext4dio_space_scarce(struct super_block *sb, bool exact);
bool ext4dio_convert_again(struct inode *inode, int err, unsigned int *tries);

/**
 * ext4dio_convert_after_writeback - convert what writeback has brought to the disk
 * @handle: for ext4dio_convert_unwritten_extents()
 * @inode: too
 * @...: and the rest of its arguments, which differ between kernels
 *
 * Tries again as long as ext4dio_convert_again() says so.
 *
 * Return: as ext4dio_convert_unwritten_extents().
 */
#define ext4dio_convert_after_writeback(handle, inode, ...)				\
({											\
	unsigned int __tries = 0;							\
	int __ret;									\
											\
	do {										\
		__ret = ext4dio_convert_unwritten_extents(handle, inode, __VA_ARGS__);	\
	} while (ext4dio_convert_again(inode, __ret, &__tries));			\
	__ret;										\
})

void ext4dio_data_lost(struct inode *inode, int err);

#endif
