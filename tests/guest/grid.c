// SPDX-License-Identifier: GPL-2.0
/*
 * Direct writes that cover parts of the same few unwritten blocks, many at once.
 *
 *   grid FILE SECONDS THREADS SEED [LETTERS]
 *
 * Round after round the blocks become holes and unwritten, and the threads fill them: each
 * write covers a row of sectors that is its own, so that a block has several owners, and some
 * rows span blocks.  In some rounds there are rows across these as well.  The writes are
 * synchronous, or by io_uring with four in flight.  With e, some of the former fail where their
 * memory ends; with p, the ring is polled.  (Where an asynchronous one fails so, iomap of 7.x
 * tells what was written until then, and has zeroed a part of that.)
 *
 * Each sector says which it is.  After each round every sector is there whose write has
 * returned, and what failed is that or zeroes, whatever was done to the rest of its block.  And
 * nobody waits for ever: the slowest write is shorter than 30 seconds.
 *
 * Prints "ok" and how many writes, or what is wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SECTOR	512
#define SECTORS	(12 * 8)		/* twelve blocks of 4 KiB */
#define MOST	24
#define DEPTH	4

struct row {
	int from, count;
	bool fails;
};

static const char *path, *letters = "";
static uint64_t seed;
static atomic_int bad;
static bool stop;
static atomic_long writes, slowest;
static struct row rows[3 * SECTORS];
static int nrows;
static atomic_int next_row;
static atomic_bool written[SECTORS];
static pthread_barrier_t begin, end;

static void wrong(const char *what, long sector, long more)
{
	if (atomic_fetch_add(&bad, 1) < 5)
		printf("wrong: %s, sector %ld, %ld\n", what, sector, more);
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static bool with(char letter)
{
	return strchr(letters, letter);
}

static unsigned int rnd(uint64_t *x, unsigned int below)
{
	*x = *x * 6364136223846793005ull + 1442695040888963407ull;
	return (*x >> 33) % below;
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int open_file(int flags)
{
	int fd = open(path, O_RDWR | O_CREAT | flags, 0600);

	if (fd < 0)
		die(path);
	return fd;
}

static void fill(uint64_t *buf, int sector)
{
	for (int i = 0; i < SECTOR / 8; i++)
		buf[i] = 0x967d000000000000 + sector;
}

/* ------------------------------------------------------------------ writers */

struct flying {
	const struct row *row;
	char *buf;
	long since;
	bool fails;
};

/* What the next row wants written; false if there is none left.  @sync: and it may fail. */
static bool take(struct flying *f, bool sync)
{
	int i = next_row++;

	if (i >= nrows)
		return false;
	f->row = &rows[i];
	for (i = 0; i < f->row->count; i++)
		fill((uint64_t *)(f->buf + i * SECTOR), f->row->from + i);
	f->fails = sync && f->row->fails;
	if (f->fails && mprotect(f->buf + 4096, 4096, PROT_NONE))
		die("mprotect");
	f->since = now_ms();
	return true;
}

static void returned(const struct flying *f, long ret)
{
	const struct row *r = f->row;
	long ms = now_ms() - f->since;
	int count = r->count;

	if (ms > slowest)
		slowest = ms;
	if (f->fails && mprotect(f->buf + 4096, 4096, PROT_READ | PROT_WRITE))
		die("mprotect");
	if (f->fails && ret == -EFAULT)
		return;
	/* No more than there was. */
	if (f->fails && ret > 0 && ret <= 4096 && ret % SECTOR == 0)
		count = ret / SECTOR;
	if (ret != count * SECTOR)
		wrong("a write gives", r->from, ret);
	else
		writes++;
	for (int i = 0; i < count; i++)
		written[r->from + i] = true;
}

static char *memory(void)
{
	char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static void *write_sync(void *arg)
{
	struct flying f = { .buf = memory() };
	int fd = open_file(O_DIRECT);
	ssize_t ret;

	(void)arg;
	while (pthread_barrier_wait(&begin), !stop) {
		while (take(&f, true)) {
			ret = pwrite(fd, f.buf, f.row->count * SECTOR, f.row->from * SECTOR);
			returned(&f, ret < 0 ? -errno : ret);
		}
		pthread_barrier_wait(&end);
	}
	close(fd);
	return NULL;
}

static void *write_async(void *arg)
{
	struct flying flying[DEPTH], *f;
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	int fd = open_file(O_DIRECT), n, i;

	(void)arg;
	if (io_uring_queue_init(DEPTH, &ring, with('p') ? IORING_SETUP_IOPOLL : 0))
		die("io_uring");
	for (i = 0; i < DEPTH; i++)
		flying[i].buf = memory();
	while (pthread_barrier_wait(&begin), !stop) {
		do {
			for (n = 0; n < DEPTH && take(&flying[n], false); n++) {
				f = &flying[n];
				sqe = io_uring_get_sqe(&ring);
				io_uring_prep_write(sqe, fd, f->buf, f->row->count * SECTOR,
						    f->row->from * SECTOR);
				io_uring_sqe_set_data(sqe, f);
				if (io_uring_submit(&ring) < 0)
					die("io_uring");
			}
			for (i = 0; i < n; i++) {
				if (io_uring_wait_cqe(&ring, &cqe))
					die("io_uring");
				returned(io_uring_cqe_get_data(cqe), cqe->res);
				io_uring_cqe_seen(&ring, cqe);
			}
		} while (n == DEPTH);
		pthread_barrier_wait(&end);
	}
	close(fd);
	return NULL;
}

/* ------------------------------------------------------------------- rounds */

/* Rows of random lengths that cover all, in any order, and perhaps others across them. */
static void choose(uint64_t *random)
{
	int most = 1 + rnd(random, MOST), from = 0, i, more = rnd(random, 3) ? 0 : 12;

	nrows = 0;
	while (from < SECTORS) {
		int count = 1 + rnd(random, most);

		if (count > SECTORS - from)
			count = SECTORS - from;
		rows[nrows++] = (struct row){ from, count, false };
		from += count;
	}
	for (i = 0; i < more; i++) {
		from = rnd(random, SECTORS - MOST);
		rows[nrows++] = (struct row){ from, 1 + rnd(random, MOST), false };
	}
	for (i = nrows - 1; i > 0; i--) {
		int j = rnd(random, i + 1);
		struct row r = rows[i];

		rows[i] = rows[j];
		rows[j] = r;
	}
	for (i = 0; with('e') && i < nrows; i++)
		rows[i].fails = rows[i].count > 8 && !rnd(random, 4);
	next_row = 0;
	for (i = 0; i < SECTORS; i++)
		written[i] = false;
}

/* Holes, unwritten blocks, and a few that are written. */
static void empty(int fd, uint64_t *random)
{
	static char zeroes[4096] __attribute__((aligned(4096)));
	int at = rnd(random, 12);

	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SECTORS * SECTOR))
		die("punch");
	if (rnd(random, 4) && fallocate(fd, 0, at * 4096, (12 - at) * 4096) && errno != EOPNOTSUPP)
		die("fallocate");
	if (!rnd(random, 3) && pwrite(fd, zeroes, 4096, rnd(random, 12) * 4096) != 4096)
		die("write");
}

static void look(int fd)
{
	static uint64_t buf[SECTORS * SECTOR / 8] __attribute__((aligned(4096)));
	static const uint64_t zeroes[SECTOR / 8];
	uint64_t want[SECTOR / 8];

	if (pread(fd, buf, sizeof(buf), 0) != sizeof(buf))
		die("read");
	for (int i = 0; i < SECTORS; i++) {
		const uint64_t *got = buf + i * SECTOR / 8;

		fill(want, i);
		if (memcmp(got, want, SECTOR) && (written[i] || memcmp(got, zeroes, SECTOR)))
			wrong("it is not there", i, got[0] & 0xffff);
	}
}

int main(int argc, char **argv)
{
	int threads, n = 0, i, direct, cached;
	pthread_t thread[64];
	uint64_t random;
	long rounds, until;

	if (argc < 5 || atoi(argv[3]) > 64)
		return 2;
	path = argv[1];
	threads = atoi(argv[3]);
	random = seed = strtoull(argv[4], NULL, 0);
	if (argc > 5)
		letters = argv[5];
	direct = open_file(O_TRUNC | O_DIRECT);
	cached = open_file(0);
	/* EOF is not in one of the blocks, whatever their size. */
	if (ftruncate(cached, SECTORS * SECTOR + 65536))
		die("ftruncate");
	pthread_barrier_init(&begin, NULL, threads + 1);
	pthread_barrier_init(&end, NULL, threads + 1);
	for (i = 0; i < threads; i++)
		if (pthread_create(&thread[n++], NULL, i & 1 ? write_async : write_sync, NULL))
			die("thread");
	until = now_ms() + 1000 * atol(argv[2]);
	for (rounds = 0; !bad && now_ms() < until; rounds++) {
		empty(direct, &random);
		choose(&random);
		pthread_barrier_wait(&begin);
		pthread_barrier_wait(&end);
		look(rounds & 1 ? direct : cached);
	}
	stop = true;
	pthread_barrier_wait(&begin);
	for (i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	look(direct);
	look(cached);
	if (fsync(cached))
		wrong("fsync", 0, -errno);
	if (slowest > 30000)
		wrong("milliseconds of the slowest write", 0, slowest);
	if (!bad)
		printf("ok %ld writes, %ld rounds, slowest %ld ms\n", (long)writes, rounds,
		       (long)slowest);
	return !!bad;
}
