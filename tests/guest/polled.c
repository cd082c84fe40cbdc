// SPDX-License-Identifier: GPL-2.0
/*
 * Who waits for direct I/O in flight that nobody else can end, or is overtaken by it?
 *
 *   polled FILE POS LEN [read] CALL...   one polled write (or read) of LEN bytes at POS is
 *                                        submitted and not reaped; then CALL, by the same
 *                                        task, which alone could poll for it; then it is
 *                                        reaped
 *   polled FILE POS LEN aio CALL...      the same with AIO, which ends by itself
 *
 * CALL is one of
 *
 *   none            nothing
 *   truncate SIZE   ftruncate
 *   write POS LEN   a direct write of 'o'
 *   efault POS LEN  a direct write from memory that cannot be read
 *   store POS LEN   a store through mmap, beyond EOF
 *   huge LEN        a read through a mapping of LEN bytes that wants huge pages
 *
 * Nothing of this may take half the time after which the kernel gives up a request, which
 * is what waiting for I/O that nobody polls for comes to.
 *
 * At the end the file must be what it was, with all of that put into it: as the page cache
 * has it, and direct after fsync.  Prints "ok"; or what is wrong: "waits" says that a call
 * took too long.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MOST	(1 << 20)
#define LIMIT	2.5

static unsigned char *want, *got, *buf, *other;
static off_t size;

static void die(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* ------------------------------------------------------------ the I/O in flight */

static struct io_uring ring;
static aio_context_t ctx;

/* liburing's own io_uring_submit() would poll once. */
static void submit_polled(int fd, int reads, size_t len, off_t pos)
{
	struct io_uring_sqe *sqe;

	if (io_uring_queue_init(1, &ring, IORING_SETUP_IOPOLL))
		die("io_uring_queue_init");
	sqe = io_uring_get_sqe(&ring);
	if (reads)
		io_uring_prep_read(sqe, fd, buf, len, pos);
	else
		io_uring_prep_write(sqe, fd, buf, len, pos);
	io_uring_smp_store_release(ring.sq.ktail, ring.sq.sqe_tail);
	if (io_uring_enter(ring.ring_fd, 1, 0, 0, NULL) != 1)
		die("io_uring_enter");
	/* For the worker that submits it if it could not be done without waiting. */
	usleep(200000);
}

static long reap_polled(void)
{
	struct io_uring_cqe *cqe;

	if (io_uring_wait_cqe(&ring, &cqe))
		die("io_uring_wait_cqe");
	return cqe->res;
}

static void submit_aio(int fd, size_t len, off_t pos)
{
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)buf,
		.aio_nbytes = len,
		.aio_offset = pos,
	}, *list = &cb;

	if (syscall(SYS_io_setup, 1, &ctx) || syscall(SYS_io_submit, ctx, 1, &list) != 1)
		die("io_submit");
}

static long reap_aio(void)
{
	struct io_event event;

	if (syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL) != 1)
		die("io_getevents");
	return event.res;
}

/* -------------------------------------------------------------------- the calls */

static void put(off_t pos, int byte, size_t len)
{
	memset(want + pos, byte, len);
	if (pos + (off_t)len > size)
		size = pos + len;
}

static void call(int fd, const char *what, off_t pos, size_t len)
{
	unsigned char *map;

	if (!strcmp(what, "truncate")) {
		if (ftruncate(fd, pos))
			die("ftruncate");
		if (pos < size)
			memset(want + pos, 0, size - pos);
		size = pos;
	} else if (!strcmp(what, "write")) {
		memset(other, 'o', len);
		if (pwrite(fd, other, len, pos) != (ssize_t)len)
			die("pwrite");
		put(pos, 'o', len);
	} else if (!strcmp(what, "efault")) {
		map = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (map == MAP_FAILED || pwrite(fd, map, len, pos) != -1 || errno != EFAULT)
			die("pwrite of nothing");
	} else if (!strcmp(what, "store")) {
		map = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			die("mmap");
		/* (Beyond EOF: no part of the file.) */
		memset(map + pos, 'o', len);
		munmap(map, MOST);
	} else if (!strcmp(what, "huge")) {
		map = mmap(NULL, pos, PROT_READ, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED || madvise(map, pos, MADV_HUGEPAGE))
			die("mmap");
		*(volatile unsigned char *)map;
		munmap(map, pos);
	} else if (strcmp(what, "none")) {
		exit(2);
	}
}

/* ----------------------------------------------------------------- the contents */

static void compare(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | flags);
	ssize_t n = fd < 0 ? -1 : pread(fd, got, MOST, 0);

	if (n != size) {
		printf("%zd bytes instead of %zd\n", n, (ssize_t)size);
		exit(1);
	}
	for (n = 0; n < size; n++) {
		if (got[n] == want[n])
			continue;
		printf("byte %zd%s is %#x instead of %#x\n", n, flags ? " on the device" : "",
		       got[n], want[n]);
		exit(1);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	int fd, i, aio, reads, late = 0;
	double begin;
	off_t pos;
	size_t len;
	long res;

	if (argc < 5 || posix_memalign((void **)&buf, 4096, MOST) ||
	    posix_memalign((void **)&other, 4096, MOST) ||
	    posix_memalign((void **)&got, 4096, MOST))
		return 2;
	want = calloc(1, MOST);
	pos = atol(argv[2]);
	len = atol(argv[3]);
	aio = !strcmp(argv[4], "aio");
	reads = !strcmp(argv[4], "read");
	fd = open(argv[1], O_RDWR);
	size = fd < 0 ? -1 : read(fd, want, MOST);
	if (size < 0)
		die(argv[1]);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	fd = open(argv[1], O_RDWR | O_DIRECT);
	if (fd < 0)
		die(argv[1]);

	begin = now();
	memset(buf, 'N', len);
	if (aio)
		submit_aio(fd, len, pos);
	else
		submit_polled(fd, reads, len, pos);
	if (!reads)
		put(pos, 'N', len);
	for (i = 4 + (aio || reads); i < argc; i += 3)
		call(fd, argv[i], i + 1 < argc ? atol(argv[i + 1]) : 0,
		     i + 2 < argc ? atol(argv[i + 2]) : 0);
	late = now() - begin > LIMIT;
	res = aio ? reap_aio() : reap_polled();
	late |= now() - begin > LIMIT;
	if (late) {
		printf("waits, %.1f s, and the I/O ends with %ld\n", now() - begin, res);
		return 0;
	}
	if (res != (long)len) {
		printf("the I/O ends with %ld\n", res);
		return 0;
	}
	compare(argv[1], 0);
	if (fsync(fd)) {
		printf("fsync: %s\n", strerror(errno));
		return 0;
	}
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	compare(argv[1], O_DIRECT);
	puts("ok");
	return 0;
}
