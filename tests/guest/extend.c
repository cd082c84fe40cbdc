// SPDX-License-Identifier: GPL-2.0
/*
 * Many threads make one file larger at once, by direct writes of whole pages, and others look on.
 *
 *   extend grow FILE SECONDS THREADS SEED [LETTERS]
 *	t also truncates it, to any size; p punches holes, b writes through the page cache at
 *	the end, m stores through mmap to one of the last pages, k preallocates behind the end;
 *	with a the writes are asynchronous, a few of each thread in flight at once;
 *	with f it ends when the disk is full, for all; i says that the file has no extents, and
 *	so what is in flight may be seen in part, in the page cache
 *   extend efault FILE
 *	an append of which only the first half can be read from memory
 *
 * The writers take the next pages in turn, so that they end in any order.  Each page says which
 * it is.  Then for whoever looks, at any time:
 *
 *  - a page whose write has returned is there; any other holds that or zeroes
 *  - the size covers all pages whose write has returned, and never shrinks
 *
 * With t both hold for what was written since the last truncate has ended.
 *
 * Prints "ok" and how many pages, or what is wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE	4096
#define PAGES	(1 << 16)		/* the most that a file gets */
#define MOST	8			/* pages of one write */
#define DEPTH	4			/* asynchronous writes of a thread */

static const char *path, *letters = "";
static atomic_long next_page, pages_done;
/* For a page: 1 more than the number of truncates that had begun or ended when it was there. */
static atomic_long done[PAGES];
static atomic_long cuts;
static atomic_int stop, bad, full;
static uint64_t seed;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void wrong(const char *what, long page, long more)
{
	if (atomic_fetch_add(&bad, 1) < 5)
		printf("wrong: %s, page %ld, %ld\n", what, page, more);
	stop = 1;
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

static int open_file(int flags)
{
	int fd = open(path, O_RDWR | O_CREAT | flags, 0600);

	if (fd < 0)
		die(path);
	return fd;
}

static void *memory(size_t len)
{
	void *p;

	if (posix_memalign(&p, PAGE, len))
		die("memory");
	return p;
}

static void fill(uint64_t *buf, long page)
{
	for (int i = 0; i < PAGE / 8; i++)
		buf[i] = 0xe87e4d0000000000 + page;
}

/*
 * Is @buf what page @page may hold?  A truncate leaves the first part of it, and a store or a
 * buffered write makes one word of it.
 */
static bool may_hold(const uint64_t *buf, long page, bool must)
{
	uint64_t want = 0xe87e4d0000000000 + page;
	int i = 0, bytes;

	while (i < PAGE / 8 && buf[i] == want)
		i++;
	if (i == PAGE / 8)
		return true;
	if (!must && with('i')) {
		/* Each byte by itself: an emulated CPU may copy so. */
		for (i = 0; i < PAGE; i++) {
			char byte = ((const char *)buf)[i];

			if (byte && byte != ((char *)&want)[i % 8])
				return false;
		}
		return true;
	}
	if (must || (i && !with('t') && !(i == 1 && (with('b') || with('m')))))
		return false;
	/* Cut within a word, be it the first: its other bytes are zero. */
	for (bytes = 1; bytes < 8 && with('t'); bytes++) {
		if (buf[i] == (want & ((1ull << bytes * 8) - 1))) {
			i++;
			break;
		}
	}
	while (i < PAGE / 8 && !buf[i])
		i++;
	return i == PAGE / 8;
}

/* A write in flight, or room for one. */
struct part {
	char *buf;
	long page, before;
	int count;
};

/* The next pages, if there are any. */
static bool next_part(struct part *p, uint64_t *random)
{
	int i;

	p->count = 1 + rnd(random, MOST);
	p->page = atomic_fetch_add(&next_page, p->count);
	p->before = cuts;
	if (p->page + p->count > PAGES)
		return false;
	for (i = 0; i < p->count; i++)
		fill((uint64_t *)(p->buf + i * PAGE), p->page + i);
	return true;
}

/* It has returned @ret; shall its thread go on? */
static bool part_done(const struct part *p, ssize_t ret)
{
	int i;

	if (ret != p->count * PAGE) {
		if (ret != -ENOSPC || !with('f'))
			wrong("write", p->page, ret);
		return false;
	}
	if (p->before & 1 || p->before != cuts)
		return true;
	for (i = 0; i < p->count; i++)
		done[p->page + i] = p->before + 1;
	pages_done += p->count;
	return true;
}

static void *append(void *arg)
{
	uint64_t random = seed + (long)arg;
	int fd = open_file(O_DIRECT);
	struct part p = { .buf = memory(MOST * PAGE) };

	while (!stop && next_part(&p, &random)) {
		struct iovec vec = { p.buf, p.count * PAGE };
		ssize_t ret = pwritev2(fd, &vec, 1, p.page * PAGE,
				       rnd(&random, 8) ? 0 : RWF_DSYNC);

		if (!part_done(&p, ret < 0 ? -errno : ret)) {
			full++;
			break;
		}
	}
	close(fd);
	return NULL;
}

static void *append_async(void *arg)
{
	uint64_t random = seed + (long)arg;
	int fd = open_file(O_DIRECT);
	bool go_on = true, failed = false;
	int flying = 0, i;
	struct part parts[DEPTH];
	aio_context_t ctx = 0;

	if (syscall(SYS_io_setup, DEPTH, &ctx))
		die("io_setup");
	for (i = 0; i < DEPTH; i++)
		parts[i].buf = memory(MOST * PAGE);
	i = 0;
	do {
		struct io_event event;
		struct part *p = &parts[i];

		if (go_on && !stop && next_part(p, &random)) {
			struct iocb cb = {
				.aio_data = i,
				.aio_lio_opcode = IOCB_CMD_PWRITE,
				.aio_rw_flags = rnd(&random, 8) ? 0 : RWF_DSYNC,
				.aio_fildes = fd,
				.aio_buf = (uintptr_t)p->buf,
				.aio_nbytes = p->count * PAGE,
				.aio_offset = p->page * PAGE,
			}, *list = &cb;

			if (syscall(SYS_io_submit, ctx, 1, &list) != 1)
				die("io_submit");
			if (++flying < DEPTH) {
				i = flying;
				continue;
			}
		} else {
			go_on = false;
			if (!flying)
				break;
		}
		if (syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL) != 1)
			die("io_getevents");
		flying--;
		i = event.data;
		if (!part_done(&parts[i], event.res)) {
			failed = true;
			go_on = false;
		}
	} while (go_on || flying);
	full += failed;
	close(fd);
	return NULL;
}

/* Looks at the end of the file, directly or through the page cache. */
static void *look(void *arg)
{
	uint64_t random = seed * 31 + (long)arg;
	int fd = open_file((long)arg & 1 ? O_DIRECT : 0);
	char *buf = memory(16 * PAGE);
	long seen[16], last_cut = 0;
	off_t last = 0;

	while (!stop) {
		long page = next_page - (long)rnd(&random, 64), i, cut = cuts;
		struct stat st;
		ssize_t len;

		if (page < 0 || page + 16 > PAGES)
			page = 0;
		for (i = 0; i < 16; i++)
			seen[i] = done[page + i];
		if (fstat(fd, &st))
			die("fstat");
		len = pread(fd, buf, 16 * PAGE, page * PAGE);
		if (len < 0)
			wrong("read", page, -errno);
		if (cut & 1 || cut != cuts) {
			last = 0;
			continue;
		}
		/* It may have been cut since the last look. */
		if (cut != last_cut)
			last = 0;
		last_cut = cut;
		if (st.st_size < last)
			wrong("the size shrinks", st.st_size / PAGE, last);
		last = st.st_size;
		for (i = 0; i < 16; i++) {
			bool must = seen[i] == cut + 1;

			if (must && (page + i + 1) * PAGE > st.st_size)
				wrong("the size does not cover it", page + i, st.st_size);
			if (must && len < (i + 1) * PAGE)
				wrong("it cannot be read", page + i, len);
			else if (len >= (i + 1) * PAGE &&
				 !may_hold((uint64_t *)(buf + i * PAGE), page + i, must))
				wrong(must ? "it is not there" : "something else", page + i,
				      *(uint64_t *)(buf + i * PAGE) & 0xffffffff);
		}
	}
	close(fd);
	return NULL;
}

/* What else changes the file: with the lock exclusively, or without it. */
static void *disturb(void *arg)
{
	uint64_t random = seed * 77 + (long)arg, word;
	int fd = open_file(0);
	int kind = (long)arg;
	struct stat st;
	char *map;

	while (!stop) {
		long page;

		usleep(rnd(&random, 20000));
		if (fstat(fd, &st))
			die("fstat");
		page = st.st_size / PAGE;
		switch (kind) {
		case 't':
			cuts++;
			st.st_size = st.st_size / 2 + rnd(&random, st.st_size + PAGE);
			if (ftruncate(fd, st.st_size))
				wrong("ftruncate", st.st_size / PAGE, -errno);
			if (st.st_size / PAGE + 64 < next_page)
				next_page = st.st_size / PAGE + 1;
			cuts++;
			break;
		case 'p':
			/* What nobody writes, since all begin with the next page. */
			cuts++;
			if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				      page / 2 * PAGE, PAGE))
				wrong("punch", page / 2, -errno);
			cuts++;
			break;
		case 'b':
			page = atomic_fetch_add(&next_page, 1);
			word = 0xe87e4d0000000000 + page;
			if (page < PAGES && pwrite(fd, &word, 8, page * PAGE) != 8)
				wrong("buffered write", page, -errno);
			break;
		case 'm':
			/* Not one that is in flight: that would be an error for fsync. */
			while (page > 0 && (page > PAGES || !done[page - 1]))
				page--;
			if (!page--)
				break;
			map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, page * PAGE);
			if (map == MAP_FAILED)
				die("mmap");
			/* (Beyond the end meanwhile: a signal, so not with t.) */
			*(volatile uint64_t *)map = 0xe87e4d0000000000 + page;
			if (rnd(&random, 2) && msync(map, PAGE, MS_SYNC))
				wrong("msync", page, -errno);
			munmap(map, PAGE);
			break;
		case 'k':
			if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (page + rnd(&random, 64)) * PAGE,
				      64 * PAGE) && errno != EOPNOTSUPP)
				wrong("fallocate", page, -errno);
			break;
		}
	}
	close(fd);
	return NULL;
}

/* All pages, when nobody writes any more. */
static void look_at_all(int flags)
{
	int fd = open_file(flags);
	char *buf = memory(PAGE);
	struct stat st;
	long page;

	if (fstat(fd, &st))
		die("fstat");
	for (page = 0; page < PAGES; page++) {
		bool must = done[page] == cuts + 1;

		if (pread(fd, buf, PAGE, page * PAGE) < PAGE) {
			if (must)
				wrong("at the end, it cannot be read", page, st.st_size);
		} else if (!may_hold((uint64_t *)buf, page, must)) {
			wrong("at the end", page, *(uint64_t *)buf & 0xffffffff);
		}
	}
	close(fd);
}

static int grow(int seconds, int threads)
{
	pthread_t thread[128];
	int n = 0, i, fd = open_file(O_TRUNC);

	for (i = 0; letters[i]; i++)
		if (strchr("tpbmk", letters[i]) &&
		    pthread_create(&thread[n++], NULL, disturb, (void *)(long)letters[i]))
			die("thread");
	for (i = 0; i < 2; i++)
		if (pthread_create(&thread[n++], NULL, look, (void *)(long)i))
			die("thread");
	for (i = 0; i < threads; i++)
		if (pthread_create(&thread[n++], NULL, with('a') ? append_async : append,
				   (void *)(long)i))
			die("thread");
	for (i = 0; i < seconds * 10 && !stop && full < threads && next_page < PAGES; i++)
		usleep(100000);
	stop = 1;
	for (i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	look_at_all(O_DIRECT);
	look_at_all(0);
	if (fsync(fd))
		wrong("fsync", 0, -errno);
	if (with('f') && full < threads)
		wrong("the disk is full for all", full, threads);
	if (!bad)
		printf("ok %ld pages, %ld cuts\n", (long)pages_done, (long)cuts / 2);
	return !!bad;
}

static int efault(void)
{
	char *buf = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	int fd = open_file(O_DIRECT);
	struct stat st;
	ssize_t ret;

	fill((uint64_t *)buf, 0);
	if (mprotect(buf + PAGE, PAGE, PROT_NONE))
		die("mprotect");
	if (fstat(fd, &st))
		die("fstat");
	ret = pwrite(fd, buf + PAGE, PAGE, st.st_size);
	printf("%s ", ret < 0 ? strerrorname_np(errno) : "no error");
	ret = pwrite(fd, buf, 2 * PAGE, st.st_size);
	printf("%s\n", ret < 0 ? strerrorname_np(errno) : "some of it");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "efault")) {
		path = argv[2];
		return efault();
	}
	if (argc < 6 || strcmp(argv[1], "grow"))
		return 2;
	path = argv[2];
	seed = strtoull(argv[5], NULL, 0);
	if (argc > 6)
		letters = argv[6];
	return grow(atoi(argv[3]), atoi(argv[4]));
}
