# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For scripts that run in a guest: block devices on demand, and checks.
# $OUT is the folder whose files come back to the host.
. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

# null_blk_new NAME SIZE_MB LATENCY_US: a memory-backed device that answers each I/O
# after LATENCY_US, any number of them at once; prints its path.
null_blk_new() {
	local dir=/sys/kernel/config/nullb/$1
	modprobe null_blk nr_devices=0
	mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
	mkdir "$dir"
	echo "$2" > "$dir/size"
	echo 1 > "$dir/memory_backed"
	echo 2 > "$dir/irqmode"
	echo $(($3 * 1000)) > "$dir/completion_nsec"
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

# fsck_clean DEVICE [DESC]: a test that e2fsck finds nothing wrong.
fsck_clean() {
	ok "${2:-e2fsck finds $1 clean}" e2fsck -fn "$1"
}
