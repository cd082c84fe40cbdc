#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Images damaged at random: some words of the metadata of small file systems, of different
# features and with files of every kind (hostile.c).  Each is mounted as ext4dio with
# errors=continue, used in every way and unmounted; nothing may hang, and the kernel must
# neither die nor warn.  A case that is bad is repeated with stock ext4, for comparison.
#
# The kernel log has the seed of each case before it: where the guest dies, the last one
# tells which, and "mutate.sh 60 SEED 1 ext4" what stock ext4 makes of it.
#
# usage: mutate.sh [SECONDS [SEED [COUNT [TYPES]]]]	[60 1 1000000 ext4dio]
#        With "ext4,ext4dio" as TYPES, a case whose results differ is shown.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

seconds=${1:-60} seed=${2:-1} count=${3:-1000000} types=${4:-ext4dio}
dev=/dev/mapper/small
mnt=/mnt/mutate
mkdir -p "$mnt" /tmp/images
modprobe brd rd_nr=1 rd_size=65536
# No larger than the largest of them, so that blocks behind its end are none.
dmsetup create small --table "0 24576 linear /dev/ram0 0"
dmsetup mknodes
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug

# Images that are the same in each run, but for what comes from the kernel's clock and
# random numbers; so the log has the changes too, with their offsets.
uuid=4d757461-7465-4000-8000-000000000000
mkfs=(mkfs.ext4 -qF -N 128 -U "$uuid" -E hash_seed="$uuid")
export E2FSPROGS_FAKE_TIME=1700000000
date -s @1700000000 > /dev/null

# fill DIR EXTENTS: files of every kind.
fill() {
	local i
	for ((i = 0; i < $2; i++)); do
		echo "pwrite -q -S $i $((i * 8))k 1k"
	done > /tmp/extents
	xfs_io -f "$1/extents" < /tmp/extents > /dev/null
	xfs_io -f -c 'pwrite -q -S 2 0 64k' "$1/plain"
	# Files without extents cannot be preallocated.
	xfs_io -f -c 'falloc 0 64k' "$1/unwritten" 2> /dev/null || true
	xfs_io -c 'pwrite -q -S 3 8k 8k' -c 'pwrite -q 40k 3k' "$1/unwritten"
	xfs_io -f -c 'pwrite -q -S 4 1m 10000' -c 'truncate 2m' "$1/sparse"
	xfs_io -f -c 'pwrite -q -S 5 0 100' "$1/tiny"
	ln -s plain "$1/short"
	ln -s "$(printf './%.0s' {1..50})plain" "$1/long"
	mkdir "$1/dir" "$1/many"
	for i in {1..60}; do
		: > "$1/many/a-name-that-is-not-so-short-$i"
	done
	ln "$1/plain" "$1/dir/link"
	setfattr -n user.short -v value "$1/plain"
	setfattr -n user.long -v "$(printf 'long%.0s' {1..150})" "$1/plain"
}

# template NAME SIZE EXTENTS MKFS-OPTIONS...: its journal comes last, and has nothing in it.
template() {
	local name=$1
	"${mkfs[@]}" -O "^has_journal,^resize_inode$4" \
		"${@:5}" "$dev" "$2" 2> /dev/null
	mount -t ext4 "$dev" "$mnt"
	fill "$mnt" "$3"
	umount "$mnt"
	tune2fs -J size="$journal" "$dev" > /dev/null
	save "$name"
}

# save NAME: that is on $dev, and its metadata apart.
save() {
	dd if="$dev" of="/tmp/images/$1" bs=1M iflag=direct status=none
	e2image -r "/tmp/images/$1" "/tmp/images/$1.meta" 2> /dev/null
	images+=("/tmp/images/$1")
}

images=()
journal=1
template 1k 8M 360 ",^metadata_csum" -b 1024
template indirect 8M 360 ",^metadata_csum,^extents,^64bit" -b 1024
template inline 8M 20 ",^metadata_csum,inline_data" -b 1024 -I 256
template csum 8M 100 "" -b 1024
journal=4
template 4k 12M 100 ",^metadata_csum" -b 4096
template bigalloc 12M 20 ",^metadata_csum,bigalloc" -b 4096 -C 16384
# One that was not unmounted, with orphans: its journal is replayed.
"${mkfs[@]}" -b 1024 -J size=1 -O ^metadata_csum,^resize_inode "$dev" 8M 2> /dev/null
mount -t ext4 -o commit=300 "$dev" "$mnt"
fill "$mnt" 20
exec 3<> "$mnt/tiny" 4<> "$mnt/plain"
rm "$mnt/tiny" "$mnt/plain" "$mnt/dir/link"
sync -f "$mnt"
save replay
exec 3>&- 4>&-
umount "$mnt"

status=0
./hostile fuzz "$dev" "$mnt" "$types" "$seed" "$count" "$seconds" "${images[@]}" \
	> "$OUT/fuzz.txt" || status=$?
cp /tmp/result.* "$OUT"		# of the last case
diag "$(tail -1 "$OUT/fuzz.txt")"
if [ "$status" -ne 0 ]; then
	diag "$(grep -v '^$' "$OUT/fuzz.txt" | head -50)"
	for seed in $(grep -oP '^seed \K[0-9]+(?= .*: )' "$OUT/fuzz.txt" | sort -nu | head -5); do
		diag "stock ext4, $(./hostile fuzz "$dev" "$mnt" ext4 "$seed" 1 60 "${images[@]}")"
	done
fi
is "no damaged image hangs ext4dio, or has the kernel complain" "$status" 0
ok "most of them can be mounted" awk '
	/ cases up to seed / { good = $7 * 2 < $1 }
	END { exit !good }' "$OUT/fuzz.txt"
[[ $types != *,* ]] || diag "$(grep -A1 differs "$OUT/fuzz.txt" | head -100)"
done_testing
