/* SPDX-License-Identifier: GPL-2.0 */
#ifndef EXT4DIO_ZEROOUT_H
#define EXT4DIO_ZEROOUT_H

/**
 * ext4dio_may_zeroout - may a split that fails zero the whole extent instead?
 * @flags: EXT4_GET_BLOCKS_* of the split
 *
 * Not to turn blocks into written ones at the end of their I/O: other blocks of the
 * extent may have I/O in flight, or acknowledged and not yet turned.  Before 7.0 a
 * write splits before its I/O (EXT4_GET_BLOCKS_PRE_IO), so that an extent never has
 * more than one write in flight; what is zeroed there has none.
 */
static inline bool ext4dio_may_zeroout(int flags)
{
#ifdef EXT4_GET_BLOCKS_PRE_IO
	if (flags & EXT4_GET_BLOCKS_PRE_IO)
		return true;
#endif
	return !(flags & EXT4_GET_BLOCKS_CONVERT);
}

#endif
