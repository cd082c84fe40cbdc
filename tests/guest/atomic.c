// SPDX-License-Identifier: GPL-2.0
/*
 * Atomic writes (RWF_ATOMIC) and what they meet.
 *
 *   atomic race FILE sync|aio ok|fault|late
 *	FILE is 16 KiB, partly unwritten.  A direct write to its last block and an atomic one
 *	to all of it, 20 ms later (late: before); fault and late: that fails, because its
 *	memory cannot be read, and must change nothing.  From its acknowledgement on nobody
 *	finds zeros where the first has written.
 *   atomic write FILE POS LENGTH [append|nowait|odd|limit|unextent]
 *	One atomic write of 'B'.  append: with O_APPEND; nowait: with RWF_NOWAIT; odd: from
 *	memory that begins within a block; limit: RLIMIT_FSIZE ends in its middle; unextent:
 *	after the inode's extents were taken from it.
 *
 * Prints "ok", an error of the write, or what is wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef RWF_ATOMIC
#define RWF_ATOMIC	0x40
#endif

#define BLOCK	4096
#define SIZE	(4 * BLOCK)
#define LAST	(3 * BLOCK)
#define GAP	20000

static const char *path;
static int fd;
static bool aio, late;
static atomic_bool over;
static const char *bad;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *memory(size_t size, int byte)
{
	void *mem;

	if (posix_memalign(&mem, 65536, size))
		exit(2);
	return memset(mem, byte, size);
}

static ssize_t write_atomic(void *from, size_t len, off_t pos, int flags)
{
	struct iovec iov = { from, len };

	return syscall(SYS_pwritev2, fd, &iov, 1, (long)pos, 0L, RWF_ATOMIC | flags);
}

static void write_by_aio(void *from, size_t len, off_t pos)
{
	aio_context_t ctx = 0;
	struct io_event event;
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd,
		.aio_buf = (uintptr_t)from, .aio_nbytes = len, .aio_offset = pos,
	}, *list = &cb;

	if (syscall(SYS_io_setup, 1, &ctx) || syscall(SYS_io_submit, ctx, 1, &list) != 1 ||
	    syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL) != 1 ||
	    event.res != (long long)len)
		die("AIO write");
}

/* The write to the last block; once it is acknowledged, nobody finds zeros there. */
static void *other(void *unused)
{
	unsigned char *block = memory(BLOCK, 'A');
	bool last = false;

	(void)unused;
	if (late)
		usleep(GAP);
	if (aio)
		write_by_aio(block, BLOCK, LAST);
	else if (pwrite(fd, block, BLOCK, LAST) != BLOCK)
		die("write");
	while (!last) {
		last = over;
		if (pread(fd, block, BLOCK, LAST) != BLOCK)
			die("read");
		if (memchr(block, 0, BLOCK)) {
			bad = last ? "acknowledged, and lost" : "acknowledged, and zeros are read";
			if (!last)
				usleep(1000);
		}
	}
	return NULL;
}

static void race(const char *what)
{
	bool fault = strcmp(what, "ok");
	unsigned char *buf = fault ? mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
				   : memory(SIZE, 'B');
	unsigned char *before = memory(SIZE, 0), *after = memory(SIZE, 0);
	pthread_t thread;
	ssize_t ret;
	int error;

	late = !strcmp(what, "late");
	/* Not direct: what is dirty has to stay that. */
	if (pread(open(path, O_RDONLY), before, SIZE, 0) != SIZE)
		die("read");
	if (pthread_create(&thread, NULL, other, NULL))
		die("thread");
	if (!late)
		usleep(GAP);
	ret = write_atomic(buf, SIZE, 0, 0);
	error = errno;
	over = true;
	pthread_join(thread, NULL);
	if (fsync(fd) || pread(fd, after, SIZE, 0) != SIZE)
		die("fsync and read");
	if (fault ? ret != -1 || error != EFAULT : ret != SIZE)
		printf("the atomic write: %zd, %s\n", ret, ret < 0 ? strerror(error) : "");
	else if (bad)
		puts(bad);
	else if (memcmp(after, fault ? before : memory(SIZE, 'B'), LAST))
		puts("the rest of the file is not what it must be");
	else
		puts("ok");
}

static void once(off_t pos, size_t len, const char *how)
{
	struct rlimit limit = { pos + len / 2, pos + len / 2 };
	unsigned char *buf = memory(len + 512, 'B');
	int nowait = 0;
	ssize_t ret;
	long flags;

	if (!strcmp(how, "nowait"))
		nowait = RWF_NOWAIT;
	else if (!strcmp(how, "odd"))
		buf += 512;
	else if (!strcmp(how, "limit") && setrlimit(RLIMIT_FSIZE, &limit))
		die("setrlimit");
	else if (!strcmp(how, "unextent") &&
		 (ioctl(fd, FS_IOC_GETFLAGS, &flags) || !(flags & FS_EXTENT_FL) ||
		  (flags &= ~FS_EXTENT_FL, ioctl(fd, FS_IOC_SETFLAGS, &flags))))
		die("chattr -e");
	signal(SIGXFSZ, SIG_IGN);
	ret = write_atomic(buf, len, pos, nowait);
	if (ret == (ssize_t)len)
		puts("ok");
	else if (ret < 0)
		puts(strerrorname_np(errno));
	else
		printf("%zd of %zu\n", ret, len);
}

int main(int argc, char **argv)
{
	const char *how = argc > 5 ? argv[5] : "";

	if (argc < 5)
		return 2;
	path = argv[2];
	fd = open(path, O_RDWR | O_DIRECT | (strcmp(how, "append") ? 0 : O_APPEND));
	if (fd < 0)
		die(path);
	if (!strcmp(argv[1], "race")) {
		aio = !strcmp(argv[3], "aio");
		race(argv[4]);
	} else {
		once(atol(argv[3]), atol(argv[4]), how);
	}
	return 0;
}
