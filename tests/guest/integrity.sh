#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# No write is lost or torn, whatever runs beside it: see torture.c.  On a device that
# answers late, so that many writes are in flight at once.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

seconds=${1:-3}
seed=$RANDOM
mnt=/mnt/dio
mkdir -p "$mnt"
dev=$(null_blk_new torture 512 1000)
diag "seed $seed"

# torture NAME MKFS-OPTIONS
torture() {
	ext4dio_new "$dev" "$mnt" "$2"
	torture_file "$1" "$mnt/file" "$seconds" "$seed"
	umount "$mnt"
	fsck_clean "$dev" "$1: e2fsck finds it clean"
	mount -t ext4 "$dev" "$mnt"
	ok "$1: stock ext4 reads the same after a remount" cmp "$mnt/file" /tmp/shadow
	umount "$mnt"
}

torture "4 KiB blocks" ""
torture "1 KiB blocks" "-b 1024"
torture "bigalloc" "-O bigalloc -C 16384"
torture "ext3 layout" "-t ext3"

# The same by another's judgement: fio's own verification, into a hole.
ext4dio_new "$dev" "$mnt" ""
for bs in 3k 4k 28k; do
	truncate -s 16M "$mnt/fio"
	ok "fio verifies random $bs writes of four jobs by io_uring" \
		fio --name=verify --filename="$mnt/fio" --direct=1 --ioengine=io_uring \
		--iodepth=16 --rw=randwrite --bs=$bs --numjobs=4 --size=1m --offset_increment=1m \
		--allow_file_create=0 --create_on_open=1 --fallocate=none --randseed="$seed" \
		--verify=crc32c --verify_fatal=1 --output=/tmp/fio.txt
	rm "$mnt/fio"
done
umount "$mnt"
fsck_clean "$dev"

done_testing
