// SPDX-License-Identifier: GPL-2.0
/*
 * Direct writes of many threads to one file, checked byte for byte.
 *
 *   torture FILE SHADOW SECONDS SEED
 *
 * The file is dealt out to the threads in runs of sectors, so that each sector has
 * one owner while a block may have several: whatever a file system does to the rest
 * of a partly written block hits a neighbour.  The length of the runs changes from
 * phase to phase: within a block, across blocks, whole blocks.  Each phase begins
 * with a random mix of written, unwritten and missing blocks.
 *
 * A thread writes random parts of its runs: synchronously, by AIO or io_uring with
 * several in flight, or with RWF_NOWAIT; reads them back; punches and preallocates.
 * Meanwhile one thread moves the end of the file up and down behind the checked part,
 * and appends there.  At the end of each phase the whole checked part is compared with
 * what its owners wrote, direct and through the page cache.  SHADOW gets a copy of it,
 * to be compared again after a remount.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SECTOR		512
#define THREADS		8
#define DEPTH		4
#define SIZE		(2 << 20)
#define MAX_RUN		64

static const int run_lengths[] = { 7, 28, 64, 13, 3, 32 };

static const char *path;
static unsigned char *shadow;
static int run_length;
static volatile int stop;
static long counts[6];

enum { WRITES, AIOS, URINGS, NOWAITS, READS, PUNCHES };

static void die(const char *what)
{
	fprintf(stderr, "torture: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *aligned(size_t size)
{
	void *p;

	if (posix_memalign(&p, 4096, size))
		die("memory");
	return p;
}

static int open_direct(void)
{
	int fd = open(path, O_RDWR | O_DIRECT);

	if (fd < 0)
		die(path);
	return fd;
}

struct span {
	off_t pos;
	size_t len;
};

/* A random part of a random run of thread @me; *@run says which run. */
static struct span pick(unsigned int *seed, int me, int *run)
{
	int runs = SIZE / SECTOR / run_length / THREADS;
	int from, to;
	struct span s;

	*run = (rand_r(seed) % runs) * THREADS + me;
	from = rand_r(seed) % run_length;
	to = rand_r(seed) % run_length;
	if (rand_r(seed) % 3 == 0) {
		from = 0;
		to = run_length - 1;
	}
	if (from > to) {
		int t = from;

		from = to;
		to = t;
	}
	s.pos = ((off_t)*run * run_length + from) * SECTOR;
	s.len = (to - from + 1) * SECTOR;
	return s;
}

static void fill(unsigned char *buf, struct span s, unsigned int stamp)
{
	size_t i;

	for (i = 0; i < s.len / 4; i++)
		((uint32_t *)buf)[i] = stamp * 2654435761u + s.pos / 4 + i;
}

static void compare(const unsigned char *buf, struct span s, const char *how)
{
	size_t i;

	if (!memcmp(buf, shadow + s.pos, s.len))
		return;
	for (i = 0; buf[i] == shadow[s.pos + i]; i++)
		;
	fprintf(stderr, "torture: wrong data at %lld (%s, runs of %d sectors): %02x, not %02x\n",
		(long long)s.pos + (long long)i, how, run_length, buf[i], shadow[s.pos + i]);
	_exit(1);
}

static void write_sync(int fd, unsigned char *buf, struct span s, int flags)
{
	struct iovec iov = { buf, s.len };
	ssize_t ret = pwritev2(fd, &iov, 1, s.pos, flags);

	if (ret == (ssize_t)s.len) {
		memcpy(shadow + s.pos, buf, s.len);
	} else if (!(flags && ret < 0 && (errno == EAGAIN || errno == EOPNOTSUPP))) {
		fprintf(stderr, "torture: write of %zu at %lld gave %zd, errno %d\n",
			s.len, (long long)s.pos, ret, errno);
		_exit(1);
	}
}

/* DEPTH writes to different runs at once, and what they have in flight. */
struct batch {
	aio_context_t aio;
	struct io_uring ring;
	unsigned char *bufs[DEPTH];
	struct span spans[DEPTH];
	int n;
};

static void batch_pick(struct batch *b, unsigned int *seed, int me, unsigned int stamp)
{
	int runs[DEPTH], i;

	for (b->n = 0; b->n < DEPTH; b->n++) {
		b->spans[b->n] = pick(seed, me, &runs[b->n]);
		for (i = 0; i < b->n; i++)
			if (runs[i] == runs[b->n])
				return;
		fill(b->bufs[b->n], b->spans[b->n], stamp + b->n);
	}
}

static void batch_done(struct batch *b, int i, long long res, const char *how)
{
	struct span s = b->spans[i];

	if (res != (long long)s.len) {
		fprintf(stderr, "torture: %s of %zu at %lld gave %lld\n", how, s.len,
			(long long)s.pos, res);
		_exit(1);
	}
	memcpy(shadow + s.pos, b->bufs[i], s.len);
}

static void batch_aio(struct batch *b, int fd)
{
	struct iocb cb[DEPTH], *list[DEPTH];
	struct io_event event;
	int i;

	memset(cb, 0, sizeof(cb));
	for (i = 0; i < b->n; i++) {
		cb[i].aio_lio_opcode = IOCB_CMD_PWRITE;
		cb[i].aio_fildes = fd;
		cb[i].aio_buf = (uintptr_t)b->bufs[i];
		cb[i].aio_nbytes = b->spans[i].len;
		cb[i].aio_offset = b->spans[i].pos;
		cb[i].aio_data = i;
		list[i] = &cb[i];
	}
	if (syscall(SYS_io_submit, b->aio, b->n, list) != b->n)
		die("io_submit");
	for (i = 0; i < b->n; i++) {
		/* (A completion of io_uring interrupts it.) */
		while (syscall(SYS_io_getevents, b->aio, 1, 1, &event, NULL) != 1)
			if (errno != EINTR)
				die("io_getevents");
		batch_done(b, event.data, event.res, "AIO");
	}
	__sync_fetch_and_add(&counts[AIOS], b->n);
}

static void batch_uring(struct batch *b, int fd)
{
	struct io_uring_cqe *cqe;
	int i;

	for (i = 0; i < b->n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&b->ring);

		io_uring_prep_write(sqe, fd, b->bufs[i], b->spans[i].len, b->spans[i].pos);
		sqe->user_data = i;
	}
	if (io_uring_submit(&b->ring) != b->n)
		die("io_uring_submit");
	for (i = 0; i < b->n; i++) {
		if (io_uring_wait_cqe(&b->ring, &cqe))
			die("io_uring_wait_cqe");
		batch_done(b, cqe->user_data, cqe->res, "io_uring write");
		io_uring_cqe_seen(&b->ring, cqe);
	}
	__sync_fetch_and_add(&counts[URINGS], b->n);
}

static void *writer(void *arg)
{
	int me = (intptr_t)arg & 0xff, fd = open_direct(), i, run;
	unsigned int seed = ((intptr_t)arg >> 8) + me, stamp = seed;
	struct batch b = { 0 };
	unsigned char *buf = aligned(MAX_RUN * SECTOR);

	for (i = 0; i < DEPTH; i++)
		b.bufs[i] = aligned(MAX_RUN * SECTOR);
	if (syscall(SYS_io_setup, DEPTH, &b.aio))
		die("io_setup");
	if (io_uring_queue_init(DEPTH, &b.ring, 0))
		die("io_uring_queue_init");
	while (!stop) {
		struct span s = pick(&seed, me, &run);
		int what = rand_r(&seed) % 100;

		stamp += DEPTH;
		if (what < 45) {
			fill(buf, s, stamp);
			write_sync(fd, buf, s, 0);
			__sync_fetch_and_add(&counts[WRITES], 1);
		} else if (what < 70) {
			batch_pick(&b, &seed, me, stamp);
			if (what & 1)
				batch_aio(&b, fd);
			else
				batch_uring(&b, fd);
		} else if (what < 80) {
			fill(buf, s, stamp);
			write_sync(fd, buf, s, RWF_NOWAIT);
			__sync_fetch_and_add(&counts[NOWAITS], 1);
		} else if (what < 92) {
			if (pread(fd, buf, s.len, s.pos) != (ssize_t)s.len)
				die("read");
			compare(buf, s, "read back");
			__sync_fetch_and_add(&counts[READS], 1);
		} else if (what < 97) {
			if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				      s.pos, s.len) == 0)
				memset(shadow + s.pos, 0, s.len);
			else if (errno != EOPNOTSUPP)
				die("punch");
			__sync_fetch_and_add(&counts[PUNCHES], 1);
		} else if (fallocate(fd, FALLOC_FL_KEEP_SIZE, s.pos, s.len) &&
			   errno != EOPNOTSUPP) {
			die("preallocate");
		}
	}
	io_uring_queue_exit(&b.ring);
	syscall(SYS_io_destroy, b.aio);
	close(fd);
	return NULL;
}

/* Moves the end of the file, never below the checked part, and appends. */
static void *mover(void *arg)
{
	unsigned int seed = (intptr_t)arg;
	unsigned char *buf = aligned(16 * SECTOR);
	int fd = open_direct();

	while (!stop) {
		off_t end = SIZE + rand_r(&seed) % 64 * SECTOR;

		if (ftruncate(fd, end))
			die("truncate");
		if (pwrite(fd, buf, 8 * SECTOR, end) < 0)
			die("append");
		usleep(2000);
	}
	close(fd);
	return NULL;
}

/* Written, unwritten and missing stretches at random. */
static void lay_out(unsigned int *seed)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	off_t pos, len;

	if (fd < 0 || ftruncate(fd, SIZE))
		die(path);
	memset(shadow, 0, SIZE);
	for (pos = 0; pos < SIZE; pos += len) {
		len = (1 + rand_r(seed) % 8) * 1024;
		if (pos + len > SIZE)
			len = SIZE - pos;
		switch (rand_r(seed) % 3) {
		case 0:
			memset(shadow + pos, 0x77, len);
			if (pwrite(fd, shadow + pos, len, pos) != len)
				die("lay out");
			break;
		case 1:
			if (fallocate(fd, 0, pos, len) && errno != EOPNOTSUPP)
				die("lay out");
			break;
		}
	}
	if (fsync(fd))
		die("fsync");
	close(fd);
}

static void check_all(int flags, const char *how)
{
	struct span s = { 0, SIZE };
	unsigned char *buf = aligned(SIZE);
	int fd = open(path, O_RDONLY | flags);

	if (fd < 0 || pread(fd, buf, SIZE, 0) != SIZE)
		die("read all");
	compare(buf, s, how);
	close(fd);
	free(buf);
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS + 1];
	unsigned int seed;
	size_t phase;
	int i, fd;

	if (argc != 5)
		return 2;
	path = argv[1];
	seed = atoi(argv[4]);
	shadow = aligned(SIZE);
	for (phase = 0; phase < sizeof(run_lengths) / sizeof(*run_lengths); phase++) {
		run_length = run_lengths[phase];
		lay_out(&seed);
		stop = 0;
		for (i = 0; i < THREADS; i++)
			pthread_create(&threads[i], NULL, writer,
				       (void *)(intptr_t)((long)(seed & 0xffff) << 8 | i));
		pthread_create(&threads[THREADS], NULL, mover, (void *)(intptr_t)seed);
		sleep(atoi(argv[3]));
		stop = 1;
		for (i = 0; i <= THREADS; i++)
			pthread_join(threads[i], NULL);
		check_all(O_DIRECT, "direct, at the end");
		check_all(0, "page cache, at the end");
	}
	for (i = 0; i <= PUNCHES; i++) {
		if (!counts[i]) {
			fprintf(stderr, "torture: there was nothing of kind %d\n", i);
			return 1;
		}
	}
	if (truncate(path, SIZE))
		die("truncate");
	fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, shadow, SIZE) != SIZE || fsync(fd))
		die(argv[2]);
	printf("%ld writes, %ld AIO, %ld io_uring, %ld NOWAIT, %ld reads, %ld punches\n",
	       counts[WRITES], counts[AIOS], counts[URINGS], counts[NOWAITS], counts[READS],
	       counts[PUNCHES]);
	return 0;
}
