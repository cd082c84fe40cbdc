#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A direct write that falls back to buffered I/O while an asynchronous direct write to
# the same page is in flight: the completion must not find the page dirty, complain
# and leave -EIO for fsync.
#
# The device takes 60 ms.  The fallback dirties the page that it shares with the earlier
# write, then has to read an indirect block for its next pages; so the page is dirty, and
# not yet under writeback, when the earlier write completes.  Stock ext4 without the
# drain shows the harm, which shows that the test can.
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
	dmesg | grep -c "Page cache invalidation failure" || true
}

# The kernels whose own ext4 drains: from 7.2.12 on, and 6.1.
kernel=$(uname -r)
case $kernel in
6.1.*) stock_drains=1 ;;
[7-9].*) stock_drains=1 ;;
*) stock_drains="" ;;
esac

for type in ext4 ext4dio; do
	want=none
	[ $type = ext4dio ] || [ -n "$stock_drains" ] || want=some

	# Blocks of 1 KiB, no extents: blocks 1 to 15 are a hole, 12 and on are mapped by
	# an indirect block.
	mkfs.ext4 -qF -t ext3 -b 1024 "$dev"
	mount -t $type "$(dm_delay_new slow "$dev" $delay)" "$mnt"
	before=$(complaints)
	failed=0
	# Five races; where stock ext4 is to lose one, more until it does, for on a busy host the
	# windows of some do not meet.
	for ((i = 0; i < 5 || (i < 50 && failed == 0); i++)); do
		[ "$i" -lt 5 ] || [ $want = some ] || break
		rm -f "$file"
		xfs_io -f -c 'truncate 64k' -c 'pwrite -q 0 1k' -c 'pwrite -q 16k 1k' "$file"
		umount "$mnt"
		mount -t $type /dev/mapper/slow "$mnt"
		result=$(./overlap "$file" $delay 1024 32768 15360 aio-cold)
		case $result in
		*"data=ok fsync=ok") ;;
		*"data=ok fsync=failed") failed=$((failed + 1)) ;;
		*) not_ok "$type, threads: the data is right" "$result" ;;
		esac
	done
	is "$type, threads: fsync fails in $want of the races" \
		"$([ "$failed" -eq 0 ] && echo none || echo some)" $want
	is "$type, threads: the kernel complains in $want" \
		"$([ "$(complaints)" -eq "$before" ] && echo none || echo some)" $want

	# A loop device: its workers write the sparse file by AIO, many at once.
	rm -f "$file"
	truncate -s 8M "$file"
	before=$(complaints)
	loop=$(losetup --show --find --direct-io=on "$file")
	ok "$type, loop: what was written there is read back" \
		fio --name=loop --filename="$loop" --direct=1 --ioengine=libaio --iodepth=16 \
		--rw=randwrite --bs=1k --size=256k --randrepeat=1 --verify=crc32c \
		--output=/tmp/fio.txt
	losetup -d "$loop"
	if [ $type = ext4dio ]; then
		is "$type, loop: the kernel does not complain" "$(complaints)" "$before"
		ok "$type, loop: nor does fsync" xfs_io -c fsync "$file"
	fi
	umount "$mnt"
	dmsetup remove slow
	fsck_clean "$dev"
done
done_testing
