#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A task that submits direct writes by AIO is not kept until one has ended, also where they make
# the file larger or zero part of a block: see submit.c.  On stock ext4 it is.  And nobody else
# has to wait until the task comes by again.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

ms=$(longer 300)
n=12
mnt=/mnt/submit
file=$mnt/file
mkdir -p "$mnt"
modprobe brd rd_nr=1 rd_size=65536
modprobe dm-delay
sectors=$(blockdev --getsz /dev/ram0)
dmsetup create slow --table "0 $sectors linear /dev/ram0 0"
dmsetup mknodes
dev=/dev/mapper/slow

# speed slow|fast: the device from now on; slow: it takes $ms for a write, and any number at once.
speed() {
	local table="linear /dev/ram0 0"
	[ "$1" = fast ] || table="delay /dev/ram0 0 0 /dev/ram0 0 $ms"
	dmsetup reload slow --table "0 $sectors $table"
	dmsetup suspend --nolockfs slow
	dmsetup resume slow
}

# new_fs TYPE MKFS-OPTIONS [MOUNT-OPTIONS]
new_fs() {
	type=$1
	! mountpoint -q "$mnt" || umount "$mnt"
	# shellcheck disable=SC2086 # a list of options
	mkfs.ext4 -qF $2 "$dev"
	mount -t "$type" ${3:+-o "$3"} "$dev" "$mnt"
	dio=/sys/fs/ext4dio/$(dmsetup info -c --noheadings -o blkdevname slow)/dio
}

# asked DESC ENDED LAYOUT SUBMIT-ARGUMENTS...: of $n writes to a file that the function LAYOUT has
# made, ENDED (none, all) have ended when they are submitted; any: that does not matter.  A host
# that stalls a guest for as long as a write takes spoils that, hence four tries.
asked() {
	local desc=$1 want=$2 layout=$3 got before=0 try
	shift 3
	for try in 1 2 3 4; do
		rm -f "$file"
		$layout
		sync
		[ "$type" != ext4dio ] || before=$(cat "$dio/handed_over")
		speed slow
		got=$(./submit "$file" "$ms" "$n" "$@" 2>&1 || true)
		speed fast
		if [ "$want" != none ] || [[ $got != *", ok" || $got = *", 0 ended "* ]]; then
			break
		fi
		diag "$desc, try $try: $got"
	done
	case $want in
	none) is "$type: $desc: none is waited for" "$got" "$n submitted, 0 ended meanwhile, ok" ;;
	all) is "$type: $desc: each is waited for" "$got" "$n submitted, $n ended meanwhile, ok" ;;
	any)
		diag "$got"
		is "$type: $desc: all are there" "${got##*, }" ok
		;;
	esac
	if [ "$type $want" = "ext4dio none" ]; then
		ok "$type: $desc: each kept the lock" \
			test $(($(cat "$dio/handed_over") - before)) -ge "$n"
	fi
}
written() {
	xfs_io -f -d -c 'pwrite -q 0 64k' -c fsync "$file"
}
preallocated() {
	xfs_io -f -d -c 'pwrite -q 0 64k' -c 'falloc -k 64k 1m' -c fsync "$file"
}
# Of what is zeroed in a file, only the first is exclusive.
unwritten() {
	xfs_io -f -d -c 'falloc 0 1m' -c 'pwrite -q 512 512' -c fsync "$file"
}
holes() {
	xfs_io -f -d -c 'truncate 1m' -c 'pwrite -q 512 512' -c 'pwrite -q 4608 512' \
		-c fsync "$file"
}

for options in "-b 4096" "-b 1024" "-b 4096 -O bigalloc -C 16384"; do
	new_fs ext4dio "$options"
	asked "appends, $options" none written 4096 4096 65536
	asked "large appends, $options" none written 65536 65536 65536
	asked "appends with gaps, $options" none written 4096 16384 65536
	asked "parts of blocks, unwritten, $options" none unwritten 512 8192 8704
	umount "$mnt"
	fsck_clean "$dev"
done
new_fs ext4dio "-b 4096"
asked "appends, the last one first" none written 4096 4096 65536 backward
asked "appends, and more of them" none written 4096 4096 65536 twice
asked "durable appends" none written 4096 4096 65536 dsync
asked "appends to what is preallocated" none preallocated 4096 4096 65536
# (Before 7.0 what is unwritten needs a journal handle before the I/O.)
if [ "$(since 7.0)" = yes ]; then
	asked "NOWAIT appends to what is preallocated" none preallocated 4096 4096 65536 nowait
	asked "NOWAIT parts of blocks" none unwritten 512 8192 8704 nowait
fi
asked "parts of blocks, holes" none holes 512 8192 8704
asked "durable parts of blocks" none unwritten 512 8192 8704 dsync
asked "appends of which only a part can be read" any written 65536 65536 65536 torn
asked "parts of blocks of which only a part can be read" any unwritten 16384 32768 33280 torn
asked "blocks of which only a part can be read" any unwritten 16384 32768 32768 torn
asked "parts of the same blocks" any unwritten 512 512 8704
asked "appends of parts of pages" any written 512 512 65536
asked "parts of the last block" any written 512 512 $((65536 - 3072))

# Killed, frozen, closed and removed while they are in flight.
rm -f "$file"
written
speed slow
timeout -s KILL "$(longer 1)" ./submit "$file" 5000 200 4096 4096 65536 > /dev/null &
sleep "0.$(longer 1)"
xfs_io -x -c freeze "$mnt"
xfs_io -x -c thaw "$mnt"
rm "$file"
wait $! || true
speed fast
ok "ext4dio: a task is killed, its file removed: it unmounts" umount "$mnt"
fsck_clean "$dev"

new_fs ext4dio "-b 4096 -O ^has_journal"
asked "appends, no journal" none written 4096 4096 65536
asked "durable appends, no journal" none written 4096 4096 65536 dsync

# Where it cannot be: with another policy; and on stock ext4.
new_fs ext4dio "-b 4096" dio_policy=shared
asked "appends, dio_policy=shared" all written 4096 4096 65536
new_fs ext4 "-b 4096"
asked "appends" all written 4096 4096 65536
asked "parts of blocks" all unwritten 512 8192 8704

# io_uring: what ends for its owner, who may not come by for long, must end for others without it:
# some 6.12 would leave the lock to it, and 6.1 the protection from a freeze; it knows where the
# current position is; and nothing happens to the file when its process is gone.
nothing() {
	xfs_io -f -c fsync "$file"
}
for type in ext4 ext4dio; do
	new_fs "$type" "-b 4096"
	for layout in "written 8192" "unwritten 8192" "written 65536 freeze"; do
		read -r layout pos how <<< "$layout"
		rm -f "$file"
		$layout
		speed slow
		# shellcheck disable=SC2086 # a word or none
		got=$(./submit "$file" "$ms" 4 4096 4096 "$pos" uring $how 2>&1 || true)
		speed fast
		if [ "$type" = ext4 ]; then
			diag "$type, io_uring, $layout $how: $got"
		else
			is "$type, io_uring, $layout $how: nobody waits for its owner" "$got" \
				"another task waits for the I/O, ok"
		fi
	done
	for layout in "nothing 0" "written 65536" "preallocated 65536"; do
		read -r layout pos <<< "$layout"
		rm -f "$file"
		$layout
		speed slow
		is "$type, io_uring, $layout: each goes to the end of the one before" \
			"$(./submit "$file" "$ms" 4 4096 4096 "$pos" position 2>&1 || true)" ok
		speed fast
	done
	rm -f "$file"
	written
	ms=$((10 * ms)) speed slow
	./submit "$file" "$ms" 1 4096 4096 65536 position > /dev/null &
	sleep "$(longer 1)"
	kill -KILL $!
	wait $! 2> /dev/null || true
	is "$type, io_uring: when its process is gone the file has grown" "$(stat -c %s "$file")" \
		$((65536 + 4096))
	speed fast
done
umount "$mnt"
fsck_clean "$dev"
dmsetup remove slow
done_testing
