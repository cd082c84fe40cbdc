# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For scripts that run in a guest: block devices on demand, and checks.
# $OUT is the folder whose files come back to the host.
. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

# longer N: N, a delay or a number of tries, or more of it on a debug kernel: it must be long
# against the CPU's part.
longer() {
	if [ -e /proc/config.gz ] && zgrep -q '^CONFIG_KASAN=y' /proc/config.gz; then
		echo $(($1 * 8))
	else
		echo "$1"
	fi
}

# since VERSION: "yes" if this kernel is as new, else "no".
since() {
	if sort -VC <<< "$1"$'\n'"$(uname -r)"; then echo yes; else echo no; fi
}

# null_blk_new NAME SIZE_MB LATENCY_US [poll]: a memory-backed device that answers each I/O
# after LATENCY_US, any number of them at once; prints its path.  poll: polled requests only
# when they are polled for.
null_blk_new() {
	local dir=/sys/kernel/config/nullb/$1
	modprobe null_blk nr_devices=0
	mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
	mkdir "$dir"
	echo "$2" > "$dir/size"
	echo 1 > "$dir/memory_backed"
	echo 2 > "$dir/irqmode"
	echo $(($3 * 1000)) > "$dir/completion_nsec"
	[ "${4:-}" != poll ] || echo 1 > "$dir/poll_queues"
	echo 1 > "$dir/power"
	if [ -b "/dev/$1" ]; then
		echo "/dev/$1"
	else
		echo "/dev/nullb$(cat "$dir/index")"
	fi
}

# null_blk_del NAME
null_blk_del() {
	rmdir "/sys/kernel/config/nullb/$1"
}

# dm_delay_new NAME DEVICE MS: DEVICE with reads and writes delayed; prints its path.
dm_delay_new() {
	modprobe dm-delay
	dmsetup create "$1" --table "0 $(blockdev --getsz "$2") delay $2 0 $3"
	dmsetup mknodes
	echo "/dev/mapper/$1"
}

# A guest with CONTROL=1 (controls.sh) has an ext4dio that lacks cures.  What a test finds wrong
# with stock ext4, until somebody mends it, it must always find wrong there.
export TYPES="ext4 ext4dio"
[ -z "${CONTROL:-}" ] || TYPES=ext4dio

# cured TYPE DEFECT DESC RESULT [LACKS]: RESULT is what a test has found of TYPE: "ok",
# "wrong: " and what, or anything else, if it could not find out.  It must be ok; but for stock
# ext4 where DEFECT is yes, and the control where LACKS [DEFECT] is.
cured() {
	local type=$1 defect=$2 desc=$3 result=$4
	if [ -n "${CONTROL:-}" ]; then
		type=control
		defect=${5:-$2}
	fi
	if [ "$type" = ext4dio ] || [ "$defect" != yes ]; then
		is "$type: $desc" "$result" ok
	elif [[ $result == wrong:* ]]; then
		pass "$type has the defect: not $desc"
		diag "$result"
	elif [ "$type $result" = "ext4 ok" ]; then
		todo "$type has the defect: not $desc" "Debian mended it?"
	else
		not_ok "$type has the defect: not $desc" "$result"
	fi
}

# in_log REGEX: how many lines of the kernel log match; fails where there is no log.
in_log() {
	local log
	log=$(dmesg) && [ -n "$log" ] || return
	grep -cE -- "$1" <<< "$log" || [ $? -eq 1 ]
}

# fsck_clean DEVICE [DESC]: a test that e2fsck finds nothing wrong.
fsck_clean() {
	ok "${2:-e2fsck finds $1 clean}" e2fsck -fn "$1"
}

# ext4dio_new DEVICE FOLDER MKFS-OPTIONS [MOUNT-OPTIONS]: a new file system, mounted.
ext4dio_new() {
	# shellcheck disable=SC2086 # a list of options
	mkfs.ext4 -qF -E lazy_itable_init=0,lazy_journal_init=0 $3 "$1" > /dev/null 2>&1
	mount -t ext4dio ${4:+-o "$4"} "$1" "$2"
}

# fill_junk DEVICE: with what no file shows, as nothing has written it there.
fill_junk() {
	tr '\0' '\252' < /dev/zero |
		dd of="$1" bs=1M iflag=fullblock oflag=direct 2> /dev/null || true
}

# same_after DESC DEVICE FOLDER FILE: tests that DEVICE, mounted at FOLDER, is clean, and that FILE
# is to stock ext4 what it was.  It is not mounted any more then.
same_after() {
	local sum
	sum=$(sha256sum < "$4")
	umount "$3"
	fsck_clean "$2" "$1: e2fsck finds nothing"
	mount -t ext4 -o ro "$2" "$3"
	is "$1: a new mount finds the same" "$(sha256sum < "$4")" "$sum"
	umount "$3"
}

# torture_file NAME FILE SECONDS SEED: torture.c on FILE, its shadow in /tmp/shadow.
torture_file() {
	local result
	if result=$(./torture "$2" /tmp/shadow "$3" "$4" 2>&1); then
		pass "$1: every byte is what its owner wrote"
	else
		not_ok "$1: every byte is what its owner wrote"
	fi
	diag "$result"
	ok "$1: no error is left for fsync" xfs_io -c fsync "$2"
}

# log_writes_new DEVICE LOG ORDER: DEVICE with all that reaches it logged, two times, for
# replay.c, which says why; prints its path.  Marks go to "logged".
log_writes_new() {
	local sectors dm
	modprobe dm-log-writes
	sectors=$(blockdev --getsz "$1")
	dmsetup create ordered --table "0 $sectors log-writes $1 $3"
	dm=$(dmsetup info -c --noheadings -o blkdevname ordered)
	echo "write through" > "/sys/block/$dm/queue/write_cache"
	dmsetup mknodes
	dmsetup create logged --table "0 $sectors log-writes /dev/mapper/ordered $2"
	dmsetup mknodes
	echo /dev/mapper/logged
}

# log_writes_del LOG ORDER: ends it; prints the list of what was logged.
log_writes_del() {
	dmsetup remove logged
	dmsetup remove ordered
	./replay list "$1" "$2"
}

# log_writes_whole: both logs have everything so far.
log_writes_whole() {
	local log status
	for log in ordered logged; do
		status=$(dmsetup status "$log")
		echo "$log: $status"
		[[ $status == *" log-writes "* && $status != *disabled* ]]
	done
}

# after_cut TYPE DEVICE FOLDER COMMAND...: what is wrong with DEVICE after a power cut; TYPE
# replays its journal, then COMMAND looks into it, and says so.
after_cut() {
	local type=$1 dev=$2 folder=$3 output
	shift 3
	if ! output=$(mount -t "$type" "$dev" "$folder" 2>&1); then
		echo "does not mount: $output"
		return
	fi
	"$@" 2>&1 || echo "failed: $*"
	umount "$folder" 2>&1 || echo "does not unmount"
	output=$(e2fsck -fn "$dev" 2>&1) || echo "e2fsck: $output"
}
