#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Measure stock ext4 and ext4dio on one block device of known latency.
#
# Two shapes of direct writes, each block written once, N jobs on one file:
#   mixed   8 KiB, aligned, over one written and one unwritten 4 KiB block
#   stripe  14,336 bytes at +512 of each 16 KiB, which is laid out as
#           [written][unwritten][unwritten][written]
# The file is laid out anew before every run and its layout read back by FIEMAP.
# fio's JSON goes to $OUT, one file a run.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

latency_us=2000
writes=2048
block=4096
mnt=/mnt/ab
file=$mnt/file
mkdir -p "$mnt"

# pattern SHAPE: the layout of one unit, a letter a block: Written or Unwritten.
pattern() {
	case $1 in
	mixed) echo WU ;;
	stripe) echo WUUW ;;
	esac
}

# layout: the file's blocks, a letter each, as FIEMAP tells them ('-' for a hole).
layout() {
	filefrag -v -b$block "$file" | awk '
		$1 ~ /^[0-9]+:$/ {
			split($0, f, ":")
			split(f[2], range, /\.\. */)
			for (; next_block < range[1] + 0; next_block++)
				printf "-"
			for (; next_block <= range[2] + 0; next_block++)
				printf($0 ~ /unwritten/ ? "U" : "W")
		}'
}

# repeat STRING N
repeat() {
	printf "$1%.0s" $(seq "$2")
}

# prepare SHAPE: the file with $writes units of the shape, checked.
prepare() {
	local unit size i b
	unit=$(pattern "$1")
	size=$((writes * ${#unit} * block))
	{
		echo "falloc 0 $size"
		for ((i = 0; i < writes; i++)); do
			for ((b = 0; b < ${#unit}; b++)); do
				[ "${unit:b:1}" = U ] ||
					echo "pwrite -q $(((i * ${#unit} + b) * block)) $block"
			done
		done
		echo fsync
	} | xfs_io -f "$file" > /dev/null
	if [ "$(layout)" != "$(repeat "$unit" "$writes")" ]; then
		echo "the file is not laid out as $unit" >&2
		return 1
	fi
}

# measure SHAPE JOBS TYPE: one run; fio's JSON in $OUT/SHAPE-JOBS-TYPE.json.
measure() {
	local shape=$1 jobs=$2 type=$3 unit region options inode
	unit=$(pattern "$shape")
	region=$((writes * ${#unit} * block / jobs))
	case $shape in
	mixed) options=(--rw=write --bs=8192 --offset=0 --size="$region") ;;
	stripe) options=(--rw=write:2048 --bs=14336 --offset=512 --size=$((region - 512))) ;;
	esac

	mkfs.ext4 -qF -E lazy_itable_init=0,lazy_journal_init=0 "$dev"
	mount -t "$type" "$dev" "$mnt"
	prepare "$shape"
	inode=$(stat -c '%i %s' "$file")
	fio --name="$shape" --filename="$file" --direct=1 --ioengine=psync --thread \
		--numjobs="$jobs" --offset_increment="$region" --number_ios=$((writes / jobs)) \
		--fallocate=none --allow_file_create=0 --group_reporting "${options[@]}" \
		--output-format=json --output="$OUT/$shape-$jobs-$type.json"
	if [ "$(stat -c '%i %s' "$file")" != "$inode" ]; then
		echo "fio has laid the file out anew: the run does not count" >&2
		return 1
	fi
	if [ -n "$(layout | tr -d W)" ]; then
		echo "not every block was written: the run does not count" >&2
		return 1
	fi
	umount "$mnt"
	e2fsck -fn "$dev" > "$OUT/fsck.txt" 2>&1 || {
		cat "$OUT/fsck.txt" >&2
		return 1
	}
}

dev=$(null_blk_new demo 512 $latency_us)
uname -r > "$OUT/kernel"
echo "null_blk, memory-backed, $((latency_us / 1000)) ms completion latency" > "$OUT/device"
modinfo -F version ext4dio > "$OUT/version"
modinfo -F forked_from ext4dio > "$OUT/origin"
runs=0
for shape in mixed stripe; do
	for jobs in 1 8 32; do
		for type in ext4 ext4dio; do
			runs=$((runs + 1))
			echo "run $runs of 12: $shape, $jobs jobs, $type"
			measure "$shape" "$jobs" "$type"
		done
	done
done
