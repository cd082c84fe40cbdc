#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# NOWAIT writes on a DAX mount (persistent memory made by memmap= on the kernel command
# line) never start a journal handle.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

mnt=/mnt/dax
mkdir -p "$mnt"
modprobe nd_e820 2> /dev/null || true
modprobe nd_pmem
dev=/dev/pmem0
for _ in $(seq "$(longer 10)"); do
	[ ! -b $dev ] || break
	sleep 0.5
done

for type in ext4 ext4dio; do
	mkfs.ext4 -qF -b 4096 $dev
	mount -t $type -o dax $dev "$mnt"
	xfs_io -f -c 'truncate 64k' -c 'pwrite -q 0 32k' -c fsync "$mnt/file"
	attributes=$(xfs_io -c 'statx -r' "$mnt/file" | sed -n 's/^stat.attributes = //p')
	ok "$type: the file is DAX" test $((attributes & 0x200000)) -ne 0
	is "$type: NOWAIT over written blocks" "$(./rwf write "$mnt/file" 4096 4096 8192)" ok
	want=again
	[ $type = ext4dio ] || want=ok
	[ "$(since 7.3)" = no ] || want=again
	is "$type: NOWAIT from below the end of the file to past it: $want" \
		"$(./rwf write "$mnt/file" 61440 8192 8192)" $want
	[ $type = ext4 ] ||
		is "$type: NOWAIT into a hole" "$(./rwf write "$mnt/file" 40960 4096 8192)" again
	is "$type: the file is as long as it should be" "$(stat -c %s "$mnt/file")" \
		"$([ $want = ok ] && echo 69632 || echo 65536)"
	umount "$mnt"
	fsck_clean $dev
done
done_testing
