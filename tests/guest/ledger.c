// SPDX-License-Identifier: GPL-2.0
/*
 * Direct writes that may fail, with a ledger of what was acknowledged.
 *
 *   ledger load FILE LEDGER SEED [prealloc|reopen]
 *	writes until SIGTERM, whatever the answers are; then says how often each kind of
 *	call gave which answer ("write EIO 5") and leaves the ledger.  LEDGER.now has the
 *	progress meanwhile.
 *   ledger check FILE LEDGER acked|synced|own [direct]
 *	does FILE hold it?
 *   ledger uring FILE POS LEN [nowait]
 *	one write by io_uring, with RWF_NOWAIT if so said: "ok", "again", the error, or
 *	"queued" if it was taken but is not done within a second; that is waited for, and a
 *	second line says what came of it.
 *
 * Each sector has one owner, who gives its writes ascending numbers; a sector that was
 * written tells its place and number.  So with no more than the number of the last
 * acknowledged write a sector can be judged: it must hold that one, or a later one, which
 * then failed but got as far as the disk.  Zeros must come from a hole that was not older
 * than that (acked).  What a crash may take back counts only up to the last fsync that
 * succeeded after it (synced).  A device that lied can lose anything, but not make a
 * sector hold what was never written to it (own).
 *
 * Threads own runs of sectors in the first part of the file, long ones in its one half
 * and short ones, which share blocks, in the other.  They write parts of them, aligned and
 * not, plain, with RWF_DSYNC or RWF_NOWAIT, and by AIO and io_uring with several in flight;
 * read, punch, preallocate and fsync.  The last thread has what is behind: it appends and
 * truncates.  With prealloc all of the first part is preallocated and stays; with reopen
 * there are two threads, who open the file for each plain write and nothing else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SECTOR		512
#define BLOCK		8		/* sectors; of another block size, many or a part */
#define SHARED		4096		/* sectors of the writers: 2 MiB */
#define SECTORS		(SHARED + 2048)
#define WRITERS		6
#define DEPTH		4
#define LONG_RUN	64
#define SHORT_RUN	13

struct sector {
	uint32_t acked;		/* what was acknowledged last, write or hole */
	uint32_t hole;		/* the last hole that was tried */
	uint32_t synced;	/* acked as of the last fsync that succeeded */
};

static struct {
	uint32_t seed;
	struct sector sectors[SECTORS];
} book;

enum call { WRITE, AGAIN, APPEND, READ, PUNCH, FALLOC, FSYNC, TRUNCATE, OPEN, CALLS };
static const char *const call_names[CALLS] = {
	"write", "nowait", "append", "read", "punch", "falloc", "fsync", "truncate", "open",
};

#define ERRORS 140
static long answers[CALLS][ERRORS];	/* by errno, 0 for success */
static long wrong;			/* reads that gave what cannot be there */
static const char *path;
static int prealloc, reopen_each;
static volatile sig_atomic_t stop;

static void die(const char *what)
{
	fprintf(stderr, "ledger: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void *aligned(size_t size)
{
	void *p;

	if (posix_memalign(&p, 4096, size))
		die("memory");
	return p;
}

/* ---- what a sector holds */

static void fill(void *buf, uint32_t sector, uint32_t number)
{
	uint64_t *words = buf, state = (uint64_t)number << 32 | sector;
	size_t i;

	words[0] = (uint64_t)book.seed << 32 | sector;
	words[1] = number;
	for (i = 2; i < SECTOR / 8; i++) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		words[i] = state ^ words[0];
	}
}

/* The number of the write that @buf is from, 0 for zeros, -1 for anything else. */
static int64_t number_of(const void *buf, uint32_t sector)
{
	static const unsigned char zeros[SECTOR];
	unsigned char want[SECTOR] __attribute__((aligned(8)));
	uint32_t number = ((const uint64_t *)buf)[1];

	if (!memcmp(buf, zeros, SECTOR))
		return 0;
	fill(want, sector, number);
	return memcmp(buf, want, SECTOR) ? -1 : (int64_t)number;
}

/* May @sector hold @found where @least was the last that must not be lost? */
static int acceptable(uint32_t sector, int64_t found, uint32_t least)
{
	if (found == 0)
		return book.sectors[sector].hole >= least;
	return found >= least;
}

/* ---- calls and their answers */

struct span {
	uint32_t sector, count, number;
};

static void answered(enum call call, long long ret)
{
	int error = ret < 0 ? -ret : 0;

	__sync_fetch_and_add(&answers[call][error < ERRORS ? error : ERRORS - 1], 1);
	/* An error that stays would have us spin. */
	if (error && error != EAGAIN)
		usleep(2000);
}

/* A write returned @ret, bytes or -errno. */
static void wrote(enum call call, struct span s, long long ret, int synced)
{
	uint32_t i;

	for (i = 0; ret > 0 && i < ret / SECTOR; i++) {
		book.sectors[s.sector + i].acked = s.number;
		if (synced)
			book.sectors[s.sector + i].synced = s.number;
	}
	/* A short write is one that met an error; the caller would meet it next. */
	answered(call, ret);
}

static void fill_span(unsigned char *buf, struct span s)
{
	uint32_t i;

	for (i = 0; i < s.count; i++)
		fill(buf + i * SECTOR, s.sector + i, s.number);
}

static void write_sync(int fd, unsigned char *buf, struct span s, enum call call, int flags)
{
	struct iovec iov = { buf, s.count * SECTOR };
	ssize_t ret;

	fill_span(buf, s);
	ret = pwritev2(fd, &iov, 1, (off_t)s.sector * SECTOR, flags);
	wrote(call, s, ret < 0 ? -errno : ret, flags & RWF_DSYNC);
}

static void read_back(int fd, unsigned char *buf, struct span s)
{
	ssize_t ret = pread(fd, buf, s.count * SECTOR, (off_t)s.sector * SECTOR);
	uint32_t i;

	answered(READ, ret < 0 ? -errno : ret);
	for (i = 0; ret > 0 && i < ret / SECTOR; i++) {
		uint32_t sector = s.sector + i;
		int64_t found = number_of(buf + i * SECTOR, sector);

		if (acceptable(sector, found, book.sectors[sector].acked))
			continue;
		fprintf(stderr, "ledger: read %lld at sector %u, acknowledged was %u\n",
			(long long)found, sector, book.sectors[sector].acked);
		__sync_fetch_and_add(&wrong, 1);
	}
}

/* Punch what is covered of whole blocks, or cut off the file there. */
static void make_hole(int fd, struct span s, enum call call)
{
	uint32_t end = s.sector + s.count, i;
	int ret;

	if (call == PUNCH) {
		s.sector = (s.sector + BLOCK - 1) / BLOCK * BLOCK;
		end = end / BLOCK * BLOCK;
		if (s.sector >= end)
			return;
	}
	for (i = s.sector; i < end; i++)
		book.sectors[i].hole = s.number;
	if (call == PUNCH)
		ret = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)s.sector * SECTOR, (off_t)(end - s.sector) * SECTOR);
	else
		ret = ftruncate(fd, (off_t)s.sector * SECTOR);
	for (i = s.sector; !ret && i < end; i++)
		book.sectors[i].acked = s.number;
	answered(call, ret < 0 ? -errno : 0);
}

/* ---- the threads */

struct thread {
	pthread_t id;
	int me, fd;
	unsigned int seed;
	uint32_t number;	/* of its last write */
	aio_context_t aio;
	struct io_uring ring;
	unsigned char *bufs[DEPTH];
};

static int below(struct thread *t, int n)
{
	return rand_r(&t->seed) % n;
}

/* The owner of @sector. */
static int owner(uint32_t sector)
{
	if (sector >= SHARED)
		return WRITERS;
	if (sector < SHARED / 2)
		return sector / LONG_RUN % WRITERS;
	return (sector - SHARED / 2) / SHORT_RUN % WRITERS;
}

/* A part of the run whose beginning is @start, of whole blocks every other time. */
static struct span part(struct thread *t, uint32_t start, uint32_t length)
{
	struct span s = { .number = ++t->number };
	uint32_t from = below(t, length), to = below(t, length);

	if (from > to) {
		uint32_t swap = from;

		from = to;
		to = swap;
	}
	s.sector = start + from;
	s.count = to - from + 1;
	if (below(t, 2)) {
		uint32_t first = (s.sector + BLOCK - 1) / BLOCK * BLOCK;
		uint32_t last = (s.sector + s.count) / BLOCK * BLOCK;

		if (first < last) {
			s.sector = first;
			s.count = last - first;
		}
	}
	return s;
}

static struct span pick(struct thread *t, uint32_t *start)
{
	uint32_t base = below(t, 2) ? SHARED / 2 : 0;
	uint32_t length = base ? SHORT_RUN : LONG_RUN;
	uint32_t runs = SHARED / 2 / length / WRITERS;

	*start = base + (below(t, runs) * WRITERS + t->me) * length;
	return part(t, *start, length);
}

static void fsync_mine(struct thread *t)
{
	int ret = fsync(t->fd);
	uint32_t i;

	for (i = 0; !ret && i < SECTORS; i++)
		if (owner(i) == t->me)
			book.sectors[i].synced = book.sectors[i].acked;
	answered(FSYNC, ret < 0 ? -errno : 0);
}

static void submit_aio(struct thread *t, struct span *spans, int n)
{
	struct iocb cb[DEPTH] = { 0 };
	struct io_event event;
	int i, taken = 0;

	for (i = 0; i < n; i++) {
		struct iocb *one = &cb[i];

		cb[i].aio_lio_opcode = IOCB_CMD_PWRITE;
		cb[i].aio_fildes = t->fd;
		cb[i].aio_buf = (uintptr_t)t->bufs[i];
		cb[i].aio_nbytes = spans[i].count * SECTOR;
		cb[i].aio_offset = (off_t)spans[i].sector * SECTOR;
		cb[i].aio_data = i;
		if (syscall(SYS_io_submit, t->aio, 1, &one) == 1)
			taken++;
		else
			wrote(WRITE, spans[i], -errno, 0);
	}
	for (i = 0; i < taken; i++) {
		/* Freezing and thawing of a device interrupts it. */
		while (syscall(SYS_io_getevents, t->aio, 1, 1, &event, NULL) != 1)
			if (errno != EINTR)
				die("io_getevents");
		wrote(WRITE, spans[event.data], event.res, 0);
	}
}

static void submit_uring(struct thread *t, struct span *spans, int n)
{
	struct io_uring_cqe *cqe;
	int nowait = below(t, 3) == 0, i;

	for (i = 0; i < n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&t->ring);

		io_uring_prep_write(sqe, t->fd, t->bufs[i], spans[i].count * SECTOR,
				    (off_t)spans[i].sector * SECTOR);
		sqe->rw_flags = nowait ? RWF_NOWAIT : 0;
		sqe->user_data = i;
	}
	for (i = 0; i < n;) {
		int ret = io_uring_submit(&t->ring);

		if (ret < 0 && ret != -EINTR && ret != -EAGAIN && ret != -ENOMEM)
			die("io_uring_submit");
		i += ret < 0 ? 0 : ret;
	}
	for (i = 0; i < n; i++) {
		while (io_uring_wait_cqe(&t->ring, &cqe))
			;
		wrote(nowait ? AGAIN : WRITE, spans[cqe->user_data], cqe->res, 0);
		io_uring_cqe_seen(&t->ring, cqe);
	}
}

/* Writes in flight at once are to different runs. */
static void several(struct thread *t)
{
	struct span spans[DEPTH];
	uint32_t starts[DEPTH];
	int n, i;

	for (n = 0; n < DEPTH; n++) {
		spans[n] = pick(t, &starts[n]);
		for (i = 0; i < n && starts[i] != starts[n]; i++)
			;
		if (i < n)
			break;
		fill_span(t->bufs[n], spans[n]);
	}
	if (below(t, 2))
		submit_aio(t, spans, n);
	else
		submit_uring(t, spans, n);
}

static void *writer(void *arg)
{
	struct thread *t = arg;
	uint32_t start;

	while (!stop) {
		int what = below(t, 100);
		struct span s = pick(t, &start);

		if (what < 30)
			write_sync(t->fd, t->bufs[0], s, WRITE, 0);
		else if (what < 38)
			write_sync(t->fd, t->bufs[0], s, WRITE, RWF_DSYNC);
		else if (what < 46)
			write_sync(t->fd, t->bufs[0], s, AGAIN, RWF_NOWAIT);
		else if (what < 75)
			several(t);
		else if (what < 86)
			read_back(t->fd, t->bufs[0], s);
		else if (what < 90)
			fsync_mine(t);
		else if (prealloc)
			continue;
		else if (what < 97)
			make_hole(t->fd, s, PUNCH);
		else
			answered(FALLOC, fallocate(t->fd, FALLOC_FL_KEEP_SIZE,
						   (off_t)s.sector * SECTOR,
						   s.count * SECTOR) ? -errno : 0);
	}
	return NULL;
}

/* The file grows by runs of any length, sometimes leaving a gap, and is cut again. */
static void *appender(void *arg)
{
	struct thread *t = arg;
	struct stat st;

	while (!stop) {
		struct span s = { .number = ++t->number, .count = 1 + below(t, LONG_RUN) };

		if (fstat(t->fd, &st))
			die("fstat");
		s.sector = st.st_size / SECTOR + (below(t, 4) ? 0 : below(t, 3 * BLOCK));
		if (s.sector < SHARED)
			s.sector = SHARED;
		if (s.sector + s.count > SECTORS) {
			s.sector = SHARED;
			s.count = SECTORS - SHARED;
			make_hole(t->fd, s, TRUNCATE);
			s.count = 1;
			s.number = ++t->number;
		}
		write_sync(t->fd, t->bufs[0], s, APPEND, 0);
		if (below(t, 8) == 0)
			fsync_mine(t);
		usleep(2000);
	}
	return NULL;
}

static void *reopener(void *arg)
{
	struct thread *t = arg;
	uint32_t start;

	while (!stop) {
		int fd = open(path, O_WRONLY | O_DIRECT);

		answered(OPEN, fd < 0 ? -errno : 0);
		if (fd >= 0) {
			write_sync(fd, t->bufs[0], pick(t, &start), WRITE, 0);
			close(fd);
		}
		usleep(20000);
	}
	return NULL;
}

/* ---- load, check, uring */

/* Written, unwritten and missing stretches at random, on disk. */
static void lay_out(struct thread *t)
{
	unsigned char *buf = aligned(LONG_RUN * SECTOR);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct span s = { .number = 1 };
	uint32_t i;

	if (fd < 0 || ftruncate(fd, SHARED * SECTOR))
		die(path);
	if (prealloc && fallocate(fd, 0, 0, SHARED * SECTOR))
		die("preallocate");
	for (; s.sector < SHARED; s.sector += s.count) {
		int what = below(t, 3);

		s.count = (1 + below(t, 8)) * BLOCK;
		if (s.sector + s.count > SHARED)
			s.count = SHARED - s.sector;
		if (what == 0) {
			fill_span(buf, s);
			if (pwrite(fd, buf, s.count * SECTOR, (off_t)s.sector * SECTOR) < 0)
				die("lay out");
			for (i = 0; i < s.count; i++)
				book.sectors[s.sector + i].acked = s.number;
		} else if (what == 1 && fallocate(fd, 0, (off_t)s.sector * SECTOR,
						  s.count * SECTOR)) {
			die("lay out");
		}
	}
	if (fsync(fd))
		die("lay out");
	for (i = 0; i < SHARED; i++)
		book.sectors[i].synced = book.sectors[i].acked;
	close(fd);
	free(buf);
}

/* Where the load stands: writes that succeeded, and calls that did not. */
static void tell(int fd)
{
	long failed = 0;
	char line[64];
	int i, j, n;

	for (i = 0; i < CALLS; i++)
		for (j = 1; j < ERRORS; j++)
			if (j != EAGAIN)
				failed += answers[i][j];
	n = snprintf(line, sizeof(line), "%12ld %12ld\n", answers[WRITE][0] + answers[APPEND][0],
		     failed);
	if (pwrite(fd, line, n, 0) != n)
		die("progress");
}

static void term(int sig)
{
	(void)sig;
	stop = 1;
}

static int load(const char *ledger, unsigned int seed)
{
	static struct thread threads[WRITERS + 1];
	int n = reopen_each ? 2 : WRITERS + 1, i, j, fd, now;
	char name[256];

	signal(SIGTERM, term);
	signal(SIGXFSZ, SIG_IGN);
	book.seed = seed;
	threads[0].seed = seed;
	lay_out(&threads[0]);
	snprintf(name, sizeof(name), "%s.now", ledger);
	/* Never empty for who reads it. */
	now = open(name, O_WRONLY | O_CREAT, 0644);
	fd = open(ledger, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (now < 0 || fd < 0)
		die(ledger);
	for (i = 0; i < n; i++) {
		struct thread *t = &threads[i];

		t->me = i;
		t->seed = seed * 31 + i;
		t->number = 1;
		for (j = 0; j < DEPTH; j++)
			t->bufs[j] = aligned(LONG_RUN * SECTOR);
		if (!reopen_each) {
			t->fd = open(path, O_RDWR | O_DIRECT);
			if (t->fd < 0)
				die(path);
			if (syscall(SYS_io_setup, DEPTH, &t->aio))
				die("io_setup");
			errno = -io_uring_queue_init(DEPTH, &t->ring, 0);
			if (errno)
				die("io_uring_queue_init");
		}
		if (pthread_create(&t->id, NULL, reopen_each ? reopener :
				   i == WRITERS ? appender : writer, t))
			die("thread");
	}
	while (!stop) {
		tell(now);
		usleep(100000);
	}
	for (i = 0; i < n; i++)
		pthread_join(threads[i].id, NULL);
	tell(now);
	if (write(fd, &book, sizeof(book)) != sizeof(book))
		die(ledger);
	for (i = 0; i < CALLS; i++)
		for (j = 0; j < ERRORS; j++)
			if (answers[i][j])
				printf("%s %s %ld\n", call_names[i],
				       j ? strerrorname_np(j) : "ok", answers[i][j]);
	return wrong ? 1 : 0;
}

static int check(const char *ledger, const char *how, int flags)
{
	unsigned char *buf = aligned(SECTORS * SECTOR);
	int fd = open(ledger, O_RDONLY), bad = 0;
	uint32_t i;
	ssize_t ret;

	if (fd < 0 || read(fd, &book, sizeof(book)) != sizeof(book))
		die(ledger);
	close(fd);
	fd = open(path, O_RDONLY | flags);
	if (fd < 0)
		die(path);
	/* Behind the end of the file is a hole. */
	memset(buf, 0, SECTORS * SECTOR);
	ret = pread(fd, buf, SECTORS * SECTOR, 0);
	if (ret < 0)
		die("read");
	for (i = 0; i < SECTORS; i++) {
		struct sector *s = &book.sectors[i];
		int64_t found = number_of(buf + i * SECTOR, i);
		int good;

		if (!strcmp(how, "own"))
			good = found >= 0;
		else
			good = acceptable(i, found, *how == 's' ? s->synced : s->acked);
		if (!good && bad++ < 10) {
			const uint32_t *words = (void *)(buf + i * SECTOR);

			printf("sector %u holds %lld; acknowledged was %u, synced %u, hole %u\n",
			       i, (long long)found, s->acked, s->synced, s->hole);
			if (found < 0)
				printf("that is %08x %08x %08x; of this file is %08x\n",
				       words[0], words[1], words[2], book.seed);
		}
	}
	if (bad)
		printf("%d of %d sectors are wrong\n", bad, SECTORS);
	return bad ? 1 : 0;
}

static void say(int res, int len)
{
	if (res == len)
		puts("ok");
	else if (res == -EAGAIN)
		puts("again");
	else if (res < 0)
		puts(strerror(-res));
	else
		printf("%d bytes\n", res);
	fflush(stdout);
}

static int uring(off_t pos, int len, int flags)
{
	struct __kernel_timespec second = { .tv_sec = 1 };
	unsigned char *buf = aligned(len);
	int fd = open(path, O_RDWR | O_DIRECT);
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;

	if (fd < 0 || io_uring_queue_init(1, &ring, 0))
		die(path);
	memset(buf, 'N', len);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, fd, buf, len, pos);
	sqe->rw_flags = flags;
	if (io_uring_submit(&ring) != 1)
		die("io_uring_submit");
	if (io_uring_wait_cqe_timeout(&ring, &cqe, &second)) {
		puts("queued");
		fflush(stdout);
		if (io_uring_wait_cqe(&ring, &cqe))
			die("io_uring_wait_cqe");
	}
	say(cqe->res, len);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	path = argv[2];
	if (!strcmp(argv[1], "uring"))
		return uring(atoll(argv[3]), atoi(argv[4]), argc > 5 ? RWF_NOWAIT : 0);
	if (!strcmp(argv[1], "check"))
		return check(argv[3], argv[4], argc > 5 ? O_DIRECT : 0);
	prealloc = argc > 5 && !strcmp(argv[5], "prealloc");
	reopen_each = argc > 5 && !strcmp(argv[5], "reopen");
	return load(argv[3], atoi(argv[4]));
}
