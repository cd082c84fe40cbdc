#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# One disk format, two drivers: what one wrote the other reads, replays the
# journal of and extends; and never are both on one device at once.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

disk=/dev/lab/disk
other=/dev/lab/other
a=/mnt/a
b=/mnt/b
mkdir -p "$a" "$b"

# fill DIR SEED: files written buffered, direct, sparse, preallocated and appended.
fill() {
	local dir=$1 seed=$2
	mkdir "$dir/$seed"
	xfs_io -f -c "pwrite -q -S $seed 0 300k" "$dir/$seed/buffered"
	xfs_io -fd -c "pwrite -q -S $seed 0 256k" -c "pwrite -q -S 7 64k 8k" "$dir/$seed/direct"
	xfs_io -fd -c 'truncate 4m' -c "pwrite -q -S $seed 1m 64k" "$dir/$seed/sparse"
	xfs_io -fd -c 'falloc 0 2m' -c "pwrite -q -S $seed 12k 500k" "$dir/$seed/prealloc"
	xfs_io -f -c "pwrite -q -S $seed 0 5000" -c "pwrite -q -S 9 5000 777" "$dir/$seed/odd"
	ln -s "$(printf 'x%.0s' {1..80})" "$dir/$seed/link"
	setfattr -n user.seed -v "$seed" "$dir/$seed/odd"
}

# sums DIR: contents, sizes, links and attributes of all that is in DIR.
sums() {
	(cd "$1" && find . -type f | sort | xargs -r sha256sum &&
		find . -type l -printf '%p %l\n' | sort &&
		find . -type f -printf '%p %s\n' | sort &&
		find . -type f | sort | xargs -r getfattr -Phd)
}

mkfs.ext4 -q "$disk"
seed=1
expected=""
for type in ext4 ext4dio ext4 ext4dio; do
	ok "mounts as $type" mount -t "$type" "$disk" "$a"
	is "$type: the data of the others is intact" "$(sums "$a")" "$expected"
	fill "$a" "$seed"
	seed=$((seed + 1))
	expected=$(sums "$a")
	ok "$type: it has left some" test -n "$expected"
	umount "$a"
	fsck_clean "$disk"
done

# A crash under one driver is replayed by the other.
for pair in "ext4 ext4dio" "ext4dio ext4"; do
	# shellcheck disable=SC2086 # two words
	set -- $pair
	mount -t "$1" "$disk" "$a"
	fill "$a" "$seed"
	expected=$(sums "$a")
	sync -f "$a"
	xfs_io -x -c 'shutdown -f' "$a"
	umount "$a"
	seed=$((seed + 1))
	ok "$1 has left its journal to be replayed" \
		grep -q needs_recovery <<< "$(dumpe2fs -h "$disk" 2> /dev/null)"
	ok "$2 replays the journal of $1" mount -t "$2" "$disk" "$a"
	is "$2: everything that was synced under $1 is there" "$(sums "$a")" "$expected"
	umount "$a"
	fsck_clean "$disk"
done

pids=()

# Both at once: fine on two devices, refused on one.
mkfs.ext4 -q "$other"
ok "ext4 is mounted" mount -t ext4 "$disk" "$a"
ok "ext4dio is mounted on another device at the same time" mount -t ext4dio "$other" "$b"
for dir in "$a" "$b"; do
	fio --name=verify --directory="$dir" --size=4m --bs=4k --rw=randwrite --direct=1 \
		--ioengine=libaio --iodepth=8 --verify=crc32c --do_verify=1 --verify_fatal=1 \
		> "$OUT/fio-$(basename "$dir").txt" 2>&1 &
	pids+=("$!")
done
bad=0
for pid in "${pids[@]}"; do
	wait "$pid" || bad=$((bad + 1))
done
is "fio verifies what it wrote on each while the other was busy" "$bad" 0
rm -f "$a"/verify.* "$b"/verify.*
is "the mount of ext4 is intact" "$(sums "$a")" "$expected"

mkdir -p /mnt/c
in_use="already mounted|busy|Can't open blockdev"
refuses "a device mounted as ext4 cannot be mounted as ext4dio" "$in_use" \
	mount -t ext4dio "$disk" /mnt/c
refuses "a device mounted as ext4dio cannot be mounted as ext4" "$in_use" \
	mount -t ext4 "$other" /mnt/c
fill "$a" "$seed"
fill "$b" "$seed"
umount "$a" "$b"
fsck_clean "$disk"
fsck_clean "$other"

done_testing
