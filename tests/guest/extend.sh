#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Direct writes that make one file larger, many at once and under the shared lock: what a reader
# sees, what is left by truncates, punches and stores beside them, by errors in the middle and by a
# full disk or quota, and what of a preallocation.
#
# usage: extend.sh [SECONDS]	for each of the races [2]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

seconds=${1:-2}
mnt=/mnt/extend
file=$mnt/file
mkdir -p "$mnt"
dev=$(null_blk_new fast 256 1000)
dio=/sys/fs/ext4dio/$(basename "$dev")/dio
fill_junk "$dev"

# race DESC LETTERS WANT MKFS-OPTIONS [MOUNT-OPTIONS]: WANT shared if the appends must have been.
race() {
	local desc=$1 got seed=$RANDOM shared
	ext4dio_new "$dev" "$mnt" "$4" "${5:-}"
	got=$(./extend grow "$file" "$seconds" 12 $seed "$2" 2>&1) || true
	cured ext4dio no "$desc: what is written is there, whoever looks" "${got%% [0-9]*}" yes
	if [ -n "${CONTROL:-}" ]; then
		umount "$mnt"
		done_testing
		exit
	fi
	shared=$(cat "$dio"/shared_extend)
	diag "$desc: $got, seed $seed, $(grep -H . "$dio"/{shared_extend,exclusive_*} |
		grep -v ':0$' | sed 's,.*/,,' | xargs)"
	case $3 in
	shared) ok "$desc: under the shared lock" test "$shared" -ge 8 ;;
	exclusive) is "$desc: none under the shared lock" "$shared" 0 ;;
	esac
	same_after "$desc" "$dev" "$mnt" "$file"
}

race "alone" "" shared "-b 4096"
race "with truncates" t any "-b 4096"
race "with truncates and preallocation, by AIO" atk any "-b 4096"
race "with punches" p shared "-b 4096"
race "with buffered writes" b shared "-b 4096"
race "with stores through mmap" m shared "-b 4096"
race "with all but truncates" pbmk shared "-b 4096"
race "with all but truncates, by AIO" apbmk shared "-b 4096"
race "1 KiB blocks" bmk shared "-b 1024"
race "1 KiB blocks, truncates, by AIO" at any "-b 1024"
race "bigalloc" bk shared "-b 4096 -O bigalloc -C 16384"
race "bigalloc, truncates, by AIO" atk any "-b 4096 -O bigalloc -C 16384"
race "no journal, by AIO" abk shared "-b 4096 -O ^has_journal"
race "dioread_lock, by AIO" abmk shared "-b 4096" dioread_lock
race "nodelalloc" bm shared "-b 4096" nodelalloc
race "without extents" ki exclusive "-b 4096 -O ^extents,^64bit"
race "fast commits" bk exclusive "-b 4096 -O fast_commit"
race "dio_policy=shared" k exclusive "-b 4096" dio_policy=shared
if [ "$(since 6.16)" = yes ]; then
	race "64 KiB blocks" bk exclusive "-b 65536"
fi

# The policy changes while they run.
ext4dio_new "$dev" "$mnt" "-b 4096"
for ((i = 0; ; i++)); do
	policies=(overlap shared stock)
	echo "${policies[i % 3]}" > "$dio/policy"
	sleep 0.05
done &
switcher=$!
got=$(./extend grow "$file" "$seconds" 12 7 abk 2>&1) || true
kill $switcher
wait $switcher || true
is "policies change under it: what is written is there" "${got%% [0-9]*}" ok
ok "policies change under it: both ways were gone" \
	test "$(cat "$dio"/shared_extend)" -gt 0 -a "$(cat "$dio"/exclusive_extend)" -gt 0
same_after "policies change under it" "$dev" "$mnt" "$file"

# Frozen, thawed and mounted again under it.  (Who freezes ends by himself: if he were killed,
# the command that he runs would go on, and leave the file system frozen.)
ext4dio_new "$dev" "$mnt" "-b 4096"
rm -f over
while [ ! -e over ]; do
	xfs_io -x -c freeze "$mnt" && sleep 0.1 && xfs_io -x -c thaw "$mnt"
	mount -o remount,ro "$mnt" 2> /dev/null && mount -o remount,rw "$mnt"
	sleep 0.1
done &
freezer=$!
got=$(./extend grow "$file" "$seconds" 12 8 a 2>&1) || true
touch over
wait $freezer
xfs_io -x -c thaw "$mnt" 2> /dev/null || true
is "frozen under it: what is written is there" "${got%% [0-9]*}" ok
same_after "frozen under it" "$dev" "$mnt" "$file"

# What fallocate has left behind the end of the file survives a write that fails, and is used.
ext4dio_new "$dev" "$mnt" "-b 4096"
xfs_io -f -c 'pwrite -q 0 64k' -c 'falloc -k 64k 1m' -c fsync "$file"
blocks=$(stat -c %b "$file")
is "an append from memory that cannot be read is an error" "$(./extend efault "$file")" \
	"EFAULT EFAULT"
is "and leaves size and preallocation as they were" "$(stat -c '%s %b' "$file")" "65536 $blocks"
xfs_io -d -c 'pwrite -q 64k 1m' "$file"
is "which the next append fills" "$(stat -c '%s %b' "$file")" "$((65536 + (1 << 20))) $blocks"
same_after "preallocation" "$dev" "$mnt" "$file"

# An error of the device in the middle: the others are there, and it is a hole.
mkfs.ext4 -qF -b 4096 "$dev"
mount -t ext4dio "$dev" "$mnt"
xfs_io -f -c 'falloc -k 0 256k' -c fsync "$file"
bad=$(($(filefrag -e "$file" | awk -F'[ .:]+' '$2 == 0 { print $5 }') * 8 + 80))
sectors=$(blockdev --getsz "$dev")
umount "$mnt"
dmsetup create broken << END
0 $bad linear $dev 0
$bad 8 error
$((bad + 8)) $((sectors - bad - 8)) linear $dev $((bad + 8))
END
dmsetup mknodes
mount -t ext4dio /dev/mapper/broken "$mnt"
for ((i = 0; i < 16; i++)); do
	xfs_io -d -c "pwrite -q -S 0xab $((i * 4096)) 4k" "$file" > /dev/null 2>&1 || echo $i
done > /tmp/failed
is "an error of the device fails the write to it" "$(cat /tmp/failed)" 10
is "the file is as large as the furthest" "$(stat -c %s "$file")" 65536
is "it is zeroes, the others are there" \
	"$(od -An -v -t x1 -w4096 "$file" | cut -c2-3 | xargs)" \
	"ab ab ab ab ab ab ab ab ab ab 00 ab ab ab ab ab"
umount "$mnt"
dmsetup remove broken
fsck_clean "$dev" "error of the device: e2fsck finds nothing"

# A full disk.
seconds=60
null_blk_del "$(basename "$dev")"
dev=$(null_blk_new small 32 500)
dio=/sys/fs/ext4dio/$(basename "$dev")/dio
race "full disk" f shared "-b 4096 -m 0"
race "full disk, bigalloc, by AIO" af shared "-b 4096 -m 0 -O bigalloc -C 16384"
done_testing
