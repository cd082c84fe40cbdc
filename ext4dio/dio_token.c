// SPDX-License-Identifier: GPL-2.0
/*
 * Tokens: writes that zero part of a block, side by side.
 *
 * Where a direct write covers part of a block that is a hole or unwritten, iomap zeroes the
 * rest of it.  Those bytes may be in another write; so no two writes may be in flight to such a
 * block.  To other blocks they may.
 *
 *  - A write takes one token for all its blocks, at once, before it asks iomap for
 *    anything.  Two tokens conflict if they have a block in common and one of them is not
 *    aligned.  Any block, for where the memory of such a write ends early (EFAULT) iomap zeroes
 *    the rest of that one, and the begin of it.  Two aligned writes never conflict: whose data
 *    ends up there, or that there are zeroes where one of them has failed, is the business of
 *    those who write to the same place at the same time.
 *  - Who takes a token is in line with all that are there, at once, and then waits for those
 *    before it that it conflicts with: first come, first served.  It holds no other token and
 *    waits for older ones only, so there is no cycle.
 *  - The order of locks is i_rwsem (shared), token, journal handle, i_data_sem.  A token is
 *    never waited for with a handle open.  What its holder waits for is the device, and the
 *    journal, whose commit needs no i_rwsem.
 *  - A token is held until the conversion to written is over.  Who comes next then finds the
 *    block written, and zeroes nothing: it looks its blocks up when it has the token.
 *  - Under i_rwsem no block goes back from written.  So a write to written blocks needs no
 *    token.
 *
 * Files in which nothing is ever zeroed pay nothing.  The first write that zeroes is exclusive,
 * with no direct I/O in flight, and has the file tracked from then on, until the inode is
 * evicted: every write under the shared lock that does not find all of its blocks written takes
 * a token, whatever the policy of the mount, and so does one that is still in flight when it has
 * dropped the lock.  Who has i_rwsem exclusively until the end needs none: where it matters, it
 * waits for all direct I/O.
 *
 * The token of a write that is waited for is put by the writer.  That of an asynchronous one is
 * put by its completion, perhaps in an interrupt; it is found by its iocb.  (One that zeroes
 * keeps i_rwsem shared as well, until it has ended: who has that exclusively meets none.)
 */
#include <linux/completion.h>
#include <linux/interval_tree_generic.h>
#include <linux/lockdep.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include "ext4dio.h"
#include "dio_mount.h"
#include "dio_token.h"
#include "dio_write.h"

/*
 * One write in line; in the tree as long as it waits or holds.
 * @end: where the write ends, in bytes
 * @before: how many it still waits for
 * @ready: completed when there is none left
 */
struct dio_token {
	struct rb_node rb;
	u32 subtree_last;
	struct dio_blocks blocks;
	loff_t end;
	u64 seq;
	unsigned int before;
	struct completion ready;
	struct kiocb *iocb;
};

/* Those of a file that is tracked; @lock is taken in interrupts too. */
struct dio_tokens {
	spinlock_t lock;
	struct rb_root_cached tree;
	u64 next_seq;
};

#define TOKEN_FIRST(token)	((token)->blocks.first)
#define TOKEN_LAST(token)	((token)->blocks.last)
INTERVAL_TREE_DEFINE(struct dio_token, rb, u32, subtree_last, TOKEN_FIRST, TOKEN_LAST,
		     static, dio_token_tree)

#ifdef CONFIG_LOCKDEP
/* All tokens are one lock to lockdep, which is told of those who wait, not of those who hold. */
static struct lock_class_key dio_token_key;
static struct lockdep_map dio_token_map = STATIC_LOCKDEP_MAP_INIT("ext4dio_token", &dio_token_key);
#endif

/* Do two that have a block in common conflict? */
static bool conflict(const struct dio_token *a, const struct dio_token *b)
{
	return a->blocks.zeroes || b->blocks.zeroes;
}

/* For "token" among those of @inode's that meet its blocks. */
#define for_each_meeting(token, tokens, b)						\
	for (token = dio_token_tree_iter_first(&(tokens)->tree, (b)->first, (b)->last);	\
	     token; token = dio_token_tree_iter_next(token, (b)->first, (b)->last))

/**
 * ext4dio_tracked - does this file have tokens?
 * @inode: the file
 *
 * Context: i_rwsem held: "no" stays true as long as it is.
 */
bool ext4dio_tracked(struct inode *inode)
{
	return READ_ONCE(EXT4_I(inode)->i_dio_tokens);
}

/**
 * ext4dio_track - have tokens from now on
 * @inode: the file
 *
 * Without memory it goes on without, and whoever zeroes is exclusive.
 *
 * Context: i_rwsem held exclusively, no direct I/O in flight; sleeps.
 */
void ext4dio_track(struct inode *inode)
{
	struct dio_tokens *tokens;

	lockdep_assert_held_write(&inode->i_rwsem);
	if (ext4dio_tracked(inode))
		return;
	tokens = kzalloc(sizeof(*tokens), GFP_KERNEL);
	if (!tokens)
		return;
	spin_lock_init(&tokens->lock);
	tokens->tree = RB_ROOT_CACHED;
	WRITE_ONCE(EXT4_I(inode)->i_dio_tokens, tokens);
	dio_count(inode, tracked);
}

/**
 * ext4dio_untrack - the inode goes
 * @inode: the file, at its eviction, when nothing is in flight
 */
void ext4dio_untrack(struct inode *inode)
{
	ext4dio_tokens_idle(inode);
	kfree(EXT4_I(inode)->i_dio_tokens);
	EXT4_I(inode)->i_dio_tokens = NULL;
}

/**
 * ext4dio_tokens_idle - nobody has a token: complain if that is not so
 * @inode: the file
 *
 * Context: i_rwsem held exclusively, or eviction; no direct I/O in flight.
 */
void ext4dio_tokens_idle(struct inode *inode)
{
	struct dio_tokens *tokens = READ_ONCE(EXT4_I(inode)->i_dio_tokens);
	unsigned long flags;

	if (!tokens)
		return;
	/* What was put before the last I/O was counted off is seen with the lock held. */
	spin_lock_irqsave(&tokens->lock, flags);
	WARN_ON_ONCE(!RB_EMPTY_ROOT(&tokens->tree.rb_root));
	spin_unlock_irqrestore(&tokens->lock, flags);
}

/**
 * ext4dio_token_take - stand in line, and wait until no conflicting write is before
 * @inode: a tracked file
 * @iocb: the write
 * @blocks: its blocks
 * @len: its length, in bytes
 * @nowait: do not wait
 *
 * Context: i_rwsem held, no journal handle open; sleeps without @nowait.
 * Return: 0; -EAGAIN with @nowait if it would have to wait; or -ENOMEM.
 */
int ext4dio_token_take(struct inode *inode, struct kiocb *iocb,
		       const struct dio_blocks *blocks, size_t len, bool nowait)
{
	struct dio_tokens *tokens = EXT4_I(inode)->i_dio_tokens;
	struct dio_token *token, *other;
	unsigned long flags;
	unsigned int before;
	ktime_t since;

	lockdep_assert_held(&inode->i_rwsem);
	WARN_ON_ONCE(journal_current_handle());
	token = kzalloc(sizeof(*token), nowait ? GFP_NOWAIT : GFP_KERNEL);
	if (!token)
		return nowait ? -EAGAIN : -ENOMEM;
	token->blocks = *blocks;
	token->end = iocb->ki_pos + len;
	token->iocb = iocb;
	init_completion(&token->ready);

	spin_lock_irqsave(&tokens->lock, flags);
	for_each_meeting(other, tokens, blocks)
		token->before += conflict(token, other);
	before = token->before;
	if (before && nowait) {
		spin_unlock_irqrestore(&tokens->lock, flags);
		kfree(token);
		return -EAGAIN;
	}
	token->seq = tokens->next_seq++;
	dio_token_tree_insert(token, &tokens->tree);
	spin_unlock_irqrestore(&tokens->lock, flags);

	if (nowait)
		return 0;
	lock_map_acquire(&dio_token_map);
	lock_map_release(&dio_token_map);
	if (before) {
		since = ktime_get();
		wait_for_completion(&token->ready);
		ext4dio_count_wait(inode, DIO_WAIT_TOKEN, since);
	}
	return 0;
}

/* The token of @iocb, which begins at @pos; the lock is held. */
static struct dio_token *token_of(struct dio_tokens *tokens, struct inode *inode,
				  struct kiocb *iocb, loff_t pos)
{
	struct dio_blocks first = { .first = pos >> inode->i_blkbits };
	struct dio_token *token;

	first.last = first.first;
	for_each_meeting(token, tokens, &first)
		if (token->iocb == iocb)
			break;
	return token;
}

/**
 * ext4dio_token_end - where does a write end that has a token?
 * @inode: the file
 * @iocb: the write, whose ki_pos has not moved yet
 *
 * Context: any; does not sleep.
 * Return: the end in bytes; 0 if it has no token.
 */
loff_t ext4dio_token_end(struct inode *inode, struct kiocb *iocb)
{
	struct dio_tokens *tokens = READ_ONCE(EXT4_I(inode)->i_dio_tokens);
	struct dio_token *token;
	unsigned long flags;
	loff_t end;

	if (!tokens)
		return 0;
	spin_lock_irqsave(&tokens->lock, flags);
	token = token_of(tokens, inode, iocb, iocb->ki_pos);
	end = token ? token->end : 0;
	spin_unlock_irqrestore(&tokens->lock, flags);
	return end;
}

/**
 * ext4dio_token_put - the write has ended: let those go on that waited for it
 * @inode: the file, tracked or not
 * @iocb: the write; it may have put its token already, or never had one
 * @pos: where it began
 *
 * Context: any; does not sleep.
 */
void ext4dio_token_put(struct inode *inode, struct kiocb *iocb, loff_t pos)
{
	struct dio_tokens *tokens = READ_ONCE(EXT4_I(inode)->i_dio_tokens);
	struct dio_token *token, *other;
	unsigned long flags;

	if (!tokens)
		return;
	spin_lock_irqsave(&tokens->lock, flags);
	token = token_of(tokens, inode, iocb, pos);
	if (token) {
		dio_token_tree_remove(token, &tokens->tree);
		for_each_meeting(other, tokens, &token->blocks)
			if (other->seq > token->seq && conflict(other, token) &&
			    !--other->before)
				complete(&other->ready);
	}
	spin_unlock_irqrestore(&tokens->lock, flags);
	kfree(token);
}
