// SPDX-License-Identifier: GPL-2.0
/*
 * Direct writes that make a file larger, beside something else that happens at its end, on
 * a slow device.
 *
 *   append store FILE    stores through mmap to the last page while a write behind it is in
 *                        flight; then one to a block of that page which was behind the end
 *                        (blocks of 1 KiB)
 *   append seen FILE     the same with O_DSYNC: that store comes when the new size is
 *                        seen, while the journal commits
 *   append rest FILE     an O_APPEND write that goes through the page cache in the end, and
 *                        another task makes the file larger just before: what was written
 *                        must be on the disk and out of the page cache, wherever it went
 *                        (an inode without extents; blocks as large as a page)
 *
 * Prints "ok", or what is wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCK	1024
#define PAGE	4096
#define POS	(2 * PAGE)		/* where the file is written behind its end */
#define GROWN	(16 * PAGE + 512)

static const char *path;
static unsigned char *buf;
static volatile unsigned char *map;
static atomic_int stop;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int open_file(int flags)
{
	int fd = open(path, O_RDWR | O_CREAT | flags, 0600);

	if (fd < 0)
		die(path);
	return fd;
}

/* A file of @size bytes of 'o', on disk. */
static int create(size_t size)
{
	int fd = open_file(O_TRUNC);

	memset(buf, 'o', size);
	if (pwrite(fd, buf, size, 0) != (ssize_t)size || fsync(fd))
		die(path);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap");
	return fd;
}

static off_t size_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		die("fstat");
	return st.st_size;
}

static void *stores(void *unused)
{
	(void)unused;
	while (!stop)
		map[0]++;
	return NULL;
}

static void *write_behind(void *fd)
{
	if (pwrite((intptr_t)fd, buf, BLOCK, POS) != BLOCK)
		die("write");
	return NULL;
}

static int store(bool seen)
{
	int fd = create(BLOCK), direct = open_file(O_DIRECT | (seen ? O_DSYNC : 0));
	pthread_t storer, writer;
	bool ended = true;

	map[0] = 1;
	if (pthread_create(&storer, NULL, stores, NULL))
		die("thread");
	usleep(20000);
	memset(buf, 'N', BLOCK);
	if (pthread_create(&writer, NULL, write_behind, (void *)(intptr_t)direct))
		die("thread");
	if (seen) {
		while (size_of(fd) == BLOCK)
			usleep(1000);
		/* Like truncate, the write changes the size first and then the page. */
		usleep(20000);
		map[2 * BLOCK] = 'X';
		ended = !pthread_tryjoin_np(writer, NULL);
	}
	if (!seen || !ended)
		pthread_join(writer, NULL);
	stop = 1;
	pthread_join(storer, NULL);
	if (!seen)
		map[2 * BLOCK] = 'X';
	else if (ended)
		puts("the size was seen too late, the write has ended");
	if (msync((void *)map, PAGE, MS_SYNC) || fsync(fd))
		die("sync");
	if (pread(direct, buf, POS + BLOCK, 0) != POS + BLOCK)
		die("read");
	if (buf[2 * BLOCK] != 'X' || buf[0] != map[0])
		printf("the store is lost, %#x on disk\n", buf[2 * BLOCK]);
	else if (buf[POS] != 'N' || buf[BLOCK] || buf[POS - 1])
		puts("the write is lost, or what is before it");
	else
		return 0;
	return 1;
}

/* On one CPU, @priority above the others that are: comes as soon as it can. */
static void pin(int priority)
{
	struct sched_param param = { .sched_priority = priority };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) ||
	    (priority && sched_setscheduler(0, SCHED_FIFO, &param)))
		die("sched");
}

static atomic_long appended;

/* Waits for what is in flight with i_rwsem held, because it is unaligned; then falls back. */
static void *append(void *unused)
{
	int fd = open_file(O_DIRECT | O_APPEND);

	(void)unused;
	pin(0);
	memset(buf, 'A', 512);
	if (write(fd, buf, 512) != 512)
		die("append");
	appended = lseek(fd, 0, SEEK_CUR) - 512;
	return NULL;
}

/* Waits for i_rwsem behind that, and gets it first. */
static void *grow(void *fd)
{
	pin(1);
	if (ftruncate((intptr_t)fd, GROWN))
		die("ftruncate");
	return NULL;
}

static int rest(void)
{
	int fd = create(PAGE), direct = open_file(O_DIRECT);
	aio_context_t ctx = 0;
	unsigned char *other, resident;
	struct io_event event;
	pthread_t a, b;
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = direct,
		.aio_nbytes = PAGE, .aio_offset = 0,
	}, *list = &cb;

	/* The end of the file is in a hole, for which this inode without extents has no way. */
	if (ftruncate(fd, 2 * PAGE + 512) || fsync(fd) ||
	    posix_memalign((void **)&other, PAGE, PAGE))
		die("file");
	memset(other, 'B', PAGE);
	cb.aio_buf = (uintptr_t)other;
	if (syscall(SYS_io_setup, 1, &ctx) || syscall(SYS_io_submit, ctx, 1, &list) != 1)
		die("io_submit");
	pthread_create(&a, NULL, append, NULL);
	usleep(100000);
	pthread_create(&b, NULL, grow, (void *)(intptr_t)fd);
	if (syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL) != 1 || event.res != PAGE)
		die("AIO write");
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	if (appended != GROWN) {
		printf("appended at %ld: the file did not grow in between\n", appended);
		return 1;
	}
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, GROWN & -PAGE);
	if (map == MAP_FAILED || mincore((void *)map, PAGE, &resident))
		die("mincore");
	if (resident & 1) {
		puts("what was appended is in the page cache");
		return 1;
	}
	if (pread(direct, buf, 2 * PAGE, GROWN & -PAGE) != 1024 || buf[0] || buf[512] != 'A' ||
	    buf[1023] != 'A') {
		puts("what was appended is not there");
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int bad;

	if (argc != 3 || posix_memalign((void **)&buf, PAGE, 4 * PAGE))
		return 2;
	path = argv[2];
	if (!strcmp(argv[1], "rest"))
		bad = rest();
	else
		bad = store(!strcmp(argv[1], "seen"));
	if (!bad)
		puts("ok");
	return 0;
}
