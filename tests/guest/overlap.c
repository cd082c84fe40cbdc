// SPDX-License-Identifier: GPL-2.0
/*
 * Observe from outside what lock a direct write takes.
 *
 *   overlap FILE DELAY_MS POS1 POS2 LEN [read|aio|nowait|by-aio|by-uring] [MODEL]
 *
 * FILE begins with one written block of 4 KiB; a direct overwrite of it ("the
 * other"; with read: a direct read) is known to run under the shared lock and
 * takes DELAY_MS on the slow device below.  The write in question goes to POS1 while
 * the other is in flight, and to POS2 before the other starts, so the file must look
 * alike at both:
 *
 *   waits  it took much longer than one delay: it waited for the other
 *   holds  the other took much longer: it waited for the write in question
 *
 * shared is neither, exclusive is both, exclusive for the checks only is "waits".
 * With aio the other is submitted asynchronously: it is in flight, but holds no lock.
 * It is then 1 KiB long, for the write in question to meet it within a page.  With by-aio
 * or by-uring the write in question is asynchronous; its time ends with its completion.
 *
 * Then the whole file is compared byte for byte with what was there before, with both
 * writes put into it.  What was there is read from FILE, or from its copy MODEL: then nothing
 * of FILE is cached by that.
 *
 * With nowait: RWF_NOWAIT at POS1.  A timestamp that is due refuses it like a lock
 * would, so each try follows at once upon a write that brings them up to date.
 *
 * Prints "waits=0|1 holds=0|1 errno=N bytes=N data=ok|bad fsync=ok|failed".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096

enum how { WRITE, READ, AIO, URING };

struct job {
	int fd;
	int flags;
	enum how how;
	char *buf;
	size_t len;
	off_t pos;
	ssize_t ret;
	double ms;
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static ssize_t write_aio(struct job *job)
{
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_fildes = job->fd,
		.aio_buf = (uintptr_t)job->buf,
		.aio_nbytes = job->len,
		.aio_offset = job->pos,
	}, *list = &cb;
	struct io_event event;
	aio_context_t ctx = 0;

	if (syscall(SYS_io_setup, 1, &ctx) || syscall(SYS_io_submit, ctx, 1, &list) != 1 ||
	    syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL) != 1)
		return -1;
	/* No io_destroy: it waits for a grace period, which would be measured as well. */
	return event.res;
}

static ssize_t write_uring(struct job *job)
{
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	ssize_t ret = io_uring_queue_init(1, &ring, 0);

	if (ret)
		return ret;
	io_uring_prep_write(io_uring_get_sqe(&ring), job->fd, job->buf, job->len, job->pos);
	io_uring_submit(&ring);
	ret = io_uring_wait_cqe(&ring, &cqe);
	if (!ret)
		ret = cqe->res;
	io_uring_queue_exit(&ring);
	return ret;
}

static void *work(void *arg)
{
	struct job *job = arg;
	struct iovec iov = { job->buf, job->len };
	double start = now_ms();

	switch (job->how) {
	case WRITE:
		job->ret = pwritev2(job->fd, &iov, 1, job->pos, job->flags);
		break;
	case READ:
		job->ret = preadv2(job->fd, &iov, 1, job->pos, job->flags);
		break;
	case AIO:
		job->ret = write_aio(job);
		break;
	case URING:
		job->ret = write_uring(job);
		break;
	}
	if (job->ret < 0 && job->how != URING)
		job->ret = -errno;
	job->ms = now_ms() - start;
	return NULL;
}

/* Start @first, @second a quarter of the delay later, and wait for both. */
static void overlap(struct job *first, struct job *second, double delay)
{
	pthread_t a, b;

	pthread_create(&a, NULL, work, first);
	usleep(delay * 250);
	pthread_create(&b, NULL, work, second);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
}

static char *load(const char *path, off_t *size)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	char *data;

	if (fd < 0 || fstat(fd, &st)) {
		perror(path);
		exit(1);
	}
	data = calloc(1, st.st_size + (8 << 20));
	if (read(fd, data, st.st_size) != st.st_size) {
		perror("read");
		exit(1);
	}
	/* Cached pages in its range, even clean ones, refuse a NOWAIT write. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	*size = st.st_size;
	return data;
}

static void apply(char *model, off_t *size, const struct job *job)
{
	if (job->ret <= 0 || job->how == READ)
		return;
	memcpy(model + job->pos, job->buf, job->ret);
	if (job->pos + job->ret > *size)
		*size = job->pos + job->ret;
}

int main(int argc, char **argv)
{
	struct job other = { 0 }, one = { 0 }, two;
	const char *mode = argc > 6 ? argv[6] : "";
	int nowait = !strcmp(mode, "nowait");
	int waits = 0, holds = 0, tries;
	off_t size, size_after;
	char *model, *after;
	double delay;

	if (argc < 6)
		return 2;
	delay = atof(argv[2]);
	model = load(argc > 7 ? argv[7] : argv[1], &size);
	other.fd = one.fd = open(argv[1], O_RDWR | O_DIRECT);
	if (one.fd < 0) {
		perror(argv[1]);
		return 1;
	}
	one.pos = atoll(argv[3]);
	one.len = atoll(argv[5]);
	one.flags = nowait ? RWF_NOWAIT : 0;
	other.len = BLOCK;
	if (!strcmp(mode, "read")) {
		other.how = READ;
	} else if (!strcmp(mode, "aio")) {
		other.how = AIO;
		other.len = 1024;
	} else if (!strcmp(mode, "by-aio")) {
		one.how = AIO;
	} else if (!strcmp(mode, "by-uring")) {
		one.how = URING;
	}
	if (posix_memalign((void **)&one.buf, BLOCK, one.len + BLOCK) ||
	    posix_memalign((void **)&other.buf, BLOCK, BLOCK))
		return 1;
	memset(one.buf, 'B', one.len);
	memset(other.buf, 'A', BLOCK);
	two = one;
	two.pos = atoll(argv[4]);
	two.ret = 0;

	if (nowait) {
		for (tries = 0; tries < 100; tries++) {
			work(&other);
			work(&one);
			if (one.ret != -EAGAIN)
				break;
		}
		apply(model, &size, &other);
		apply(model, &size, &one);
	} else {
		overlap(&other, &one, delay);
		waits = one.ms > 1.5 * delay;
		overlap(&two, &other, delay);
		holds = other.ms > 1.5 * delay;
		apply(model, &size, &other);
		apply(model, &size, &one);
		apply(model, &size, &two);
	}
	if (other.ret != (ssize_t)other.len) {
		fprintf(stderr, "the other gave %zd\n", other.ret);
		return 1;
	}
	after = load(argv[1], &size_after);
	printf("waits=%d holds=%d errno=%d bytes=%zd data=%s fsync=%s\n", waits, holds,
	       one.ret < 0 ? (int)-one.ret : 0, one.ret < 0 ? 0 : one.ret,
	       size == size_after && !memcmp(model, after, size) ? "ok" : "bad",
	       fsync(one.fd) ? "failed" : "ok");
	return 0;
}
