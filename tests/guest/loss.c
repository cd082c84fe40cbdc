// SPDX-License-Identifier: GPL-2.0
/*
 * Ways to lose a direct write that was acknowledged, or to make something part of a file
 * that is none.  On a slow device; with AIO, so that the write is in flight meanwhile.
 *
 *   loss grow FILE       a write to the last block, and the file is made larger
 *   loss tail FILE       a store through mmap behind the end of the file, then a write
 *                        that begins behind it: the bytes between must be zero
 *   loss neighbour FILE  a write to an unwritten block, and a store through mmap to the
 *                        block before it
 *   loss large FILE      the same, with large folios asked for
 *
 *   loss failed FILE     a write to the last block, and one behind it that fails, because
 *                        its memory cannot be read
 *
 * Each compares the whole file, direct, after fsync and once the page cache is dropped.
 * Prints "ok", or "wrong: " and what.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIZE	16384

static unsigned char want[SIZE], *got;
static int large;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* The file: @size bytes of 'o', then unwritten blocks up to @unwritten; on disk, not cached. */
static int create(const char *path, size_t size, size_t unwritten)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	memset(want, 'o', size);
	if (fd < 0 || write(fd, want, size) != (ssize_t)size ||
	    (unwritten && posix_fallocate(fd, 0, unwritten)) || fsync(fd))
		die(path);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	fd = open(path, O_RDWR | O_DIRECT);
	if (fd < 0)
		die(path);
	return fd;
}

static aio_context_t ctx;

/* Start a direct write of @len bytes of 'N' at @pos. */
static void start(int fd, unsigned char *buf, size_t len, off_t pos)
{
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)buf,
		.aio_nbytes = len,
		.aio_offset = pos,
	}, *list = &cb;

	memset(buf, 'N', len);
	memset(want + pos, 'N', len);
	if (syscall(SYS_io_setup, 1, &ctx) || syscall(SYS_io_submit, ctx, 1, &list) != 1)
		die("io_submit");
}

static void finish(size_t len)
{
	struct io_event event;

	if (syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL) != 1 ||
	    event.res != (long long)len)
		die("write");
}

static void store(int fd, off_t pos, char byte)
{
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED || (large && madvise(map, 4096, MADV_HUGEPAGE)))
		die("mmap");
	map[pos] = byte;
	munmap(map, 4096);
}

static void grow(int fd, unsigned char *buf)
{
	start(fd, buf, 1024, 0);
	if (ftruncate(fd, SIZE))
		die("ftruncate");
	finish(1024);
}

static void tail(int fd, unsigned char *buf)
{
	store(fd, 3000, 'X');
	start(fd, buf, 4096, 8192);
	finish(4096);
}

static void failed(int fd, unsigned char *buf)
{
	void *nowhere = mmap(NULL, 16384, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	start(fd, buf, 1024, 0);
	if (nowhere == MAP_FAILED || pwrite(fd, nowhere, 16384, 16384) != -1 || errno != EFAULT)
		die("a write of nothing");
	finish(1024);
}

static void neighbour(int fd, unsigned char *buf)
{
	start(fd, buf, 4096, 4096);
	store(fd, 3000, 'X');
	want[3000] = 'X';
	finish(4096);
}

int main(int argc, char **argv)
{
	ssize_t size, i, end = SIZE;
	unsigned char *buf;
	int fd;

	if (argc != 3 || posix_memalign((void **)&buf, 4096, SIZE) ||
	    posix_memalign((void **)&got, 4096, SIZE))
		return 2;
	large = !strcmp(argv[1], "large");
	if (large || !strcmp(argv[1], "neighbour")) {
		fd = create(argv[2], 0, SIZE);
		neighbour(fd, buf);
	} else {
		fd = create(argv[2], 1536, 0);
		if (!strcmp(argv[1], "grow")) {
			grow(fd, buf);
		} else if (!strcmp(argv[1], "failed")) {
			failed(fd, buf);
			end = 1536;
		} else if (!strcmp(argv[1], "tail")) {
			tail(fd, buf);
			end = 8192 + 4096;
		} else {
			return 2;
		}
	}
	if (fsync(fd)) {
		printf("wrong: fsync: %s\n", strerror(errno));
		return 0;
	}
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	size = pread(fd, got, SIZE, 0);
	if (size < 0)
		die("read");
	for (i = 0; i < size && i < end; i++) {
		if (got[i] != want[i]) {
			printf("wrong: byte %zd is %#x instead of %#x\n", i, got[i], want[i]);
			return 0;
		}
	}
	if (size == end)
		puts("ok");
	else
		printf("wrong: %zd bytes instead of %zd\n", size, end);
	return 0;
}
