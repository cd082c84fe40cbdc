/* SPDX-License-Identifier: GPL-2.0 */
/* Who writes to which blocks, where part of a block is zeroed; see dio_token.c. */
#ifndef EXT4DIO_DIO_TOKEN_H
#define EXT4DIO_DIO_TOKEN_H

#include <linux/fs.h>

/**
 * struct dio_blocks - the blocks of one write, as a token covers them
 * @first: the first
 * @last: the last
 * @zeroes: some of them may be zeroed in part: it covers a part of @first or @last only, and not
 *          all are written
 */
struct dio_blocks {
	u32 first;
	u32 last;
	bool zeroes;
};

bool ext4dio_tracked(struct inode *inode);
void ext4dio_track(struct inode *inode);
void ext4dio_untrack(struct inode *inode);

int ext4dio_token_take(struct inode *inode, struct kiocb *iocb,
		       const struct dio_blocks *blocks, size_t len, bool nowait);
loff_t ext4dio_token_end(struct inode *inode, struct kiocb *iocb);
void ext4dio_token_put(struct inode *inode, struct kiocb *iocb, loff_t pos);
void ext4dio_tokens_idle(struct inode *inode);

#endif
