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
# Stock ext4 of 7.3 has the rule itself.
before_7_3=no
[ "$(since 7.3)" = yes ] || before_7_3=yes
for _ in $(seq "$(longer 10)"); do
	[ ! -b $dev ] || break
	sleep 0.5
done

for type in $TYPES; do
	mkfs.ext4 -qF -b 4096 $dev
	mount -t $type -o dax $dev "$mnt"
	xfs_io -f -c 'truncate 64k' -c 'pwrite -q 0 32k' -c fsync "$mnt/file"
	attributes=$(xfs_io -c 'statx -r' "$mnt/file" | sed -n 's/^stat.attributes = //p')
	ok "$type: the file is DAX" test $((attributes & 0x200000)) -ne 0
	is "$type: NOWAIT over written blocks" "$(./rwf write "$mnt/file" 4096 4096 8192)" ok
	said=$(./rwf write "$mnt/file" 61440 8192 8192)
	size=$(stat -c %s "$mnt/file")
	case "$said $size" in
	"again 65536") verdict=ok ;;
	"ok 69632") verdict="wrong: it went through" ;;
	*) verdict="$said, $size bytes long" ;;
	esac
	cured $type "$before_7_3" \
		"NOWAIT from below the end of the file to past it is refused" "$verdict" no
	# (The control refuses that where it would allocate, after the handle: it truncates then.)
	xfs_io -f -c 'pwrite -q 0 9000' -c 'falloc -k 0 64k' -c fsync "$mnt/short"
	said=$(./rwf write "$mnt/short" 8192 4096 0)
	size=$(stat -c '%s %b' "$mnt/short")
	case "$said $size" in
	"again 9000 128") verdict=ok ;;
	"ok 12288 "*) verdict="wrong: it went through" ;;
	"again 9000 24") verdict="wrong: what was preallocated behind is gone" ;;
	*) verdict="$said, size and sectors $size" ;;
	esac
	cured $type "$before_7_3" "so is one where blocks are preallocated, and they stay" \
		"$verdict"
	[ $type = ext4 ] ||
		is "$type: NOWAIT into a hole" "$(./rwf write "$mnt/file" 40960 4096 8192)" again
	umount "$mnt"
	fsck_clean $dev
done
done_testing
