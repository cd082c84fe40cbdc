#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A direct write that falls back to buffered I/O while an asynchronous direct write to
# the same page is in flight: the completion must not find the page dirty, complain
# and leave -EIO for fsync.
#
# The device takes 60 ms.  The fallback dirties the page that it shares with the earlier
# write, then has to read an indirect block for its next pages; so the page is dirty, and
# not yet under writeback, when the earlier write completes.  Stock ext4 of 6.12 failed here
# until 6.12.117 brought it the drain; so both types must pass now, and only a control, which
# lacks the drain, shows that the test can tell.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

delay=60
mnt=/mnt/fallback
file=$mnt/file
mkdir -p "$mnt"
modprobe loop
modprobe brd rd_nr=1 rd_size=65536
dev=/dev/ram0

complaints() {
	in_log "Page cache invalidation failure"
}

for type in $TYPES; do
	# Blocks of 1 KiB, no extents: blocks 1 to 15 are a hole, 12 and on are mapped by
	# an indirect block.
	mkfs.ext4 -qF -t ext3 -b 1024 "$dev"
	mount -t $type "$(dm_delay_new slow "$dev" $delay)" "$mnt"
	before=$(complaints)
	failed=0
	for ((i = 0; i < 5; i++)); do
		rm -f "$file"
		xfs_io -f -c 'truncate 64k' -c 'pwrite -q 0 1k' -c 'pwrite -q 16k 1k' "$file"
		# On disk: what is delayed, SEEK_DATA of stock ext4 does not find.
		sync -f "$file"
		cp "$file" /tmp/model
		umount "$mnt"
		mount -t $type /dev/mapper/slow "$mnt"
		result=$(./overlap "$file" $delay 1024 32768 15360 aio /tmp/model)
		case $result in
		*"errno=0 bytes=15360 data=ok fsync=ok") ;;
		*"errno=0 bytes=15360 data=ok fsync=failed") failed=$((failed + 1)) ;;
		*) not_ok "$type, threads: the data is right" "$result" ;;
		esac
		diag "$type: $result"
	done
	verdict=ok
	[ $failed -eq 0 ] || verdict="wrong: in $failed"
	cured $type no "threads: fsync fails in none of 5 races" "$verdict" yes
	verdict=ok
	after=$(complaints)
	[ "$after" -eq "$before" ] || verdict="wrong: $((after - before)) times"
	cured $type no "threads: the kernel complains in none" "$verdict" yes
	if [ -n "${CONTROL:-}" ]; then
		umount "$mnt"
		dmsetup remove slow
		continue
	fi

	# A loop device: its workers write the sparse file by AIO, many at once.
	rm -f "$file"
	truncate -s 8M "$file"
	before=$(complaints)
	loop=$(losetup --show --find --direct-io=on "$file")
	is "$type, loop: it writes direct" "$(losetup -nO DIO "$loop" | xargs)" 1
	ok "$type, loop: what was written there is read back" \
		fio --name=loop --filename="$loop" --direct=1 --ioengine=libaio --iodepth=16 \
		--rw=randwrite --bs=1k --size=256k --randrepeat=1 --verify=crc32c \
		--output=/tmp/fio.txt
	losetup -d "$loop"
	is "$type, loop: the kernel does not complain" "$(complaints)" "$before"
	ok "$type, loop: nor does fsync" xfs_io -c fsync "$file"
	umount "$mnt"
	dmsetup remove slow
	fsck_clean "$dev"
done
done_testing
