#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Direct I/O that is polled for (io_uring with IOPOLL) ends when its task polls: who waits for
# it in the same task waits until the kernel gives the request up, here after 6 s, and the
# I/O fails.  Stock ext4 does so where blocks go away and before it dirties the page
# cache; ext4dio must not do so anywhere else, and must lose nothing for it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

mnt=/mnt/dio
file=$mnt/file
mkdir -p "$mnt"
dev=$(null_blk_new polled 128 1000 poll)
echo 6000 > "/sys/block/$(basename "$dev")/queue/io_timeout"

# new_fs TYPE DEVICE MKFS-OPTIONS [MOUNT-OPTIONS]
new_fs() {
	! mountpoint -q "$mnt" || umount "$mnt"
	# shellcheck disable=SC2086 # a list of options
	mkfs.ext4 -qF $3 "$2"
	mount -t "$1" ${4:+-o "$4"} "$2" "$mnt"
}
# lay_out SIZE [END]: a file of SIZE written bytes, and a hole up to END.
lay_out() {
	rm -f "$file"
	xfs_io -f -c "pwrite -q -S 0x77 0 $1" -c "truncate ${2:-$1}" -c fsync "$file"
}
# asked DESC WANT SIZE POLLED-ARGUMENTS...: what polled says of a file of SIZE.
asked() {
	local desc=$1 want=$2 got
	lay_out "$3"
	shift 3
	got=$(./polled "$file" "$@" 2>&1 || true)
	[ "$want" != waits ] || got=${got%%,*}
	is "$type $with: $desc: $want" "$got" "$want"
}

# The last block is a partial one, and so is the last page of a file with small blocks.
size=$((65536 + 1536))
for how in "ext4 4096" "ext4dio 4096" "ext4dio 1024" "ext4dio 4096 dio_policy=stock"; do
	read -r type bs options <<< "$how"
	with="$bs B blocks${options:+, $options}"
	new_fs "$type" "$dev" "-b $bs" "$options"
	asked "a polled write" ok $size 4096 4096 none
	asked "it, and a file that becomes larger" ok $size 4096 4096 truncate 200000
	asked "it, and a file that keeps its size" ok $size 4096 4096 truncate $size
	asked "it, and a write that appends a block" ok 65536 4096 4096 write 65536 4096
	asked "it, and a write beyond EOF" ok $size 4096 4096 write 131072 4096
	asked "it, and one that fails" ok $size 4096 4096 efault 131072 4096
	asked "a polled read, and a file that becomes larger" ok $size 4096 4096 read \
		truncate 200000
	# This shows that it is polled for.  (The write is not on 6.12.)
	asked "it, and a file that becomes smaller" waits $size 4096 4096 read truncate 32768
	if [ "$type" = ext4dio ]; then
		# A store that dirties the last page, beyond EOF.
		asked "a polled write, and one beyond EOF, with something to zero" ok \
			$size 4096 4096 store $((size + 100)) 100 write 131072 4096
	fi
	# (Before 6.4 all that is unaligned waits for direct I/O in flight.)
	if [ "$(since 6.4)" = yes ] || { [ "$type" = ext4dio ] && [ -z "$options" ]; }; then
		asked "a polled write, and an unaligned one up to EOF" ok $size 4096 4096 \
			write $((size - 512)) 512
	fi
	# Polled writes to the last block, or page: waited for, hence nothing is left to poll
	# for.  (Stock ext4 loses the first, and submits two polled bios for the last, of which
	# one is polled for.)
	[ "$type" = ext4dio ] || continue
	asked "a polled write to the last block, and a file that becomes larger" ok \
		$size 65536 1024 truncate 200000
	asked "a polled write to the last block" ok $size 65536 512 none
	asked "a polled write up to EOF" ok $size 66560 512 none
done
umount "$mnt"

# Without extents a hole is filled through the page cache, after what was submitted has ended.
for type in ext4 ext4dio; do
	with="without extents"
	new_fs $type "$dev" "-b 4096 -t ext3"
	lay_out 65536 131072
	got=$(./polled "$file" $((65536 - 4096)) 8192 none || true)
	if [ $type = ext4 ]; then
		diag "ext4 $with: a polled write to written blocks and a hole: $got"
	else
		is "$type $with: a polled write to written blocks and a hole: ok" "$got" ok
	fi
	asked "a polled write" ok 65536 4096 4096 none
done
umount "$mnt"
fsck_clean "$dev"
null_blk_del polled

# A part in the middle fails at once, and the first is still to be polled for.  (Before 7.0
# stock ext4 asks iomap to wait then.)  The parts are as large as what the block layer collects.
dir=/sys/kernel/config/nullb/bad
mkdir $dir
echo 128 > $dir/size
echo 0 > $dir/irqmode
echo 1024 > $dir/max_sectors
for one in memory_backed poll_queues power; do
	echo 1 > $dir/$one
done
dev=/dev/bad
[ -b $dev ] || dev=/dev/nullb$(cat $dir/index)
echo 6000 > "/sys/block/$(basename $dev)/queue/io_timeout"
new_fs ext4dio $dev "-b 4096"
xfs_io -f -c "falloc 0 528k" -c "pwrite -q 0 128k" -c "pwrite -q 132k 128k" \
	-c "pwrite -q 264k 128k" -c "pwrite -q 396k 128k" -c fsync "$file"
xfs_io -d -c 'pread -q 0 528k' "$file"
sector=$(xfs_io -c 'fiemap -v' "$file" |
	awk '$2 == "[264..519]:" { split($3, at, "."); print at[1] }')
echo "+$sector-$((sector + 7))" > $dir/badblocks
for way in "" read; do
	is "a polled ${way:-write} that fails in the middle" \
		"$(timeout 20 ./polled "$file" 0 540672 $way none 2>&1)" "the I/O ends with -5"
done
umount "$mnt"
fsck_clean $dev
null_blk_del bad

# AIO ends by itself, but late: what is zeroed at the old end of the file must not lose it.
modprobe brd rd_nr=1 rd_size=65536
for bs in 1024 4096; do
	type=ext4dio
	with="$bs B blocks, AIO"
	! mountpoint -q "$mnt" || umount "$mnt"
	mkfs.ext4 -qF -b $bs /dev/ram0
	dm_delay_new slow /dev/ram0 "$(longer 60)" > /dev/null
	mount -t $type /dev/mapper/slow "$mnt"
	asked "a write to the last block, and a file that becomes larger" ok \
		1536 0 1024 aio truncate 16384
	asked "a write to the last block, and a file that keeps its size" ok \
		1536 0 1024 aio truncate 1536
	asked "a write to the last page, and a file that becomes larger twice" ok \
		1024 0 512 aio truncate 1536 0 truncate 16384
	asked "a write to the last block, and one behind it that fails" ok \
		1536 0 1024 aio efault 16384 4096
	asked "a write to the first block of what a huge page maps, and a larger file" ok \
		$((12288 + 1536)) 0 4096 aio huge 16384 0 truncate 65536
	asked "a write to it, and a file that keeps its size" ok \
		$((12288 + 1536)) 0 4096 aio huge 16384 0 truncate $((12288 + 1536))
	asked "a write to it, and one behind it that fails" ok \
		$((12288 + 1536)) 0 4096 aio huge 16384 0 efault 65536 4096
	# What extends is in flight as well, and the size moves at its end.
	asked "an append, and a file that becomes smaller" ok 65536 65536 4096 aio truncate 1000
	asked "an append, and a file that keeps its size" ok 65536 65536 4096 aio truncate 65536
	asked "an append, and a file that becomes larger" ok 65536 65536 4096 aio truncate 200000
	asked "an append, and one of a part of a block" ok 65536 65536 4096 aio write 69632 512
	asked "an append, and one beyond it" ok 65536 65536 4096 aio write 131072 512
	asked "an append, and one that fails" ok 65536 65536 4096 aio efault 69632 4096
	umount "$mnt"
	dmsetup remove slow
	fsck_clean /dev/ram0
done
done_testing
