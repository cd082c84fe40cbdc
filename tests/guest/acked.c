// SPDX-License-Identifier: GPL-2.0
/*
 * Direct writers that tell what is durable, and the judge of what a power cut left.
 *
 *   acked prepare DIR SEED           fill the disk with junk, free it, make the files
 *   acked run DIR SEED COUNT OUT     write COUNT batches each; 0: until killed
 *   acked check DIR SEED LATE N...   writer i had N_i batches acknowledged
 *
 * Four writers share "mixed" (aligned, over written and unwritten blocks and holes) and
 * "stripe" (unaligned, so that writers share blocks) and "grow" (aligned; it begins empty, and
 * they write past its end, each its own parts in turn); each has an "append" of its own that
 * grows and shrinks.  Between the writes they punch, zero, preallocate and truncate.
 * A batch ends by O_DSYNC of its writes, by fdatasync, by fsync, or by nothing; its writes
 * are synchronous or in flight at once (io_uring).  When it has ended, "ack WRITER BATCHES"
 * goes to OUT: a device of dm-log-writes, as a mark in its log, or "-", stdout.
 *
 * What a writer does follows from SEED alone.  So the judge repeats it and knows for each
 * sector the last durable change, and those after it that may have been in flight: up to
 * LATE batches more, where acknowledgements may have been lost themselves.  A sector has
 * one owner, and says which sector of which file it is and by which change (generation).
 *
 *  - It must hold the durable generation or a later one; zeros only if the durable change
 *    or a later one made them.  Anything else was never written there.
 *  - The size of "append" must be the durable one or one that came after it, and that of
 *    "grow" no less than all that is durable in it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/dm-ioctl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR		512
#define WORDS		(SECTOR / 8)
#define BLOCK		8		/* sectors of the largest block we align to */
#define WRITERS		4
#define FILES		(3 + WRITERS)
#define SECTORS		4096		/* of mixed and stripe, and of grow in the end */
#define APPEND		1024		/* at most, of append */
#define MAX_OP		64
#define MAX_OPS		4

enum { MIXED, STRIPE, GROW, FIRST_APPEND };

/* Sectors in a row that one writer owns; the writers take turns. */
static const int run_length[] = { 64, 13, 2 * BLOCK };

enum kind { WRITE, PUNCH, ZERO, PREALLOC, KEEP_SIZE, TRUNCATE };
enum how { DSYNC, ASYNC_DSYNC, FDATASYNC, FSYNC, NOTHING, HOWS };

struct op {
	enum kind kind;
	int from, count;		/* TRUNCATE: the new size is from */
	unsigned int gen;
};

struct batch {
	int file;
	enum how how;
	int n;
	struct op ops[MAX_OPS];
};

struct writer {
	int me;
	uint64_t random;
	unsigned int batches;		/* so far */
	int size;			/* of its append, in sectors */
	int grown;			/* runs of grow that were its own */
};

static uint64_t seed;
static const char *dir, *mark_device;

static void die(const char *what)
{
	fprintf(stderr, "acked: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 27)) * 0xd6e8feb86659fd93;
	return x ^ (x >> 32);
}

static unsigned int rnd(struct writer *w, unsigned int below)
{
	w->random = mix(w->random + 0x1234567);
	return (w->random >> 16) % below;
}

static int owner(int file, int sector)
{
	return file < FIRST_APPEND ? sector / run_length[file] % WRITERS : file - FIRST_APPEND;
}

static int sectors(int file)
{
	return file < FIRST_APPEND ? SECTORS : APPEND;
}

static const char *name(int file)
{
	static const char * const names[FILES] = {
		"mixed", "stripe", "grow", "append0", "append1", "append2", "append3"
	};

	return names[file];
}

static int open_file(int file, int flags)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name(file));
	fd = open(path, flags, 0600);
	if (fd < 0)
		die(path);
	return fd;
}

/* What is written: its address and generation, and words that follow from these. */
static void fill(uint64_t *buf, int file, int sector, unsigned int gen)
{
	uint64_t x;
	int i;

	buf[0] = gen;
	buf[1] = (uint64_t)file << 32 | sector;
	x = mix(seed ^ mix(buf[0] << 20 ^ buf[1]));
	for (i = 2; i < WORDS; i++) {
		x = x * 0xd1342543de82ef95 + 1;
		buf[i] = x ^ x >> 29;
	}
}

static void fill_junk(uint64_t *buf)
{
	int i;

	for (i = 0; i < WORDS; i++)
		buf[i] = 0x6b6e756a6b6e756a;
}

/* How mixed and stripe begin, by block: written (generation 0), unwritten, a hole. */
static int begins(int file, int block)
{
	return mix(seed ^ mix(file * SECTORS + block)) % 3;
}

/* ------------------------------------------------------------- what a writer does */

/* Parts of different runs of a writer, so that they may be in flight at once. */
static void shared_op(struct writer *w, int file, int run, struct op *op)
{
	int unit = file == STRIPE ? 1 : BLOCK;
	int units = run_length[file] / unit;
	int a = rnd(w, units), b = rnd(w, units);
	unsigned int kind = rnd(w, 12);

	if (!rnd(w, 3)) {
		a = 0;
		b = units - 1;
	}
	op->from = run * run_length[file] + (a < b ? a : b) * unit;
	op->count = (abs(a - b) + 1) * unit;
	op->kind = kind == 0 ? PUNCH : kind == 1 ? ZERO : kind == 2 ? PREALLOC : WRITE;
	if (file == GROW)
		op->kind = kind == 0 ? KEEP_SIZE : WRITE;
}

static void append_op(struct writer *w, struct op *op)
{
	unsigned int what = rnd(w, 10);

	op->kind = WRITE;
	op->from = w->size;
	op->count = rnd(w, 2) ? (1 + rnd(w, 3)) * BLOCK : 1 + rnd(w, 24);
	if (w->size + 2 * MAX_OP > APPEND || (what == 0 && w->size > BLOCK)) {
		op->kind = TRUNCATE;
		op->from = w->size / 4 + rnd(w, w->size / 2);
		op->count = 0;
	} else if (what == 1) {
		op->kind = TRUNCATE;
		op->from = w->size + 1 + rnd(w, 24);
		op->count = 0;
	} else if (what == 2) {
		op->kind = PREALLOC;
	} else if (what == 3) {
		op->from += rnd(w, 24);		/* leaves a gap */
	} else if (what < 6 && w->size > op->count) {
		op->from = rnd(w, w->size - op->count + 1);
	}
	if (op->kind == TRUNCATE)
		w->size = op->from;
	else if (op->from + op->count > w->size)
		w->size = op->from + op->count;
}

static void next_batch(struct writer *w, struct batch *b)
{
	unsigned int which = rnd(w, 10);
	int runs, run, i;

	b->file = which < 3 ? MIXED : which < 6 ? STRIPE : which < 8 ? GROW :
		  FIRST_APPEND + w->me;
	b->how = rnd(w, HOWS);
	b->n = 1 + rnd(w, MAX_OPS);
	runs = b->file < FIRST_APPEND ? SECTORS / run_length[b->file] / WRITERS : 1;
	run = b->file == GROW ? w->grown : (int)rnd(w, runs);
	if (b->file == GROW)
		w->grown += b->n;
	for (i = 0; i < b->n; i++) {
		if (b->file < FIRST_APPEND)
			shared_op(w, b->file, (run + i) % runs * WRITERS + w->me, &b->ops[i]);
		else
			append_op(w, &b->ops[i]);
		b->ops[i].gen = w->batches * MAX_OPS + i + 1;
	}
	/* The end of mixed, behind what is checked, moves. */
	if (b->file == MIXED && !rnd(w, 8)) {
		b->ops[0].kind = TRUNCATE;
		b->ops[0].from = SECTORS + rnd(w, 64);
		b->ops[0].count = 0;
	}
	w->batches++;
}

static void start_writer(struct writer *w, int me)
{
	*w = (struct writer){ .me = me, .random = mix(seed * WRITERS + me) };
}

/* -------------------------------------------------------------------- doing it */

static void acknowledge(const struct writer *w)
{
	struct {
		struct dm_ioctl head;
		struct dm_target_msg target;
		char text[64];
	} message = {
		.head.version = { 4, 0, 0 },
		.head.data_size = sizeof(message),
		.head.data_start = sizeof(message.head),
	};
	static int control = -1;
	char line[64];
	int len = snprintf(line, sizeof(line), "ack %d %u\n", w->me, w->batches);

	if (!mark_device) {
		if (write(STDOUT_FILENO, line, len) != len)
			die("stdout");
		return;
	}
	if (control < 0)
		control = open("/dev/mapper/control", O_RDWR);
	snprintf(message.head.name, sizeof(message.head.name), "%s", mark_device);
	/* The target takes two words. */
	snprintf(message.target.message, sizeof(message.text), "mark ack-%d-%u", w->me, w->batches);
	if (ioctl(control, DM_TARGET_MSG, &message))
		die("mark");
}

static void change(int fd, const struct op *op)
{
	off_t pos = (off_t)op->from * SECTOR, len = (off_t)op->count * SECTOR;
	struct stat st;
	int ret = 0;

	switch (op->kind) {
	case PUNCH:
		ret = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos, len);
		break;
	case ZERO:
		ret = fallocate(fd, FALLOC_FL_ZERO_RANGE, pos, len);
		if (ret && errno == EOPNOTSUPP)	/* a file without extents */
			ret = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos, len);
		break;
	case PREALLOC:
		ret = fallocate(fd, 0, pos, len);
		if (ret && errno == EOPNOTSUPP && !fstat(fd, &st))
			ret = pos + len > st.st_size ? ftruncate(fd, pos + len) : 0;
		break;
	case KEEP_SIZE:
		/* Also for the writers that come next. */
		ret = fallocate(fd, FALLOC_FL_KEEP_SIZE, pos, 4 * WRITERS * len);
		if (ret && errno == EOPNOTSUPP)
			ret = 0;
		break;
	case TRUNCATE:
		ret = ftruncate(fd, pos);
		break;
	case WRITE:
		break;
	}
	if (ret)
		die("change");
}

static void do_batch(const struct batch *b, int fd, struct io_uring *ring, void **bufs)
{
	/* The order of an append's operations matters. */
	bool async = b->file < FIRST_APPEND && b->how != DSYNC && b->how != FSYNC;
	int flags = b->how == DSYNC || b->how == ASYNC_DSYNC ? RWF_DSYNC : 0;
	struct io_uring_cqe *cqe;
	int i, s, waiting = 0;

	for (i = 0; i < b->n; i++) {
		const struct op *op = &b->ops[i];
		struct iovec vec = { bufs[i], op->count * SECTOR };
		off_t pos = (off_t)op->from * SECTOR;

		if (op->kind != WRITE) {
			change(fd, op);
			continue;
		}
		for (s = 0; s < op->count; s++)
			fill((uint64_t *)bufs[i] + s * WORDS, b->file, op->from + s, op->gen);
		if (async) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

			io_uring_prep_write(sqe, fd, bufs[i], vec.iov_len, pos);
			sqe->rw_flags = flags;
			sqe->user_data = vec.iov_len;
			if (io_uring_submit(ring) != 1)
				die("io_uring_submit");
			waiting++;
		} else if (pwritev2(fd, &vec, 1, pos, flags) != (ssize_t)vec.iov_len) {
			die("write");
		}
	}
	while (waiting--) {
		if (io_uring_wait_cqe(ring, &cqe))
			die("io_uring_wait_cqe");
		if (cqe->res != (int)cqe->user_data) {
			errno = cqe->res < 0 ? -cqe->res : EIO;
			die("io_uring write");
		}
		io_uring_cqe_seen(ring, cqe);
	}
	if ((b->how == FDATASYNC && fdatasync(fd)) || (b->how == FSYNC && fsync(fd)))
		die("sync");
}

static unsigned int last_batch;

static void *run_writer(void *arg)
{
	struct writer *w = arg;
	struct io_uring ring;
	void *bufs[MAX_OPS];
	int fds[FILES], i;
	struct batch b;

	for (i = 0; i < MAX_OPS; i++)
		if (posix_memalign(&bufs[i], 4096, MAX_OP * SECTOR))
			die("memory");
	for (i = 0; i < FILES; i++)
		fds[i] = open_file(i, O_RDWR | O_DIRECT);
	if (io_uring_queue_init(MAX_OPS, &ring, 0))
		die("io_uring_queue_init");
	while (!last_batch || w->batches < last_batch) {
		next_batch(w, &b);
		do_batch(&b, fds[b.file], &ring, bufs);
		acknowledge(w);
	}
	return NULL;
}

static int run(void)
{
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];
	int i;

	for (i = 0; i < WRITERS; i++) {
		start_writer(&writers[i], i);
		if (pthread_create(&threads[i], NULL, run_writer, &writers[i]))
			die("thread");
	}
	for (i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

/*
 * Whatever block a file gets has been written before.  The junk goes through the page
 * cache: the fork's direct writes are what the test is about, not what it begins with.
 */
static void prepare(void)
{
	static uint64_t junk[1 << 17], sector[BLOCK * WORDS];
	char path[4096];
	size_t i;
	int fd, file, block, s;

	for (i = 0; i < sizeof(junk) / SECTOR; i++)
		fill_junk(junk + i * WORDS);
	snprintf(path, sizeof(path), "%s/junk", dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	if (fd < 0)
		die(path);
	while (write(fd, junk, sizeof(junk)) > 0)
		;
	if (errno != ENOSPC || fsync(fd) || close(fd) || unlink(path))
		die(path);
	sync();
	for (file = 0; file < FILES; file++) {
		fd = open_file(file, O_RDWR | O_CREAT);
		if (file < GROW && ftruncate(fd, SECTORS * SECTOR))
			die("ftruncate");
		for (block = 0; file < GROW && block < SECTORS / BLOCK; block++) {
			off_t pos = (off_t)block * BLOCK * SECTOR;

			for (s = 0; s < BLOCK; s++)
				fill(sector + s * WORDS, file, block * BLOCK + s, 0);
			if (begins(file, block) == 0 &&
			    pwrite(fd, sector, sizeof(sector), pos) != sizeof(sector))
				die("write");
			if (begins(file, block) == 1 &&
			    fallocate(fd, 0, pos, sizeof(sector)) && errno != EOPNOTSUPP)
				die("fallocate");
		}
		if (fsync(fd) || close(fd))
			die("fsync");
	}
}

/* -------------------------------------------------------------------- judging it */

/* Generations: the last durable change, the last change, the last that made zeros. */
struct sector {
	long durable, last, zero;
};

static struct sector state[FILES][SECTORS];
/* Sizes that append may have, from-to: the durable one and all since. */
static struct size {
	int from, to;
} *sizes[WRITERS];
static int nsizes[WRITERS];

static void changed(int file, int from, int to, unsigned int gen, bool zero)
{
	int s;

	for (s = from; s < to; s++) {
		state[file][s].last = gen;
		if (zero)
			state[file][s].zero = gen;
	}
}

static void resized(int me, int from, int to)
{
	sizes[me] = realloc(sizes[me], (nsizes[me] + 1) * sizeof(struct size));
	sizes[me][nsizes[me]++] = (struct size){ from, to };
}

static void durable(int file, int me, int from, int to)
{
	int s;

	for (s = from; s < to; s++)
		if (owner(file, s) == me)
			state[file][s].durable = state[file][s].last;
	/* The data is of no use without the size. */
	if (file >= FIRST_APPEND) {
		s = sizes[me][nsizes[me] - 1].to;
		sizes[me][0] = (struct size){ s, s };
		nsizes[me] = 1;
	}
}

/* Repeat what @op of writer @me did to the state. */
static void follow(int file, int me, const struct op *op)
{
	int end = op->from + op->count;
	int size;

	if (file < FIRST_APPEND) {
		if (op->kind == WRITE || op->kind == PUNCH || op->kind == ZERO)
			changed(file, op->from, end, op->gen, op->kind != WRITE);
		return;
	}
	size = sizes[me][nsizes[me] - 1].to;
	if (op->kind == TRUNCATE) {
		/* Larger: zeros.  Smaller: zeros at most, in the last block and after it grew. */
		if (op->from > size)
			changed(file, size, op->from, op->gen, true);
		else
			changed(file, op->from, size, op->gen, true);
		resized(me, op->from, op->from);
		return;
	}
	if (op->from > size)
		changed(file, size, op->from, op->gen, true);
	if (op->kind == WRITE)
		changed(file, op->from, end, op->gen, false);
	else if (end > size)
		changed(file, size, end, op->gen, true);
	/* It gets there in steps: preallocation from the old size, a write extent by extent. */
	if (end > size)
		resized(me, op->kind == WRITE && op->from >= size ? op->from + 1 : size, end);
}

static void expect(int me, unsigned int acked, unsigned int late)
{
	struct writer w;
	struct batch b;
	int i;

	resized(me, 0, 0);
	start_writer(&w, me);
	while (w.batches < acked + late) {
		next_batch(&w, &b);
		for (i = 0; i < b.n; i++) {
			follow(b.file, me, &b.ops[i]);
			if (w.batches <= acked && b.ops[i].kind == WRITE &&
			    (b.how == DSYNC || b.how == ASYNC_DSYNC))
				durable(b.file, me, b.ops[i].from, b.ops[i].from + b.ops[i].count);
		}
		if (w.batches <= acked && (b.how == FDATASYNC || b.how == FSYNC))
			durable(b.file, me, 0, sectors(b.file));
	}
}

/* What is wrong with a sector; NULL if nothing is. */
static const char *judge(int file, int s, const uint64_t *got, unsigned int newest)
{
	static const uint64_t zeros[WORDS];
	const struct sector *want = &state[file][s];
	static char text[128];
	uint64_t full[WORDS];

	if (!memcmp(got, zeros, SECTOR)) {
		if (want->zero >= want->durable)
			return NULL;
		snprintf(text, sizeof(text), "zeros, generation %ld is durable", want->durable);
		return text;
	}
	fill_junk(full);
	if (!memcmp(got, full, SECTOR))
		return "junk of a deleted file";
	if (got[1] >> 32 < FILES && (uint32_t)got[1] < SECTORS) {
		fill(full, got[1] >> 32, (uint32_t)got[1], got[0]);
		if (memcmp(got, full, SECTOR))
			return "torn";
		if (got[1] != ((uint64_t)file << 32 | s)) {
			snprintf(text, sizeof(text), "sector %u of %s", (uint32_t)got[1],
				 name(got[1] >> 32));
			return text;
		}
		if ((long)got[0] >= want->durable && got[0] <= newest)
			return NULL;
		snprintf(text, sizeof(text), "generation %lu, %ld is durable, %u the newest",
			 (unsigned long)got[0], want->durable, newest);
		return text;
	}
	return "garbage";
}

static int check(unsigned int late, char **acked)
{
	static uint64_t got[(SECTORS + MAX_OP) * WORDS];
	int file, s, i, bad = 0;

	for (file = 0; file < FIRST_APPEND; file++)
		for (s = 0; s < SECTORS; s++)
			state[file][s].zero = file == GROW || begins(file, s / BLOCK) ? 0 : -1;
	/* What is behind the end of append has never been zeros. */
	for (; file < FILES; file++)
		for (s = 0; s < APPEND; s++)
			state[file][s].zero = -1;
	for (i = 0; i < WRITERS; i++)
		expect(i, atoi(acked[i]), late);

	for (file = 0; file < FILES; file++) {
		int fd = open_file(file, O_RDONLY);
		ssize_t len = pread(fd, got, sizeof(got), 0);
		bool found = file == GROW || (file < GROW && len >= SECTORS * SECTOR);

		for (i = 0; file >= FIRST_APPEND && i < nsizes[file - FIRST_APPEND]; i++) {
			struct size *size = &sizes[file - FIRST_APPEND][i];

			found |= len >= size->from * SECTOR && len <= size->to * SECTOR;
		}
		if (!found && bad++ < 5)
			printf("%s: size %zd\n", name(file), len);
		for (s = 0; s < sectors(file) && s < len / SECTOR; s++) {
			int me = owner(file, s);
			unsigned int newest = (atoi(acked[me]) + late) * MAX_OPS;
			const char *why = judge(file, s, got + s * WORDS, newest);

			if (why && bad++ < 5)
				printf("%s, sector %d, writer %d: %s\n", name(file), s, me, why);
		}
		for (; file == GROW && s < SECTORS; s++)
			if (state[file][s].durable > 0 && bad++ < 5)
				printf("%s, sector %d, writer %d: behind the end, %ld is durable\n",
				       name(file), s, owner(file, s), state[file][s].durable);
		close(fd);
	}
	if (bad)
		printf("%d sectors or sizes are wrong\n", bad);
	return !!bad;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	dir = argv[2];
	seed = strtoull(argv[3], NULL, 0);
	if (!strcmp(argv[1], "prepare") && argc == 4) {
		prepare();
		return 0;
	}
	if (!strcmp(argv[1], "run") && argc == 6) {
		last_batch = atoi(argv[4]);
		mark_device = strcmp(argv[5], "-") ? argv[5] : NULL;
		return run();
	}
	if (!strcmp(argv[1], "check") && argc == 5 + WRITERS)
		return check(atoi(argv[4]), argv + 5);
	return 2;
}
