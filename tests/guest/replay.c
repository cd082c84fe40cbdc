// SPDX-License-Identifier: GPL-2.0
/*
 * Reads logs of dm-log-writes and repeats what they say.
 *
 *   replay list LOG ORDER                        tell the entries of LOG, a line each:
 *                                                number, kind, sector, sectors, offset of
 *                                                the data in LOG, rank, text of a mark
 *   replay apply LOG DEVICE FROM TO < LIST       apply entries FROM to TO - 1
 *   replay apply LOG DEVICE FROM TO SEED < LIST  apply some, and of some parts, at random:
 *                                                as a disk with a volatile cache may that
 *                                                loses its power
 *
 * A log begins with a sector that counts the entries.  Each entry is a sector that
 * describes it, followed by its data.  A write is logged when a flush completes before which
 * it had completed, a FUA write when it has completed itself.  So the log up to an entry is
 * what a disk must have kept; the writes right before a flush are what it may have kept,
 * each or parts of each, while the flush had not completed.
 *
 * But the log puts a FUA write before older writes that wait for their flush, and where they
 * overlap these would overwrite it.  So ORDER is the log of a second such device, below the
 * first, whose write cache was declared to be off: it got no flush and no FUA, and thus has
 * all writes in the order in which they completed.  An entry's rank is its place there.
 * A sector is overwritten by entries of a higher rank only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR	512
#define CHUNK	(1 << 20)
#define MAGIC	0x6a736677736872ULL

enum { FLUSH = 1, FUA = 2, DISCARD = 4, MARK = 8 };

/* Little-endian on the disk; this runs where it was written. */
struct super {
	uint64_t magic, version, entries;
	uint32_t sector_size;
};

struct header {
	uint64_t sector, sectors, flags, length;
	char mark[SECTOR - 4 * sizeof(uint64_t)];
};

struct log {
	int fd;
	uint64_t entries, next;
	off_t pos;
};

struct write {
	uint64_t sector, sectors, hash;
	bool found;
};

static unsigned char *buf;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "replay: %s: %s\n", what, why ? why : strerror(errno));
	exit(1);
}

/* Direct: others write what we read, and read what we write. */
static int open_direct(const char *path, int flags)
{
	int fd = open(path, flags | O_DIRECT);

	if (fd < 0)
		die(path, NULL);
	return fd;
}

static void get(int fd, void *to, off_t pos, size_t len)
{
	if (pread(fd, to, len, pos) != (ssize_t)len)
		die("read", NULL);
}

static void open_log(struct log *log, const char *path)
{
	struct super super;

	log->fd = open_direct(path, O_RDONLY);
	get(log->fd, buf, 0, SECTOR);
	memcpy(&super, buf, sizeof(super));
	if (super.magic != MAGIC || super.version != 1 || super.sector_size != SECTOR)
		die(path, "no log");
	log->entries = super.entries;
	log->next = 0;
	log->pos = SECTOR;
}

/* The next entry; its data is at @data. */
static bool next_entry(struct log *log, struct header *header, off_t *data)
{
	if (log->next == log->entries)
		return false;
	log->next++;
	get(log->fd, buf, log->pos, SECTOR);
	memcpy(header, buf, sizeof(*header));
	if (header->flags & DISCARD)
		die("log", "did not expect a discard");
	*data = log->pos + SECTOR;
	log->pos = *data + header->sectors * SECTOR;
	return true;
}

static uint64_t hash(int fd, off_t pos, uint64_t sectors)
{
	uint64_t sum = 0, left = sectors * SECTOR, len, i;

	for (; left; left -= len, pos += len) {
		len = left < CHUNK ? left : CHUNK;
		get(fd, buf, pos, len);
		for (i = 0; i < len / 8; i++)
			sum = (sum ^ ((uint64_t *)buf)[i]) * 0x9e3779b97f4a7c15 + 1;
	}
	return sum;
}

static void list(const char *log_path, const char *order_path)
{
	static struct header header;
	struct log log, order;
	struct write *writes;
	uint64_t n = 0, first = 0, i, sum, number;
	off_t data;

	open_log(&order, order_path);
	writes = calloc(order.entries, sizeof(*writes));
	while (next_entry(&order, &header, &data)) {
		if (!header.sectors)
			continue;
		writes[n].sector = header.sector;
		writes[n].sectors = header.sectors;
		writes[n++].hash = hash(order.fd, data, header.sectors);
	}
	open_log(&log, log_path);
	for (number = 0; next_entry(&log, &header, &data); number++) {
		if (header.flags & MARK) {
			printf("%lu mark 0 0 0 0 %.*s\n", number, (int)header.length, header.mark);
			continue;
		}
		i = 0;
		if (header.sectors) {
			sum = hash(log.fd, data, header.sectors);
			while (first < n && writes[first].found)
				first++;
			for (i = first; i < n; i++)
				if (!writes[i].found && writes[i].sector == header.sector &&
				    writes[i].sectors == header.sectors && writes[i].hash == sum)
					break;
			if (i == n)
				die(order_path, "lacks a write of the other log");
			writes[i].found = true;
		}
		printf("%lu %s %lu %lu %ld %lu\n", number, header.flags & FLUSH ? "flush" :
		       header.flags & FUA ? "fua" : "write", header.sector, header.sectors,
		       data, i);
	}
}

static void apply(const char *log_path, const char *device, uint64_t from, uint64_t to,
		  bool lossy, unsigned int seed)
{
	int log = open_direct(log_path, O_RDONLY);
	int disk = open_direct(device, O_RDWR);
	uint64_t number, sector, sectors, rank, i, run, *newest;
	off_t size = lseek(disk, 0, SEEK_END), data;
	char kind[16], line[SECTOR];

	/* Rank + 1 of what each sector holds. */
	newest = calloc(size / SECTOR, sizeof(*newest));
	while (fgets(line, sizeof(line), stdin)) {
		/* With losses, a quarter of the writes is lost, a quarter torn. */
		int fate = rand_r(&seed) >> 8 & 3;

		if (sscanf(line, "%lu %15s %lu %lu %ld %lu", &number, kind, &sector, &sectors,
			   &data, &rank) != 6 || sectors * SECTOR > CHUNK ||
		    (off_t)(sector + sectors) * SECTOR > size)
			die("list", "bad line");
		if (number >= to)
			break;
		if (number >= from && sectors)
			get(log, buf, data, sectors * SECTOR);
		for (i = 0; i < sectors; i += run + 1) {
			/* As many as there are in a row that are to be written. */
			for (run = 0; i + run < sectors; run++) {
				if (newest[sector + i + run] > rank)
					break;
				if (number >= from && lossy &&
				    (!fate || (fate == 1 && rand_r(&seed) & 64)))
					break;
				newest[sector + i + run] = rank + 1;
			}
			if (number >= from && run &&
			    pwrite(disk, buf + i * SECTOR, run * SECTOR, (sector + i) * SECTOR) !=
			    (ssize_t)(run * SECTOR))
				die(device, NULL);
		}
	}
}

int main(int argc, char **argv)
{
	if (posix_memalign((void **)&buf, 4096, CHUNK))
		die("memory", NULL);
	if (argc == 4 && !strcmp(argv[1], "list"))
		list(argv[2], argv[3]);
	else if ((argc == 6 || argc == 7) && !strcmp(argv[1], "apply"))
		apply(argv[2], argv[3], atol(argv[4]), atol(argv[5]), argc == 7,
		      argc == 7 ? atoi(argv[6]) : 0);
	else
		return 2;
	return 0;
}
