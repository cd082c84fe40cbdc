/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Block lookups for NOWAIT: from the extent status cache or not at all.
 */
#ifndef EXT4DIO_MAP_NOWAIT_H
#define EXT4DIO_MAP_NOWAIT_H

#include <linux/iomap.h>

int ext4dio_map_nowait_hit(struct inode *inode, struct ext4dio_map_blocks *map, int retval);

/**
 * ext4dio_map_flags - how a lookup has to be made
 * @nowait: the caller must not sleep
 *
 * Return: flags for ext4dio_map_blocks(), for a lookup that allocates nothing.
 */
static inline int ext4dio_map_flags(bool nowait)
{
	return nowait ? EXT4_GET_BLOCKS_CACHED_NOWAIT : 0;
}

#endif
