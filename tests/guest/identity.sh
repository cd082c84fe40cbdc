#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# ext4dio beside stock ext4: every name it shows is its own, and it goes away
# without a trace.  The guest's root is stock ext4, so that one is in use all the
# time.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

dev=/dev/lab/disk
mnt=/mnt/dio
mkdir -p "$mnt"
mount -t tracefs tracefs /sys/kernel/tracing 2> /dev/null || true
events=/sys/kernel/tracing/events

is "the root file system is stock ext4" "$(findmnt -no FSTYPE /)" ext4
ext23=$(grep -c 'ext[23]$' /proc/filesystems || true)
ok "the module loads while stock ext4 is in use" modprobe ext4dio

is "both file system types are registered" \
	"$(awk '$NF ~ /^ext4/ { print $NF }' /proc/filesystems | sort | xargs)" "ext4 ext4dio"
is "no ext2 or ext3 is registered by it" "$(grep -c 'ext[23]$' /proc/filesystems || true)" "$ext23"
ok "it has its own /sys/fs folder" test -d /sys/fs/ext4dio/features
ok "stock ext4 keeps its own" test -d /sys/fs/ext4/features
ok "it has its own /proc/fs folder" test -d /proc/fs/ext4dio
ok "it has its own trace system" test -d "$events/ext4dio"
# Those of dio_trace.h are ours.
is "with as many events as stock ext4 has, but for our own" \
	"$(find "$events/ext4dio" -mindepth 1 -maxdepth 1 -type d ! -name '*_dio_*' | wc -l)" \
	"$(find "$events/ext4" -mindepth 1 -maxdepth 1 -type d | wc -l)"
is "all of them under its own name" \
	"$(find "$events/ext4dio" -mindepth 1 -maxdepth 1 -type d ! -name 'ext4dio_*')" ""
is "no function of it is called ext4_something" \
	"$(awk '$4 == "[ext4dio]" && $3 ~ /(^|_)ext4_/' /proc/kallsyms)" ""
ok "its functions can be told apart in a stack trace" \
	grep -q ' ext4dio_file_write_iter[[:space:]]\[ext4dio\]' /proc/kallsyms
# (Those of the groups come with the first mount.)
caches() {
	find /sys/kernel/slab -mindepth 1 -maxdepth 1 -name "$1" ! -name '*_groupinfo_*' | wc -l
}
ok "it has slab caches of its own, as many as stock ext4 or more" \
	test "$(caches 'ext4dio_*')" -ge "$(caches 'ext4_*')"
for cache in inode_cache extent_status pending_reservation; do
	ok "one of them is ext4dio_$cache" test -e "/sys/kernel/slab/ext4dio_$cache"
done

mkfs.ext4 -q "$dev"
mount -t ext4dio "$dev" "$mnt"
umount "$mnt"
mount -t ext4dio "$dev" "$mnt"
origin=$(modinfo -F forked_from ext4dio)
ok "modinfo says what kernel source it was forked from" \
	grep -q "^Linux $(uname -r | cut -d. -f1,2)\." <<< "$origin"
is "so does the kernel log, once, at the first mount" \
	"$(dmesg | grep -cF "version $(modinfo -F version ext4dio): " || true)" 1
ok "naming the same source" sh -c "dmesg | grep -F 'EXT4DIO-fs: version' | grep -qF '$origin'"
ok "its messages carry its own prefix" sh -c "dmesg | grep -q 'EXT4DIO-fs (.*): mounted'"
fails "it has nothing to say against itself" sh -c "modinfo ext4dio | grep -q ^caveat ||
	dmesg | grep -q 'EXT4DIO-fs: caution'"
is "mount shows its type" "$(findmnt -no FSTYPE "$mnt")" ext4dio
ok "its mount is under /sys/fs/ext4dio" test -d "/sys/fs/ext4dio/$(basename "$(readlink -f $dev)")"
ok "and under /proc/fs/ext4dio" test -d "/proc/fs/ext4dio/$(basename "$(readlink -f $dev)")"

# Only the fork's events fire for a write to the fork's mount.
echo 1 > "$events/ext4dio/ext4dio_sync_file_enter/enable"
echo 1 > "$events/ext4/ext4_sync_file_enter/enable"
echo > /sys/kernel/tracing/trace
xfs_io -f -c 'pwrite 0 4k' -c fsync "$mnt/file" > /dev/null
is "an fsync there fires the fork's tracepoint" \
	"$(grep -c 'ext4dio_sync_file_enter' /sys/kernel/tracing/trace || true)" 1
is "and not the stock one" \
	"$(grep -c ' ext4_sync_file_enter' /sys/kernel/tracing/trace || true)" 0
xfs_io -f -c 'pwrite 0 4k' -c fsync /root/file > /dev/null
is "an fsync on the root fires the stock one" \
	"$(grep -c ' ext4_sync_file_enter' /sys/kernel/tracing/trace || true)" 1
echo 0 > "$events/ext4dio/enable"
echo 0 > "$events/ext4/enable"

fails "it cannot be unloaded while mounted" rmmod ext4dio
umount "$mnt"
fsck_clean "$dev"

left_over() {
	ls -d /sys/fs/ext4dio /proc/fs/ext4dio "$events/ext4dio" \
		/sys/kernel/slab/*ext4dio* 2> /dev/null || true
}
for round in first second; do
	ok "it unloads ($round time)" rmmod ext4dio
	is "nothing of it is left ($round time)" "$(left_over)" ""
	ok "mounting loads it by itself ($round time)" mount -t ext4dio "$dev" "$mnt"
	umount "$mnt"
done
rmmod ext4dio
fsck_clean "$dev"

done_testing
