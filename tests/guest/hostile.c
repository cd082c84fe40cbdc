// SPDX-License-Identifier: GPL-2.0
/*
 * Uses a file system that may be damaged in any way, and damages one at random.
 *
 *   hostile read|use DIR SECONDS
 *	all files below DIR, one result a line; the kernel log says before each what comes
 *   hostile stamped DEVICE BLOCK-SIZE FIRST[-LAST]...
 *	which of these blocks hold what "use" writes
 *   hostile poke IMAGE
 *	put 32-bit words there: on stdin, lines of an offset and words
 *   hostile fuzz DEVICE DIR TYPES SEED COUNT SECONDS TEMPLATE...
 *	COUNT cases from SEED on, until SECONDS are over
 *
 * A case is a template, damaged as its seed says, mounted as each of TYPES (with commas
 * between) in turn, used and unmounted.  TEMPLATE.meta, as e2image -r makes it, has the
 * metadata of TEMPLATE and nothing else; only that is damaged.
 *
 * Every use has a process of its own, and SECONDS; one that cannot be killed afterwards
 * is a hang.  What is written are sectors full of one letter, so that they can be told
 * wherever they land.  Results of NOWAIT calls, and of the first call after a cold one,
 * have a "nowait" in their line: they depend on what is cached.  After each of these calls
 * comes one like it that may wait, so that what is in the files does not depend on them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	4096
#define SPAN	65536
#define STEP	(SPAN / 4)	/* between the places of a file that are tried */
#define SECTOR	512
#define GRAIN	1024
#define STAMP	'H'

enum { MAX_FILES = 400, MAX_DEPTH = 4, MAX_EXTENTS = 64, THREADS = 4 };

struct file {
	char *path;
	mode_t mode;
	bool control;
};

static struct file files[MAX_FILES];
static int count;
static char *buffer;		/* SPAN bytes, aligned */
static char *stamp;		/* SPAN bytes of STAMP, aligned */
static int entries = MAX_FILES;	/* of a folder that are tried; a few below the first one */
static bool loud = true;	/* say in the kernel log which file is used */
static int kmsg = -1;

static void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (write(kmsg, line, strlen(line)) < 0)
		perror("/dev/kmsg");
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* One line of the results: path, what was done where, and the error or what came. */
static void say(const struct file *f, const char *op, loff_t pos, long long ret)
{
	printf("%s %s %lld ", f->path, op, (long long)pos);
	if (ret < 0)
		puts(strerrorname_np(errno) ?: "?");
	else
		printf("%lld\n", ret);
}

static uint32_t sum(const char *p, ssize_t len)
{
	uint32_t h = 2166136261u;

	while (len-- > 0)
		h = (h ^ (unsigned char)*p++) * 16777619u;
	return h;
}

/* --- what is tried with a regular file --- */

static void read_at(const struct file *f, int fd, const char *op, loff_t pos, size_t len,
		    int flags)
{
	struct iovec iov = { buffer, len };
	ssize_t ret = preadv2(fd, &iov, 1, pos, flags);

	printf("%s %s %lld ", f->path, op, (long long)pos);
	if (ret < 0)
		puts(strerrorname_np(errno) ?: "?");
	else
		printf("%zd %08x\n", ret, sum(buffer, ret));
}

static void write_at(const struct file *f, int fd, const char *op, loff_t pos, size_t len,
		     int flags)
{
	struct iovec iov = { stamp, len };

	say(f, op, pos, pwritev2(fd, &iov, 1, pos, flags));
}

static loff_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_size;
}

/* Where a file is tried: its first SPAN in steps, its middle, its end. */
static int places(loff_t size, loff_t *at)
{
	int n = 0;
	loff_t pos;

	for (pos = 0; pos < SPAN && (pos < size || !pos); pos += STEP)
		at[n++] = pos;
	if (size > 2 * SPAN)
		at[n++] = (size / 2) & -BLOCK;
	if (size > SPAN)
		at[n++] = (size - 1) & -BLOCK;
	return n;
}

static void seeks(const struct file *f, int fd, loff_t pos)
{
	loff_t hole;
	int i;

	for (i = 0; i < MAX_EXTENTS; i++) {
		pos = lseek(fd, pos, SEEK_DATA);
		say(f, "seek-data", i, pos);
		if (pos < 0)
			break;
		hole = lseek(fd, pos, SEEK_HOLE);
		say(f, "seek-hole", i, hole);
		if (hole < 0)
			break;
		pos = hole;
	}
}

static void fiemap(const struct file *f, int fd, uint32_t flags)
{
	static struct {
		struct fiemap map;
		struct fiemap_extent extent[MAX_EXTENTS];
	} fm;
	unsigned int i, ret;

	memset(&fm, 0, sizeof(fm));
	fm.map.fm_length = FIEMAP_MAX_OFFSET;
	fm.map.fm_flags = flags;
	fm.map.fm_extent_count = MAX_EXTENTS;
	ret = ioctl(fd, FS_IOC_FIEMAP, &fm.map);
	say(f, "fiemap", flags, ret ? -1 : (long long)fm.map.fm_mapped_extents);
	for (i = 0; !ret && i < fm.map.fm_mapped_extents; i++)
		printf("%s extent %" PRIu64 " %" PRIu64 " %#x\n", f->path,
		       (uint64_t)fm.extent[i].fe_logical, (uint64_t)fm.extent[i].fe_length,
		       fm.extent[i].fe_flags);
}

static sigjmp_buf faulted;

static void on_fault(int sig)
{
	siglongjmp(faulted, sig);
}

static void map_at(const struct file *f, int fd, loff_t pos, bool store)
{
	char *p = mmap(NULL, BLOCK, PROT_READ | (store ? PROT_WRITE : 0), MAP_SHARED, fd, pos);
	volatile char c;

	if (p == MAP_FAILED) {
		say(f, "mmap", pos, -1);
		return;
	}
	if (sigsetjmp(faulted, 1)) {
		printf("%s %s %lld SIGBUS\n", f->path, store ? "store" : "load", (long long)pos);
	} else if (store) {
		memset(p, STAMP, BLOCK);
		printf("%s store %lld\n", f->path, (long long)pos);
	} else {
		c = *p;
		printf("%s load %lld %02x\n", f->path, (long long)pos, c & 0xff);
	}
	munmap(p, BLOCK);
}

static void reads(const struct file *f)
{
	loff_t at[SPAN / STEP + 2], size;
	int fd = open(f->path, O_RDONLY | O_NONBLOCK);
	int direct = open(f->path, O_RDONLY | O_DIRECT);
	int i, n;

	say(f, "open", 0, fd < 0 ? -1 : 0);
	if (fd >= 0) {
		size = size_of(fd);
		say(f, "size", 0, size);
		n = places(size, at);
		for (i = 0; i < n && direct >= 0; i++) {
			read_at(f, direct, "nowait-cold-read", at[i], STEP, RWF_NOWAIT);
			/* Some checks are made once, when a block comes from the disk. */
			read_at(f, direct, "nowait-first-read", at[i], STEP, 0);
			read_at(f, direct, "direct-read", at[i], STEP, 0);
			read_at(f, direct, "nowait-read", at[i], STEP, RWF_NOWAIT);
		}
		for (i = 0; i < n; i++) {
			read_at(f, fd, "nowait-buffered-read", at[i], STEP, RWF_NOWAIT);
			read_at(f, fd, "read", at[i], STEP, 0);
		}
		read_at(f, fd, "read", 512, SPAN, 0);
		seeks(f, fd, 0);
		seeks(f, fd, size / 2);
		fiemap(f, fd, 0);
		fiemap(f, fd, FIEMAP_FLAG_SYNC);
		fiemap(f, fd, FIEMAP_FLAG_XATTR);
		map_at(f, fd, 0, false);
		map_at(f, fd, at[n - 1], false);
		say(f, "fadvise", 0, posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
		close(fd);
	}
	if (direct >= 0)
		close(direct);
}

struct writer {
	pthread_t thread;
	int fd, number;
};

/* Every other one aligned, every other half a block; what comes of it is not compared. */
static void *write_many(void *arg)
{
	const struct writer *w = arg;
	int i;

	for (i = 0; i < 4; i++) {
		loff_t pos = (loff_t)(i * THREADS + w->number) * BLOCK;
		ssize_t ret;

		if (w->number % 2)
			ret = pwrite(w->fd, stamp, BLOCK, pos);
		else
			ret = pwrite(w->fd, stamp, BLOCK - SECTOR, pos + SECTOR);
		(void)ret;
	}
	return NULL;
}

static void write_together(int fd)
{
	struct writer writers[THREADS];
	int i;

	for (i = 0; i < THREADS; i++) {
		writers[i].fd = fd;
		writers[i].number = i;
		if (pthread_create(&writers[i].thread, NULL, write_many, &writers[i]))
			die("pthread_create");
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(writers[i].thread, NULL);
}

/* Writes inside the file, which allocate only where it has holes. */
static void writes(const struct file *f)
{
	loff_t at[SPAN / STEP + 2];
	int fd = open(f->path, O_RDWR | O_NONBLOCK);
	int direct = open(f->path, O_RDWR | O_DIRECT);
	int i, n;

	if (fd >= 0 && direct >= 0) {
		n = places(size_of(fd), at);
		for (i = 0; i < n; i++) {
			write_at(f, direct, "nowait-write", at[i], BLOCK, RWF_NOWAIT);
			write_at(f, direct, "direct-write", at[i], BLOCK, 0);
		}
		for (i = 0; i < n; i++) {
			write_at(f, direct, "nowait-part", at[i] + SECTOR, SECTOR, RWF_NOWAIT);
			write_at(f, direct, "direct-part", at[i] + SECTOR, SECTOR, 0);
		}
		write_at(f, direct, "nowait-span", 0, SPAN, RWF_NOWAIT);
		write_at(f, direct, "direct-span", 0, SPAN, 0);
		write_together(direct);
		for (i = 0; i < n; i++)
			write_at(f, fd, "write", at[i] + 100, 1000, 0);
		map_at(f, fd, 0, true);
		map_at(f, fd, at[n - 1], true);
		say(f, "fdatasync", 0, fdatasync(fd));
	}
	if (fd >= 0)
		close(fd);
	if (direct >= 0)
		close(direct);
}

/* Writes that extend the file, and what else allocates. */
static void grows(const struct file *f)
{
	static const struct {
		const char *name;
		int mode, pos;
	} ways[] = {
		{ "falloc", 0, 0 },
		{ "falloc-keep", FALLOC_FL_KEEP_SIZE, SPAN },
		{ "zero", FALLOC_FL_ZERO_RANGE, 2 * BLOCK },
		{ "insert", FALLOC_FL_INSERT_RANGE, 4 * BLOCK },
	};
	int fd = open(f->path, O_RDWR | O_NONBLOCK);
	int direct = open(f->path, O_RDWR | O_DIRECT);
	loff_t end;
	size_t i;

	if (fd >= 0 && direct >= 0) {
		end = (size_of(fd) + BLOCK - 1) & -BLOCK;
		write_at(f, direct, "nowait-extend", end, BLOCK, RWF_NOWAIT);
		write_at(f, direct, "extend", end, BLOCK, 0);
		write_at(f, direct, "extend-part", end + BLOCK, SECTOR, 0);
		write_at(f, direct, "extend-far", end + (1 << 20), BLOCK, 0);
		write_at(f, fd, "extend-buffered", end + (1 << 20) + BLOCK, 100, 0);
		for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
			say(f, ways[i].name, ways[i].pos,
			    fallocate(fd, ways[i].mode, ways[i].pos, 4 * BLOCK));
		write_at(f, direct, "direct-span", 0, SPAN, 0);
		say(f, "setxattr", 0, fsetxattr(fd, "user.stamp", stamp, 600, 0));
		say(f, "fsync", 0, fsync(fd));
	}
	if (fd >= 0)
		close(fd);
	if (direct >= 0)
		close(direct);
}

/* What frees blocks; last, since it may leave the bitmaps wrong. */
static void frees(const struct file *f)
{
	int fd = open(f->path, O_RDWR | O_NONBLOCK);
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	loff_t size;

	if (fd >= 0) {
		size = size_of(fd);
		say(f, "punch", BLOCK, fallocate(fd, punch, BLOCK, BLOCK));
		say(f, "punch-part", 512, fallocate(fd, punch, 512, 512));
		say(f, "collapse", 0, fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4 * BLOCK));
		say(f, "truncate-up", 0, ftruncate(fd, size + BLOCK + 1));
		say(f, "truncate", 0, ftruncate(fd, size / 2 + 100));
		say(f, "truncate-first", 0, ftruncate(fd, BLOCK + 100));
		write_at(f, fd, "write", 100, 1000, 0);
		say(f, "truncate-all", 0, ftruncate(fd, 0));
		close(fd);
	}
	say(f, "unlink", 0, unlink(f->path));
}

/* --- what is tried with other files --- */

static void links(const struct file *f)
{
	struct stat st;
	ssize_t len = readlink(f->path, buffer, BLOCK);
	int i, fd;

	say(f, "readlink", 0, len);
	/* Again and again: the walk that holds no references is tried first. */
	for (i = 0; i < 20; i++)
		if (!stat(f->path, &st))
			break;
	fd = open(f->path, O_RDONLY | O_NONBLOCK);
	say(f, "follow", 0, fd < 0 ? -1 : 0);
	if (fd >= 0)
		close(fd);
}

static void in_dir(const struct file *f)
{
	struct file made = *f, other = *f;
	int fd;

	if (asprintf(&made.path, "%s/made", f->path) < 0 ||
	    asprintf(&other.path, "%s/other", f->path) < 0)
		die("memory");
	fd = open(made.path, O_CREAT | O_EXCL | O_RDWR, 0600);
	say(&made, "create", 0, fd < 0 ? -1 : 0);
	if (fd >= 0) {
		write_at(&made, fd, "write", 0, 10000, 0);
		close(fd);
	}
	say(&made, "rename", 0, rename(made.path, other.path));
	say(&made, "mkdir", 0, mkdir(made.path, 0700));
	say(&made, "rmdir", 0, rmdir(made.path));
	say(&other, "unlink", 0, unlink(other.path));
	fd = open(f->path, O_RDONLY | O_DIRECTORY);
	if (fd >= 0) {
		say(f, "fsync", 0, fsync(fd));
		close(fd);
	}
	free(made.path);
	free(other.path);
}

static void xattrs(const struct file *f)
{
	ssize_t len = llistxattr(f->path, buffer, SPAN);
	ssize_t at, size;

	say(f, "listxattr", 0, len);
	for (at = 0; at < len; at += strlen(buffer + at) + 1) {
		size = lgetxattr(f->path, buffer + at, buffer + SPAN / 2, SPAN / 2);
		say(f, "getxattr", at, size);
	}
}

/* --- all of them --- */

/* The names of a folder first, since it may hold itself. */
static void collect(const char *dir, int depth)
{
	struct dirent *entry;
	struct stat st;
	struct file *f;
	DIR *d = opendir(dir);
	int n, first = count, last, most = entries;

	if (!d) {
		printf("%s opendir %s\n", dir, strerrorname_np(errno) ?: "?");
		return;
	}
	errno = 0;
	if (depth)
		most = (most + 3) / 4;
	for (n = 0; n < most && count < MAX_FILES && (entry = readdir(d)); n++) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		f = &files[count];
		if (asprintf(&f->path, "%s/%s", dir, entry->d_name) < 0)
			die("memory");
		if (strlen(f->path) > 300) {
			free(f->path);
			continue;
		}
		f->control = !strncmp(entry->d_name, "control", 7) ||
			     !strcmp(entry->d_name, "lost+found");
		f->mode = 0;
		if (lstat(f->path, &st))
			say(f, "stat", 0, -1);
		else
			f->mode = st.st_mode;
		count++;
		errno = 0;
	}
	if (errno)
		printf("%s readdir %s\n", dir, strerrorname_np(errno) ?: "?");
	closedir(d);
	last = count;
	for (n = first; n < last && depth < MAX_DEPTH; n++)
		if (S_ISDIR(files[n].mode))
			collect(files[n].path, depth + 1);
}

static void use(const char *dir, bool readonly)
{
	static void (*const passes[])(const struct file *) = { reads, writes, grows, frees };
	static const char *const names[] = { "read", "write", "grow", "free" };
	struct sigaction fault = { .sa_handler = on_fault };
	struct file *f;
	int pass, i, fd;

	sigaction(SIGBUS, &fault, NULL);
	collect(dir, 0);
	for (pass = 0; pass < (readonly ? 1 : 4); pass++) {
		for (i = 0; i < count; i++) {
			f = &files[i];
			if (f->control && pass)
				continue;
			if (loud)
				note("hostile: %s %s\n", names[pass], f->path);
			if (S_ISREG(f->mode))
				passes[pass](f);
			else if (S_ISLNK(f->mode) && !pass)
				links(f);
			else if (S_ISDIR(f->mode) && pass == 2)
				in_dir(f);
			else if (!f->mode && pass == 3)
				say(f, "unlink", 0, unlink(f->path));
			if (!pass && f->mode)
				xattrs(f);
		}
	}
	fd = open(dir, O_RDONLY);
	if (fd >= 0 && !readonly)
		printf("%s syncfs %s\n", dir, syncfs(fd) ? strerrorname_np(errno) ?: "?" : "0");
	if (fd >= 0)
		close(fd);
	/* The rest of the folders, the deepest first. */
	for (i = count - 1; i >= 0 && !readonly; i--)
		if (S_ISDIR(files[i].mode) && !files[i].control)
			say(&files[i], "rmdir", 0, rmdir(files[i].path));
}

/* What the threads of a task wait for in the kernel. */
static void show_task(pid_t pid)
{
	char path[300], text[4096];
	struct dirent *entry;
	ssize_t len;
	DIR *d;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (entry = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/stack", pid, entry->d_name);
		fd = open(path, O_RDONLY);
		len = fd < 0 ? -1 : read(fd, text, sizeof(text));
		if (len > 0)
			fprintf(stderr, "hang: task %s\n%.*s", entry->d_name, (int)len, text);
		if (fd >= 0)
			close(fd);
	}
	if (d)
		closedir(d);
}

/* Wait for a child to end, and reap it; -1 if it is not over in time. */
static int reap(pid_t pid, int pidfd, int seconds)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int status;

	if (poll(&p, 1, seconds * 1000) <= 0)
		return -1;
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/*
 * Give a child its seconds: its exit status, 124 if it had to be killed, 125 if even
 * that was in vain.
 */
static int supervise(pid_t pid, int seconds)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	int status;

	if (pidfd < 0)
		die("pidfd_open");
	status = reap(pid, pidfd, seconds);
	if (status < 0) {
		show_task(pid);
		kill(pid, SIGKILL);
		status = reap(pid, pidfd, seconds) < 0 ? 125 : 124;
	}
	close(pidfd);
	return status;
}

/* --- what we wrote must not be in metadata --- */

static int stamped(int argc, char **argv)
{
	int dev = open(argv[2], O_RDONLY | O_DIRECT), size = atoi(argv[3]), found = 0, i;
	loff_t pos, end;
	char *last;
	ssize_t len, at;

	if (dev < 0)
		die(argv[2]);
	for (i = 4; i < argc; i++) {
		pos = strtoll(argv[i], &last, 10) * size;
		end = (*last ? strtoll(last + 1, NULL, 10) * size : pos) + size;
		for (; pos < end; pos += len) {
			len = end - pos < SPAN ? end - pos : SPAN;
			if (pread(dev, buffer, len, pos) != len)
				die(argv[2]);
			for (at = 0; at < len; at += SECTOR) {
				if (!memcmp(buffer + at, stamp, SECTOR)) {
					printf("block %lld\n", (long long)(pos + at) / size);
					found++;
				}
			}
		}
	}
	close(dev);
	return found > 0;
}

/* --- crafting --- */

/* Lines of numbers: an offset, and the 32-bit words that go there. */
static void poke(const char *image)
{
	char *line = NULL, *p, *end;
	int fd = open(image, O_WRONLY);
	size_t room = 0;
	uint32_t word;
	loff_t pos;

	if (fd < 0)
		die(image);
	while (getline(&line, &room, stdin) > 0) {
		pos = strtoll(line, &p, 10);
		for (;; p = end, pos += sizeof(word)) {
			word = strtoul(p, &end, 10);	/* little-endian, as this machine */
			if (p == end)
				break;
			if (pwrite(fd, &word, sizeof(word), pos) != sizeof(word))
				die(image);
		}
	}
	free(line);
	close(fd);
}

/* --- damage at random --- */

static uint64_t state;

static uint32_t any(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 32) % below;
}

struct template {
	const char *name;
	char *image;
	size_t size;
	int nr;			/* of grains that hold metadata */
	uint32_t *at;		/* where they begin */
	unsigned int block;	/* the block size */
};

static void load(struct template *t, const char *name)
{
	char meta[PATH_MAX];
	struct stat st;
	size_t pos, i;
	int fd;

	fd = open(name, O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		die(name);
	t->name = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
	t->size = st.st_size;
	if (posix_memalign((void **)&t->image, BLOCK, t->size))
		die("memory");
	if (read(fd, t->image, t->size) != (ssize_t)t->size)
		die(name);
	close(fd);
	t->block = 1024u << t->image[1024 + 24];

	snprintf(meta, sizeof(meta), "%s.meta", name);
	fd = open(meta, O_RDONLY);
	t->at = calloc(t->size / GRAIN, sizeof(*t->at));
	if (fd < 0 || !t->at)
		die(meta);
	for (pos = 0; pos + GRAIN <= t->size; pos += GRAIN) {
		if (pread(fd, buffer, GRAIN, pos) != GRAIN)
			break;
		for (i = 0; i < GRAIN && !buffer[i]; i++)
			;
		if (i < GRAIN)
			t->at[t->nr++] = pos;
	}
	close(fd);
	if (!t->nr) {
		fprintf(stderr, "%s has no metadata\n", meta);
		exit(2);
	}
}

/* A place in the metadata, near bytes that are used, and seldom in the super block. */
static uint32_t place(const struct template *t)
{
	uint32_t pos, i, tries;

	for (tries = 0; tries < 100; tries++) {
		pos = t->at[any(t->nr)];
		if (pos == 1024 && any(4))
			continue;
		pos += any(GRAIN) & ~3u;
		for (i = 0; i < 16; i++)
			if (t->image[(pos & ~15u) + i])
				return pos;
	}
	return pos;
}

/* Tells what it has changed, offset:word. */
static const char *damage(const struct template *t, char *image)
{
	static char told[256];
	static const uint32_t values[] = { 0, 1, 2, 8, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x8001,
		0xf30a, 0xffff, 0x10000, 0x80000, 0x10000000, 0x7fffffff, 0x80000000, 0xffffffff };
	int changes = 1 + any(6);
	uint32_t pos, value;
	int len = 0;

	while (changes--) {
		pos = place(t);
		memcpy(&value, image + pos, 4);
		switch (any(7)) {
		case 0:
			value ^= 1u << any(32);
			break;
		case 1:
			value = values[any(sizeof(values) / sizeof(values[0]))];
			break;
		case 2:	/* one half of it */
			value &= 0xffff0000;
			value |= values[any(sizeof(values) / sizeof(values[0]))] & 0xffff;
			value = any(2) ? value : value << 16 | value >> 16;
			break;
		case 3:
			value += any(2) ? 1 : -1;
			break;
		case 4:	/* a block of metadata, instead of one of data */
			value = t->at[any(t->nr)] / t->block;
			break;
		case 5:
			memcpy(&value, t->image + place(t), 4);
			break;
		case 6:
			value = any(UINT32_MAX);
			break;
		}
		memcpy(image + pos, &value, 4);
		len += snprintf(told + len, sizeof(told) - len, " %u:%#x", pos, value);
	}
	return told;
}

/* --- cases --- */

static const char *const options[] = {
	"errors=continue",
	"errors=continue",
	"errors=continue,noblock_validity",
	"errors=continue,nodelalloc",
	"errors=continue,dioread_lock",
	"errors=continue,data=journal",
	"errors=continue,noblock_validity",
};

/* The worker's part; status 3: it could not be mounted. */
static int use_case(const char *device, const char *dir, const char *type, const char *opts,
		    bool stock)
{
	const char *late = strstr(opts, ",noblock_validity");
	char all[100];
	int tries;

	entries = 14;
	loud = false;
	snprintf(all, sizeof(all), "%s%s", opts, stock ? ",dio_policy=stock" : "");
	if (mount(device, dir, type, MS_NODEV | MS_NOSUID, all)) {
		printf("mount %s\n", strerrorname_np(errno) ?: "?");
		return 3;
	}
	/* What is cached without the check must not be trusted with it. */
	if (late) {
		use(dir, true);
		count = 0;
		if (mount(device, dir, type, MS_REMOUNT | MS_NODEV | MS_NOSUID, "block_validity"))
			printf("remount %s\n", strerrorname_np(errno) ?: "?");
	}
	use(dir, false);
	fflush(stdout);
	for (tries = 0; umount(dir); tries++) {
		if (errno != EBUSY || tries == 10)
			die("umount");
		usleep(100000);
	}
	return 0;
}

static void put_image(const char *device, const char *image, size_t size)
{
	int fd = open(device, O_WRONLY | O_DIRECT);

	if (fd < 0 || pwrite(fd, image, size, 0) != (ssize_t)size)
		die(device);
	close(fd);
}

/* The first line, but for NOWAIT, that two files of results do not share. */
static void compare(const char *first, const char *second)
{
	FILE *a = fopen(first, "r"), *b = fopen(second, "r");
	char x[512], y[512];
	bool more = true;

	if (!a || !b)
		die(first);
	while (more) {
		do
			if (!fgets(x, sizeof(x), a))
				strcpy(x, "");
		while (strstr(x, "nowait"));
		do
			if (!fgets(y, sizeof(y), b))
				strcpy(y, "");
		while (strstr(y, "nowait"));
		more = *x;
		if (strcmp(x, y)) {
			printf("differs: %sand not: %s", *x ? x : "(end)\n", *y ? y : "(end)\n");
			more = false;
		}
	}
	fclose(a);
	fclose(b);
}

/* What the kernel log must not say, since it was asked last. */
static bool complaints(int log)
{
	static const char *const bad[] = { "WARNING:", "BUG:", "KASAN", "UBSAN", "Call Trace:",
		"refcount_t:", "blocked for more than", "possible recursive", "suspicious RCU" };
	char line[8192];
	bool found = false;
	ssize_t len;
	size_t i;

	while ((len = read(log, line, sizeof(line) - 1)) > 0 || (len < 0 && errno == EPIPE)) {
		if (len < 0)
			continue;
		line[len] = '\0';
		for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			if (strstr(line, bad[i])) {
				printf("kernel log: %s", strchr(line, ';') ?: line);
				found = true;
				break;
			}
		}
	}
	return found;
}

/* Warnings that come once must come once per case. */
static void warn_again(void)
{
	int fd = open("/sys/kernel/debug/clear_warn_once", O_WRONLY);

	if (fd >= 0) {
		if (write(fd, "1", 1) != 1)
			perror("clear_warn_once");
		close(fd);
	}
}

static int fuzz(int argc, char **argv)
{
	const char *device = argv[2], *dir = argv[3];
	char *types = argv[4];
	unsigned long seed = strtoul(argv[5], NULL, 0), last = seed + strtoul(argv[6], NULL, 0);
	int seconds = atoi(argv[7]), nr = argc - 8, i, status, bad = 0, cases = 0, refused = 0;
	struct template *templates = calloc(nr, sizeof(*templates));
	char result[2][64], *list, *type, *image;
	time_t end = time(NULL) + seconds;
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	const char *opts, *told;
	struct template *t;
	bool stock;
	pid_t pid;

	if (log < 0 || !templates || posix_memalign((void **)&image, BLOCK, 64 << 20))
		die("fuzz");
	lseek(log, 0, SEEK_END);
	for (i = 0; i < nr; i++)
		load(&templates[i], argv[8 + i]);
	for (; seed < last && time(NULL) < end; seed++) {
		state = seed * 0x9e3779b97f4a7c15ull + 1;
		any(2);
		t = &templates[any(nr)];
		opts = options[any(sizeof(options) / sizeof(options[0]))];
		memcpy(image, t->image, t->size);
		told = damage(t, image);
		stock = !any(4);
		list = strdup(types);
		for (i = 0, type = strtok(list, ","); type; i++, type = strtok(NULL, ",")) {
			note("hostile: seed %lu %s %s %s%s%s\n", seed, t->name, opts, type,
			     stock ? " stock" : "", told);
			put_image(device, image, t->size);
			warn_again();
			snprintf(result[i % 2], sizeof(result[0]), "/tmp/result.%s", type);
			fflush(stdout);
			pid = fork();
			if (!pid) {
				if (!freopen(result[i % 2], "w", stdout))
					die(result[i % 2]);
				exit(use_case(device, dir, type, opts,
					      stock && strcmp(type, "ext4")));
			}
			status = supervise(pid, 120);
			if (status == 3)
				refused++;
			else if (status)
				printf("seed %lu %s %s: status %d%s\n", seed, t->name, type, status,
				       status == 125 ? ", it hangs" : "");
			if (status && status != 3)
				bad++;
			if (complaints(log)) {
				printf("seed %lu %s %s %s: in the kernel log\n", seed, t->name,
				       opts, type);
				bad++;
			}
			if (status == 125)
				return 1;
			if (status && status != 3 && umount2(dir, 0) && errno == EBUSY)
				return 1;
			if (i == 1) {
				printf("seed %lu %s %s ", seed, t->name, opts);
				compare(result[0], result[1]);
				puts("");
			}
		}
		free(list);
		cases++;
	}
	printf("%d cases up to seed %lu, %d mounts refused, %d bad\n", cases, seed - 1, refused,
	       bad);
	return bad > 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	pid_t pid;

	if (posix_memalign((void **)&buffer, BLOCK, SPAN) ||
	    posix_memalign((void **)&stamp, BLOCK, SPAN))
		die("memory");
	memset(stamp, STAMP, SPAN);
	/* Every line must get into the log, however many there are. */
	kmsg = open("/proc/sys/kernel/printk_devkmsg", O_WRONLY);
	if (kmsg < 0 || write(kmsg, "on\n", 3) != 3)
		die("printk_devkmsg");
	close(kmsg);
	kmsg = open("/dev/kmsg", O_WRONLY);
	if (kmsg < 0)
		die("/dev/kmsg");
	if (!strcmp(what, "fuzz") && argc > 8)
		return fuzz(argc, argv);
	if (!strcmp(what, "stamped") && argc > 4)
		return stamped(argc, argv);
	if (!strcmp(what, "poke") && argc == 3) {
		poke(argv[2]);
		return 0;
	}
	if ((strcmp(what, "use") && strcmp(what, "read")) || argc != 4)
		return 2;
	pid = fork();
	if (!pid) {
		if (chdir(argv[2]))
			die(argv[2]);
		use(".", !strcmp(what, "read"));
		return 0;
	}
	return supervise(pid, atoi(argv[3]));
}
