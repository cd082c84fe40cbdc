// SPDX-License-Identifier: GPL-2.0
/*
 * Does a task that submits direct writes by AIO wait for any of them?
 *
 *   submit FILE MS COUNT BYTES STEP POS [OPTION...]
 *
 * One task submits COUNT writes of BYTES bytes, to POS, POS + STEP and so on, on a device that
 * takes MS milliseconds for each I/O, and any number at once.  Then it looks how many have
 * ended, waits for all, and reads the file: it must be what it was, with the writes put into
 * it, and must end where the furthest of them does.
 *
 *   dsync     each with RWF_DSYNC
 *   nowait    each with RWF_NOWAIT
 *   backward  the last of them first
 *   torn      of each only a first part can be read from memory: it may fail, or have written
 *             as many blocks of that as it says
 *   twice     with another COUNT of them, to the next blocks, when half of the first have ended
 *   uring     by io_uring instead, with a ring whose owner ends what has completed: not
 *             before it comes by, 4 times MS later; meanwhile another task cuts off the
 *             last byte of the file, which waits for all of them
 *   freeze    with uring: the other task freezes the file system instead, which takes
 *             several I/Os by itself, and thaws it; the owner comes by 30 times MS later
 *   position  by io_uring, each to the current position of the file, when the one before has
 *             ended; STEP is BYTES
 *
 * Prints "COUNT submitted, N ended meanwhile", and then "ok"; or what is wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MOST	256

static int fd, count, bytes, ms;
static off_t step, from, size;
static unsigned char *want, *anything;
static int flags;
static bool backward, torn, freeze;
static aio_context_t ctx;

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

/* Write @i says so, in its memory. */
static unsigned char *part(int i)
{
	unsigned char *buf;
	size_t good = (bytes / 2 + 4095) & ~4095ul;

	buf = mmap(NULL, 2 * bytes + 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
	if (buf == MAP_FAILED)
		die("memory");
	if (torn) {
		memset(buf, 1 + i % 250, good);
		mprotect(buf + good, bytes + 4096, PROT_NONE);
		return buf + 512;
	}
	memset(buf, 1 + i % 250, bytes);
	return buf;
}

/* It has ended: what the file then is. */
static void done(int i, long res)
{
	off_t pos = from + i * step;

	if (torn) {
		memset(anything + pos, 1, bytes);
		if (res == -EFAULT)
			return;
	}
	if (res < 0) {
		errno = -res;
		die("a write");
	}
	if (torn ? res == 0 || res >= bytes || (pos + res) % 4096 : res != bytes) {
		printf("%ld of %d bytes are written\n", res, bytes);
		exit(1);
	}
	memset(want + pos, 1 + i % 250, res);
	memset(anything + pos, 0, res);
	if (pos + res > size)
		size = pos + res;
}

static void submit(int first)
{
	int i, n;

	for (n = 0; n < count; n++) {
		struct iocb cb = { .aio_lio_opcode = IOCB_CMD_PWRITE }, *list = &cb;

		i = first + (backward ? count - 1 - n : n);
		cb.aio_data = i;
		cb.aio_fildes = fd;
		cb.aio_buf = (uintptr_t)part(i);
		cb.aio_nbytes = bytes;
		cb.aio_offset = from + i * step;
		cb.aio_rw_flags = flags;
		if (syscall(SYS_io_submit, ctx, 1, &list) != 1)
			die("io_submit");
	}
}

/* Wait for @least of those in flight, or for none; returns how many have ended. */
static int ended(int least)
{
	struct io_event events[2 * MOST];
	struct timespec none = { 0 };
	int i, n = syscall(SYS_io_getevents, ctx, least, 2 * MOST, events, least ? NULL : &none);

	if (n < least)
		die("io_getevents");
	for (i = 0; i < n; i++)
		done(events[i].data, events[i].res);
	return n;
}

static void by_aio(bool twice)
{
	int n, all = count;

	if (syscall(SYS_io_setup, 2 * MOST, &ctx))
		die("io_setup");
	submit(0);
	n = ended(0);
	printf("%d submitted, %d ended meanwhile, ", count, n);
	if (twice) {
		while (n < count / 2)
			n += ended(1);
		submit(count);
		all += count;
	}
	while (n < all)
		n += ended(1);
}

static void *truncate_it(void *took)
{
	double begin = now();

	if (freeze ? ioctl(fd, FIFREEZE, 0) || ioctl(fd, FITHAW, 0) : ftruncate(fd, size - 1))
		die(freeze ? "freeze" : "ftruncate");
	*(double *)took = now() - begin;
	return NULL;
}

static void by_uring(void)
{
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	int late = ms * (freeze ? 30 : 4);
	double took = 0;
	pthread_t other;
	int i;

	if (io_uring_queue_init(MOST, &ring,
				IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN))
		die("io_uring_queue_init");
	for (i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		io_uring_prep_write(sqe, fd, part(i), bytes, from + i * step);
		sqe->user_data = i;
	}
	if (io_uring_submit(&ring) != count)
		die("io_uring_submit");
	pthread_create(&other, NULL, truncate_it, &took);
	usleep(1000 * late);
	for (i = 0; i < count; i++) {
		if (io_uring_wait_cqe(&ring, &cqe))
			die("io_uring_wait_cqe");
		done(cqe->user_data, cqe->res);
		io_uring_cqe_seen(&ring, cqe);
	}
	pthread_join(other, NULL);
	size -= !freeze;
	printf("another task waits %s, ", took > late * 0.75e-3 ? "for the owner" : "for the I/O");
}

static void by_position(void)
{
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	int i;

	if (io_uring_queue_init(1, &ring, 0))
		die("io_uring_queue_init");
	if (lseek(fd, from, SEEK_SET) != from)
		die("lseek");
	for (i = 0; i < count; i++) {
		io_uring_prep_write(io_uring_get_sqe(&ring), fd, part(i), bytes, -1);
		if (io_uring_submit(&ring) != 1)
			die("io_uring_submit");
		if (io_uring_wait_cqe(&ring, &cqe))
			die("io_uring_wait_cqe");
		done(i, cqe->res);
		io_uring_cqe_seen(&ring, cqe);
	}
	if (lseek(fd, 0, SEEK_CUR) != from + (off_t)count * bytes)
		die("the position is another");
}

/* Is the file what it must be, through the page cache or not? */
static void look(const char *path, int how)
{
	size_t len = (size + 8191) & ~4095ul;
	unsigned char *got;
	int in = open(path, O_RDONLY | how);
	ssize_t n;

	if (in < 0 || posix_memalign((void **)&got, 4096, len))
		die(path);
	n = pread(in, got, len, 0);
	if (n != size) {
		printf("%zd bytes instead of %zd\n", n, (ssize_t)size);
		exit(1);
	}
	for (n = 0; n < size; n++) {
		if (got[n] == want[n] || anything[n])
			continue;
		printf("byte %zd is %#x instead of %#x\n", n, got[n], want[n]);
		exit(1);
	}
	close(in);
}

int main(int argc, char **argv)
{
	bool twice = false, uring = false, position = false;
	struct stat st;
	int i;

	if (argc < 7)
		return 2;
	ms = atoi(argv[2]);
	count = atoi(argv[3]);
	bytes = atoi(argv[4]);
	step = atol(argv[5]);
	from = atol(argv[6]);
	for (i = 7; i < argc; i++) {
		backward |= !strcmp(argv[i], "backward");
		torn |= !strcmp(argv[i], "torn");
		twice |= !strcmp(argv[i], "twice");
		uring |= !strcmp(argv[i], "uring");
		freeze |= !strcmp(argv[i], "freeze");
		position |= !strcmp(argv[i], "position");
		if (!strcmp(argv[i], "dsync"))
			flags = RWF_DSYNC;
		if (!strcmp(argv[i], "nowait"))
			flags = RWF_NOWAIT;
	}
	if (count > MOST)
		return 2;
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		die(argv[1]);
	size = st.st_size;
	want = calloc(1, size + from + 2 * count * step + bytes);
	anything = calloc(1, size + from + 2 * count * step + bytes);
	if (read(fd, want, size) != size)
		die("read");
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	fd = open(argv[1], O_RDWR | O_DIRECT);
	if (fd < 0)
		die(argv[1]);
	if (position)
		by_position();
	else if (uring)
		by_uring();
	else
		by_aio(twice);
	look(argv[1], 0);
	if (fsync(fd))
		die("fsync");
	look(argv[1], O_DIRECT);
	puts("ok");
	return 0;
}
