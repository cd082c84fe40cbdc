// SPDX-License-Identifier: GPL-2.0
/*
 * Writes to every second block of a preallocated file, so that each makes the extent tree
 * grow, and what is left of them.
 *
 *   scarce write HOW FILE BLOCKS BLOCKSIZE ACKED	HOW: a list of what threads do at a time,
 *		each one letter: b buffered, d direct, s buffered with O_SYNC, a AIO at
 *		depth 8, m through mmap and msync.  ACKED gets a byte for each block: what
 *		write and, for b, fsync said of it.  Prints how many were acknowledged, how
 *		many refused, and what fsync and syncfs said.
 *   scarce check FILE BLOCKS BLOCKSIZE ACKED	(after a new mount) Prints "ok", or how many
 *		acknowledged blocks are lost and how many others are not zero.
 *
 * Exit status 0 if nothing failed, 1 if something was refused or lost, 2 for wrong usage.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH	8

static const char *path;
static long blocks;
static size_t bs;
static unsigned char *acked;
static atomic_long next_block, done, refused;
static atomic_int first_error;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void fill(unsigned char *buf, long block)
{
	for (size_t i = 0; i < bs / 8; i++)
		((uint64_t *)buf)[i] = 0x5ca2ce0000000000 + block;
}

static void result(long block, long ret)
{
	int none = 0;

	if (ret == (long)bs) {
		acked[block] = 1;
		done++;
	} else {
		refused++;
		atomic_compare_exchange_strong(&first_error, &none, ret < 0 ? -ret : EIO);
	}
}

static int open_file(int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		die(path);
	return fd;
}

static unsigned char *buffer(size_t size)
{
	void *buf;

	if (posix_memalign(&buf, 4096, size))
		die("memory");
	return buf;
}

static void aio(void)
{
	unsigned char *buf = buffer(bs * DEPTH);
	struct iocb cb[DEPTH], *list[1];
	struct io_event event;
	aio_context_t ctx = 0;
	long flight = 0, free_slots[DEPTH], nfree = DEPTH, block;
	int fd = open_file(O_RDWR | O_DIRECT);

	for (long i = 0; i < DEPTH; i++)
		free_slots[i] = i;
	if (syscall(SYS_io_setup, DEPTH, &ctx))
		die("io_setup");
	for (;;) {
		while (nfree && (block = next_block++ * 2) < blocks) {
			long slot = free_slots[--nfree];

			fill(buf + slot * bs, block);
			memset(&cb[slot], 0, sizeof(cb[slot]));
			cb[slot].aio_fildes = fd;
			cb[slot].aio_lio_opcode = IOCB_CMD_PWRITE;
			cb[slot].aio_buf = (uintptr_t)(buf + slot * bs);
			cb[slot].aio_nbytes = bs;
			cb[slot].aio_offset = block * bs;
			cb[slot].aio_data = slot;
			list[0] = &cb[slot];
			if (syscall(SYS_io_submit, ctx, 1, list) != 1)
				die("io_submit");
			flight++;
		}
		if (!flight)
			break;
		if (syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL) != 1)
			die("io_getevents");
		flight--;
		result(cb[event.data].aio_offset / bs, event.res);
		free_slots[nfree++] = event.data;
	}
	close(fd);
}

static void *writer(void *how)
{
	char mode = *(const char *)how;
	unsigned char *buf = buffer(bs), *map = NULL;
	long block;
	int fd;

	if (mode == 'a') {
		aio();
		return NULL;
	}
	fd = open_file(O_RDWR | (mode == 'd' ? O_DIRECT : mode == 's' ? O_SYNC : 0));
	if (mode == 'm') {
		map = mmap(NULL, blocks * bs, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			die("mmap");
	}
	while ((block = next_block++ * 2) < blocks) {
		long ret = bs;

		fill(map ? map + block * bs : buf, block);
		if (map && msync(map + (block * bs & -4096), 4096, MS_SYNC))
			ret = -errno;
		else if (!map && pwrite(fd, buf, bs, block * bs) != (long)bs)
			ret = -errno;
		result(block, ret);
	}
	close(fd);
	return NULL;
}

static int write_all(const char *how, const char *acked_path)
{
	pthread_t threads[64];
	size_t n = strlen(how);
	/* Opened before, so that whatever is recorded is new to them. */
	int fd = open_file(O_RDWR), fs = open_file(O_RDONLY);
	const char *fsync_said = "ok", *syncfs_said = "ok";
	FILE *file;

	if (!n || n > 64 || strspn(how, "bdsam") != n)
		die("HOW");
	for (size_t i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, writer, (void *)(how + i)))
			die("thread");
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	if (fsync(fd))
		fsync_said = strerror(errno);
	if (syncfs(fs))
		syncfs_said = strerror(errno);
	printf("acked %ld, refused %ld (%s), fsync: %s, syncfs: %s\n", (long)done, (long)refused,
	       refused ? strerror(first_error) : "none", fsync_said, syncfs_said);
	file = fopen(acked_path, "w");
	if (!file || fwrite(acked, 1, blocks, file) != (size_t)blocks || fclose(file))
		die(acked_path);
	return refused || strcmp(fsync_said, "ok");
}

static int check_all(const char *acked_path)
{
	unsigned char *buf = buffer(bs), *want = buffer(bs), *zero = buffer(bs);
	long lost = 0, first = -1, wrong = 0, n = 0;
	FILE *file = fopen(acked_path, "r");
	int fd = open_file(O_RDONLY | O_DIRECT);

	memset(zero, 0, bs);
	if (!file || fread(acked, 1, blocks, file) != (size_t)blocks)
		die(acked_path);
	for (long i = 0; i < blocks; i++) {
		long ret = pread(fd, buf, bs, i * bs);

		if (ret < 0)
			die("read");
		/* The size of the file may be lost as well. */
		memset(buf + ret, 0, bs - ret);
		fill(want, i);
		n += acked[i];
		if (acked[i] && memcmp(buf, want, bs)) {
			if (!lost++)
				first = i;
		} else if (!acked[i] && memcmp(buf, zero, bs) && (i % 2 || memcmp(buf, want, bs))) {
			wrong++;
		}
	}
	if (!lost && !wrong)
		printf("ok\n");
	else
		printf("of %ld acknowledged %ld are lost, the first at block %ld; %ld others are "
		       "not zero\n", n, lost, first, wrong);
	return lost || wrong;
}

int main(int argc, char **argv)
{
	int writes = argc == 7 && !strcmp(argv[1], "write");

	if (!writes && !(argc == 6 && !strcmp(argv[1], "check"))) {
		fprintf(stderr, "usage: see the head of scarce.c\n");
		return 2;
	}
	path = argv[2 + writes];
	blocks = atol(argv[3 + writes]);
	bs = atol(argv[4 + writes]);
	if (blocks <= 0 || bs < 512 || bs % 512)
		die("BLOCKS and BLOCKSIZE");
	acked = calloc(blocks, 1);
	if (!acked)
		die("memory");
	return writes ? write_all(argv[2], argv[6]) : check_all(argv[5]);
}
