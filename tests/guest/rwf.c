// SPDX-License-Identifier: GPL-2.0
/*
 * One direct RWF_NOWAIT read or write, and what came of it.
 *
 *   rwf read|write FILE POS LEN [FRESH-POS|unaligned|ticks|show|fsync|syncfs]
 *   rwf fsyncs FILE OTHER THIRD
 *   rwf stream FILE POS LEN COUNT STEP
 *   rwf torn FILE POS LEN [GOOD]
 *
 * A timestamp that is due refuses a write as a lock would.  With FRESH-POS each try
 * follows at once upon a plain write of LEN there, which brings them up to date, and
 * is repeated up to 100 times while refused.  With unaligned the memory is not
 * aligned, and the call may wait.  Prints "ok", "again", or the error.
 *
 * With ticks there are 50 of them, each after 10 ms and an fstat: a timestamp is due for
 * every one.  Prints how many went through.
 *
 * With show, the whole of a read prints what its bytes are: "all 00", or "mixed".
 *
 * With fsync or syncfs that follows upon the write, and then the file system is shut down, and
 * the journal that is in memory lost.
 *
 * fsyncs is for a journal that takes its time.  A commit, for OTHER, has the block of all three
 * inodes in hand; so who puts the timestamp of a NOWAIT write to THIRD into the journal, and a
 * first fsync of such a write to FILE, both have to wait.  A second fsync of that follows, and
 * prints "fsync has ended".
 *
 * stream makes COUNT writes, each STEP behind the one before and 1 ms after it; what is refused is
 * written without NOWAIT.  Every 512 B of a write have its number in them.  Prints how many were
 * refused.
 *
 * torn makes a buffered write from memory that cannot be read, or, with GOOD, a direct one from
 * memory of which only so many bytes can.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define TICKS	50
#define SHUTDOWN	_IOR('X', 125, unsigned int)

/* A write from memory of which no more than the first @good bytes can be read. */
static int bad_memory(const char *path, off_t pos, size_t len, size_t good)
{
	size_t pages = (good + 4095) / 4096 * 4096;
	char *memory = mmap(NULL, pages + len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open(path, O_RDWR | (good ? O_DIRECT : 0));
	ssize_t ret;

	if (fd < 0 || memory == MAP_FAILED ||
	    (good && mprotect(memory, pages, PROT_READ | PROT_WRITE))) {
		perror(path);
		return 1;
	}
	memory += pages - good;
	memset(memory, 'N', good);
	ret = pwrite(fd, memory, len, pos);
	if (ret < 0 ? errno != EFAULT : (size_t)ret > good) {
		perror(path);
		return 1;
	}
	return 0;
}

static int stream(int fd, const struct iovec *iov, off_t pos, int count, off_t step)
{
	int n, refused = 0;
	size_t i;

	for (n = 0; n < count; n++, pos += step) {
		for (i = 0; i < iov->iov_len; i += 512)
			*(int *)((char *)iov->iov_base + i) = n + 1;
		if (pwritev2(fd, iov, 1, pos, RWF_NOWAIT) != (ssize_t)iov->iov_len) {
			if (errno != EAGAIN)
				return -1;
			refused++;
			if (pwritev(fd, iov, 1, pos) != (ssize_t)iov->iov_len)
				return -1;
		}
		usleep(1000);
	}
	return refused;
}

static int ticks(int fd, const struct iovec *iov, off_t pos)
{
	int try, through = 0;
	struct stat st;

	for (try = 0; try < TICKS; try++) {
		usleep(10000);
		if (fstat(fd, &st))
			return -1;
		if (pwritev2(fd, iov, 1, pos, RWF_NOWAIT) == (ssize_t)iov->iov_len)
			through++;
	}
	return through;
}

static void show_bytes(const unsigned char *buf, size_t len)
{
	if (memcmp(buf, buf + 1, len - 1))
		puts("mixed");
	else
		printf("all %02x\n", buf[0]);
}

/* What was promised is there, and nothing else. */
static void sync_and_crash(int fd, int all)
{
	unsigned int without_journal = 2;

	if (all ? syncfs(fd) : fsync(fd))
		perror("sync");
	if (ioctl(fd, SHUTDOWN, &without_journal))
		perror("shutdown");
}

static void *commit(void *fd)
{
	if (fchmod(*(int *)fd, 0600) || fsync(*(int *)fd))
		perror("the commit");
	return NULL;
}

static void *first_fsync(void *fd)
{
	if (fsync(*(int *)fd))
		perror("the first fsync");
	return NULL;
}

static int fsyncs(char **paths)
{
	int fds[4], i;
	pthread_t threads[2];
	struct iovec iov = { .iov_len = 4096 };

	for (i = 0; i < 4; i++) {
		fds[i] = open(paths[i % 3], O_RDWR | O_DIRECT);
		if (fds[i] < 0)
			return 1;
	}
	if (posix_memalign(&iov.iov_base, 4096, 4096))
		return 1;
	memset(iov.iov_base, 'N', 4096);
	pthread_create(&threads[0], NULL, commit, &fds[1]);
	usleep(300000);
	if (pwritev2(fds[2], &iov, 1, 0, RWF_NOWAIT) < 0)
		perror("THIRD");
	usleep(100000);
	if (pwritev2(fds[0], &iov, 1, 0, RWF_NOWAIT) < 0)
		perror("FILE");
	pthread_create(&threads[1], NULL, first_fsync, &fds[0]);
	usleep(200000);
	if (fsync(fds[3]))
		perror("the second fsync");
	puts("fsync has ended");
	fflush(stdout);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

int main(int argc, char **argv)
{
	struct iovec iov = { 0 };
	int tries, fd, write, unaligned, show, fresh, crash;
	ssize_t ret;

	if (argc < 5)
		return 2;
	if (!strcmp(argv[1], "fsyncs"))
		return fsyncs(argv + 2);
	if (!strcmp(argv[1], "torn"))
		return bad_memory(argv[2], atoll(argv[3]), atoll(argv[4]),
				  argc > 5 ? atoll(argv[5]) : 0);
	write = strcmp(argv[1], "read");
	unaligned = argc > 5 && !strcmp(argv[5], "unaligned");
	show = argc > 5 && !strcmp(argv[5], "show");
	crash = argc > 5 && strstr(argv[5], "sync");
	fresh = argc > 5 && !unaligned && !show && !crash && strcmp(argv[5], "ticks");
	fd = open(argv[2], (write ? O_RDWR : O_RDONLY) | O_DIRECT);
	iov.iov_len = atoll(argv[4]);
	if (fd < 0 || posix_memalign(&iov.iov_base, 4096, iov.iov_len + 1)) {
		perror(argv[2]);
		return 1;
	}
	iov.iov_base = (char *)iov.iov_base + unaligned;
	memset(iov.iov_base, 'N', iov.iov_len);
	if (argc > 6) {
		tries = stream(fd, &iov, atoll(argv[3]), atoi(argv[5]), atoll(argv[6]));
		if (tries < 0) {
			perror("write");
			return 1;
		}
		printf("%d refused\n", tries);
		return 0;
	}
	if (argc > 5 && !strcmp(argv[5], "ticks")) {
		printf("%d of %d\n", ticks(fd, &iov, atoll(argv[3])), TICKS);
		return 0;
	}
	for (tries = fresh ? 100 : 1; tries; tries--) {
		if (fresh && pwritev(fd, &iov, 1, atoll(argv[5])) < 0)
			perror("fresh write");
		if (write)
			ret = pwritev2(fd, &iov, 1, atoll(argv[3]),
				       unaligned ? 0 : RWF_NOWAIT);
		else
			ret = preadv2(fd, &iov, 1, atoll(argv[3]), RWF_NOWAIT);
		if (ret >= 0 || errno != EAGAIN)
			break;
	}
	if (crash && ret == (ssize_t)iov.iov_len)
		sync_and_crash(fd, !strcmp(argv[5], "syncfs"));
	if (show && ret == (ssize_t)iov.iov_len)
		show_bytes(iov.iov_base, iov.iov_len);
	else if (ret == (ssize_t)iov.iov_len)
		puts("ok");
	else if (ret < 0)
		puts(errno == EAGAIN ? "again" : strerror(errno));
	else
		printf("%zd bytes\n", ret);
	return 0;
}
