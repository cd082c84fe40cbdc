#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Reclaim empties the extent status cache while a NOWAIT operation is on its way: that is
# refused as a whole, before its first bio, or goes through as a whole.
#
# Two null_blk devices share the only tag there is.  While a read of the slow one has it, the
# first bio of an operation on the fast one waits for it: behind the check of the whole range
# and the lookup of the first mapping, before that of the second.  There the cache is emptied.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

mnt=/mnt/evict
mkdir -p "$mnt"

modprobe null_blk nr_devices=0 shared_tags=1 hw_queue_depth=1 submit_queues=1
fast=$(null_blk_new fast 128 0)
slow=$(null_blk_new slow 1 2000000)
for dev in "$fast" "$slow"; do
	# A scheduler has tags of its own.
	echo none > "/sys/block/$(basename "$dev")/queue/scheduler"
done

# Reclaim asks a per-CPU counter how much there is, which does not see a handful of entries:
# a file of many extents, which is kept open, brings it to work.
new_ballast() {
	local i
	for ((i = 0; i < 4096; i += 2)); do
		echo "pwrite -q $((i * 4))k 4k"
	done | xfs_io -f "$mnt/ballast" > /dev/null
	sync "$mnt/ballast"
	exec 4< "$mnt/ballast"
}
load_ballast() {
	xfs_io -r -c fiemap "$mnt/ballast" > /dev/null
}

# evict: all of the file system's cached extents; fails if some are left.  An entry that was
# used is spared once, and one in use.
evict() {
	local i
	for i in 1 2 3; do
		[ $i -eq 1 ] || load_ballast
		echo 2 > /proc/sys/vm/drop_caches
		echo 2 > /proc/sys/vm/drop_caches
		! grep -q '^ *0 objects' "/proc/fs/ext4dio/$(basename "$fast")/es_shrinker_info" ||
			return 0
	done
	return 1
}

# waits_for_tag NAME: is there a process of that name which waits for the tag?  It must be told
# before the wait is over, so this starts no program.
waits_for_tag() {
	local process comm wchan
	for process in /proc/[0-9]*; do
		read -r comm 2> /dev/null < "$process/comm" || continue
		[ "$comm" = "$1" ] || continue
		read -r wchan 2> /dev/null < "$process/wchan" || true
		[ "$wchan" != blk_mq_get_tag ] || return 0
	done
	return 1
}

# evict_under NAME: while a process of that name waits for the tag.  Fails if that could not be
# told, as where the host stalls the guest.
evict_under() {
	local i
	for ((i = 0; i < 100; i++)); do
		! waits_for_tag "$1" || break
		sleep 0.1
	done
	if [ $i -eq 100 ]; then
		echo "$1 never waited for the tag"
	elif ! evict; then
		echo "the cache is not empty"
	elif ! waits_for_tag "$1"; then
		echo "$1 did not wait until the cache was empty"
	else
		return 0
	fi >&2
	return 1
}

# during PROGRAM ARGUMENTS...: run it; the cache is emptied while its first bio waits.  Its status,
# or 99 if the cache may not have been.  (Two readers: when one gives the tag up, the other takes
# it.)
during() {
	local readers=() evictor status=0
	for _ in 1 2; do
		dd if="$slow" of=/dev/null bs=4k count=100 iflag=direct 2> /dev/null &
		readers+=($!)
	done
	until grep -q '^ *1 ' "/sys/block/$(basename "$slow")/inflight"; do
		sleep 0.1
	done
	(
		status=0
		evict_under "$(basename "$1")" || status=1
		kill "${readers[@]}"
		exit $status
	) &
	evictor=$!
	"$@" || status=$?
	# What has failed has failed, whenever the cache was emptied.
	wait $evictor || [ $status -ne 0 ] || status=99
	wait "${readers[@]}" || true
	return $status
}

# new_file LAYOUT MAPPINGS: a file of 4 KiB blocks, of as many mappings, all in the cache.
new_file() {
	local i
	rm -f "$mnt/file"
	case $1 in
	written)
		# All written, no two of them neighbours on the disk.
		xfs_io -fd -c "pwrite -q -S 1 0 $(($2 * 8 - 4))k" "$mnt/file"
		for ((i = 1; i < $2; i++)); do
			xfs_io -c "fcollapse $((i * 4))k 4k" "$mnt/file"
		done
		;;
	holes)
		xfs_io -f -c "truncate $(($2 * 4))k" "$mnt/file"
		for ((i = 0; i < $2; i += 2)); do
			xfs_io -d -c "pwrite -q -S 1 $((i * 4))k 4k" "$mnt/file"
		done
		;;
	mixed)
		fallocate -l $(($2 * 4))k "$mnt/file"
		for ((i = 0; i < $2; i += 2)); do
			xfs_io -d -c "pwrite -q -S 1 $((i * 4))k 4k" "$mnt/file"
		done
		;;
	esac
	sync "$mnt/file"
	exec 3< "$mnt/file"
	xfs_io -r -d -c "pread -q -b $(($2 * 4))k 0 $(($2 * 4))k" "$mnt/file"
	load_ballast
}

# contents PATTERN MAPPINGS: "right" if every byte of them is PATTERN.
contents() {
	local pattern
	pattern=$(head -c $(($2 * 4096)) /dev/zero | tr '\0' "\\$1" | sha256sum)
	[ "$(head -c $(($2 * 4096)) "$mnt/file" | sha256sum)" = "$pattern" ] && echo right
}

# asked LAYOUT PROGRAM ARGUMENTS...: run it on a new file of three mappings, behind the first of
# which they come from the disk; five times at most, until the cache was emptied in time.
asked() {
	local layout=$1 output status
	shift
	for _ in 1 2 3 4 5; do
		new_file "$layout" 3
		status=0
		output=$(during "$@" 2> /tmp/said) || status=$?
		[[ $status -eq 99 && $output != *again* ]] || break
	done
	echo "$output"
	[ $status -eq 0 ] || cat /tmp/said
	return $status
}

# uring LAYOUT READ-OR-WRITE: the same by io_uring, which asks for NOWAIT of its own accord.
uring() {
	asked "$1" fio --name=uring --filename="$mnt/file" --direct=1 --ioengine=io_uring \
		--rw="$2" --bs=12k --number_ios=1 --allow_file_create=0 --fallocate=none \
		--overwrite=1
}

# reads LAYOUT / writes LAYOUT: by each interface.
reads() {
	gives "$1: a NOWAIT read" ok asked "$1" ./rwf read "$mnt/file" 0 12288
	ok "$1: an io_uring read" uring "$1" read
}
writes() {
	gives "$1: a NOWAIT write" ok asked "$1" ./rwf write "$mnt/file" 0 12288
	is "$1: all of it is written" "$(contents 116 3)" right
	ok "$1: an io_uring write" uring "$1" write
}

ext4dio_new "$fast" "$mnt" "-b 4096" lazytime,noatime
new_ballast
new_file written 3
ok "the cache is emptied" evict
is "what was in it is refused" "$(./rwf read "$mnt/file" 0 4096)" again
reads written
reads holes
writes written
# Before 7.0 a NOWAIT write to an unwritten block is always refused.
[ "$(since 7.0)" = no ] || writes mixed
exec 3<&- 4<&-
umount "$mnt"
fsck_clean "$fast"

# No extents: all blocks that are written are one mapping.
ext4dio_new "$fast" "$mnt" "-b 4096 -t ext3" lazytime,noatime
new_ballast
reads holes
exec 3<&- 4<&-
umount "$mnt"
fsck_clean "$fast" "e2fsck finds the file system without extents clean"

done_testing
