#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Every feature set in turn, for MINUTES in all: many threads in one file (torture.c), fio
# that verifies what it wrote, and stress-ng, which does whatever a file system can do,
# beside fio.  What was written is read back by stock ext4 after a remount.
#
# usage: soak.sh MINUTES SEED
set -euo pipefail
. "$(dirname "$0")/lib.sh"

end=$((SECONDS + $1 * 60))
seed=$2
disk=/dev/lab/disk
mnt=/mnt/soak
mkdir -p "$mnt"

# name | mkfs options | mount options.  None with fast commits: with them
# stock ext4 of 7.2 hangs here within minutes, and so does ext4dio.  (By the code a change of the
# flag for journalled data locks all updates out and flushes the journal, whose commit waits
# for a fast commit that waits for that lock.)
sets=(
	"4 KiB blocks||"
	"1 KiB blocks|-b 1024|"
	"bigalloc|-O bigalloc -C 65536|"
	"ext3 layout|-t ext3|"
	"inline data|-O inline_data -I 256|"
	"quota|-O quota -E quotatype=usrquota:grpquota|usrquota,grpquota"
	"no journal|-O ^has_journal|"
	"journalled data||data=journal"
	"orphan file, checksums|-O orphan_file,metadata_csum|"
	"no delayed allocation||nodelalloc"
	"written blocks at once||nodioread_nolock"
	"lazytime, data=writeback||lazytime,data=writeback"
	"stock policy||dio_policy=stock"
	"1 KiB blocks, no delayed allocation|-b 1024|nodelalloc"
)
[ "$(since 7.0)" = no ] || sets+=("allocated ahead||dio_ahead=1024")

# verify NAME FIO-OPTIONS...
verify() {
	local name=$1
	shift
	ok "$name" fio --name=soak --directory="$mnt/fio" --size=24m --numjobs=3 \
		--rw=randwrite --fallocate=none --randseed="$seed" --verify=crc32c \
		--verify_fatal=1 --eta=never --output="$OUT/fio.txt" "$@"
	diag "$(df --output=avail,iavail,pcent "$mnt" | tail -1) (KiB, inodes left)"
}

# slice NAME MKFS MOUNT: one feature set.
slice() {
	local name=$1 stress="" punch=(--fpunch 1) status before after
	# Where no range can be zeroed its processes write zeros, at a position that they share.
	[[ " $2 " != *" ext3 "* ]] || punch=()
	ext4dio_new "$disk" "$mnt" "$2" "$3"
	mkdir "$mnt/fio" "$mnt/stress"
	torture_file "$name" "$mnt/file" 5 "$seed"
	if command -v stress-ng > /dev/null; then
		stress-ng --temp-path "$mnt/stress" --seed "$seed" --verify --timeout 45 \
			--aio 1 --io-uring 1 --iomix 1 --iomix-bytes 32m --metamix 1 \
			--metamix-bytes 32m --hdd 1 --hdd-bytes 16m \
			--hdd-opts direct,wr-rnd,rd-rnd,utimes --fallocate 1 \
			--fallocate-bytes 16m "${punch[@]}" --seek 1 --seek-size 16m --seek-punch \
			--mmap 1 --mmap-bytes 16m --mmap-file --mmap-odirect --rename 1 \
			--fiemap 1 --fiemap-bytes 16m --sync-file 1 --sync-file-bytes 16m \
			> "$OUT/stress.txt" 2>&1 &
		stress=$!
	else
		skip "$name: stress-ng" "this root has none"
	fi
	verify "$name: fio, aligned" --direct=1 --ioengine=io_uring --iodepth=8 \
		--bsrange=4k-64k --blockalign=4k
	verify "$name: fio, unaligned" --direct=1 --ioengine=libaio --iodepth=8 \
		--bsrange=512-20k --blockalign=512
	verify "$name: fio, synchronous, overwritten" --direct=1 --ioengine=psync \
		--bsrange=4k-32k --blockalign=4k --overwrite=1
	verify "$name: fio, page cache" --direct=0 --ioengine=mmap --bs=4k
	if [ -n "$stress" ]; then
		status=0
		wait "$stress" || status=$?
		# 3: there was something that this kernel does not have
		ok "$name: stress-ng finds nothing wrong" test "$status" -eq 0 -o "$status" -eq 3
		[ "$status" -eq 0 ] || diag "$(tail -20 "$OUT/stress.txt")"
	fi
	before=$(cd "$mnt" && find file fio -type f -exec sha256sum {} +)
	umount "$mnt"
	fsck_clean "$disk" "$name: e2fsck finds it clean"
	mount -t ext4 "$disk" "$mnt"
	after=$(cd "$mnt" && find file fio -type f -exec sha256sum {} +)
	umount "$mnt"
	is "$name: stock ext4 reads the same" "$after" "$before"
}

diag "seed $seed"
round=0
while [ $SECONDS -lt $end ]; do
	IFS='|' read -r name mkfs mount <<< "${sets[round % ${#sets[@]}]}"
	diag "$name, $(((end - SECONDS + 59) / 60)) minutes left"
	slice "$name" "$mkfs" "$mount"
	round=$((round + 1))
	seed=$((seed + 1))
done
ok "$round feature sets, of ${#sets[@]}, were under load" test $round -gt 0
done_testing
