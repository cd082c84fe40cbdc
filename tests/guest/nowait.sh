#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# NOWAIT asks the extent status cache and nothing else, and does not trust it blindly.
#
# The images are ours: debugfs points the only extent of a file at a bitmap block.
# Mounted with noblock_validity a read puts that extent into the cache; after a remount
# with block_validity, NOWAIT must refuse it in silence, while the blocking call finds
# and reports the corruption.  (Following the bad link while the check is off spoils the
# cached bitmap; that bitmap's checksum is complained of too.)
set -euo pipefail
. "$(dirname "$0")/lib.sh"

dev=/dev/lab/disk
sysfs_name=$(basename "$(readlink -f "$dev")")
mnt=/mnt/dio
mkdir -p "$mnt"

# --- a cold cache ------------------------------------------------------------

mkfs.ext4 -qF "$dev"
mount -t ext4dio "$dev" "$mnt"
xfs_io -fd -c 'pwrite -q 0 64k' "$mnt/file"
umount "$mnt"
mount -t ext4dio "$dev" "$mnt"
said=$(./rwf read "$mnt/file" 0 4096)
if [ -n "${CONTROL:-}" ]; then
	is "control: a NOWAIT read of an extent that is not cached goes through" "$said" ok
	umount "$mnt"
	done_testing
	exit
fi
is "a NOWAIT read of an extent that is not cached is refused" "$said" again
is "so is a NOWAIT write" "$(./rwf write "$mnt/file" 0 4096)" again
xfs_io -d -c 'pread -q 0 4k' "$mnt/file"
is "once it is cached the read goes through" "$(./rwf read "$mnt/file" 0 4096)" ok
is "so does the write" "$(./rwf write "$mnt/file" 0 4096 8192)" ok
truncate -s 1M "$mnt/file"
xfs_io -d -c 'pread -q 128k 4k' "$mnt/file"
is "a cached hole is read" "$(./rwf read "$mnt/file" 131072 4096)" ok

# The first path walk goes by RCU, asks the cache only, and must come again: with references.
ln -s "$(printf './%.0s' {1..100})file" "$mnt/long"
for walk in cold warm; do
	umount "$mnt"
	mount -t ext4dio -o noatime "$dev" "$mnt"
	[ $walk = cold ] || readlink "$mnt/long" > /dev/null
	is "a path through a long link, $walk" "$(stat -L -c %s "$mnt/long")" 1048576
	is "and once more" "$(stat -L -c %s "$mnt/long")" 1048576
done
umount "$mnt"
fsck_clean "$dev"

# What is preallocated beyond EOF is cached like any other; what is not is refused.
mkfs.ext4 -qF -b 4096 "$dev"
mount -t ext4dio "$dev" "$mnt"
xfs_io -fd -c 'pwrite -q -S 0x11 0 8k' -c 'falloc -k 8k 8k' "$mnt/file"
xfs_io -d -c 'pread -q 0 4k' "$mnt/file"
want="ok 16384"
[ "$(since 7.0)" = yes ] || want="again 8192"
is "a NOWAIT append to what is preallocated" \
	"$(./rwf write "$mnt/file" 8192 8192) $(stat -c %s "$mnt/file")" "$want"
is "one to what is not is refused" "$(./rwf write "$mnt/file" 65536 4096)" again
is "all there, and nothing else" \
	"$(od -An -v -t x1 -w4096 "$mnt/file" | cut -c2-3 | xargs | cut -c1-11)" \
	"$([ "$(since 7.0)" = yes ] && echo "11 11 4e 4e" || echo "11 11")"
umount "$mnt"
fsck_clean "$dev"

# A read that goes past the end of the file: nothing is cached there.
for layout in ext4 ext3; do
	mkfs.ext4 -qF -b 4096 -t $layout "$dev"
	mount -t ext4dio "$dev" "$mnt"
	xfs_io -fd -c 'pwrite -q 0 8k' "$mnt/file"
	umount "$mnt"
	mount -t ext4dio "$dev" "$mnt"
	xfs_io -d -c 'pread -q 0 8k' "$mnt/file"
	is "$layout layout: a NOWAIT read past the end of the file" \
		"$(./rwf read "$mnt/file" 0 16384)" "8192 bytes"
	is "$layout layout: and one behind it" "$(./rwf read "$mnt/file" 12288 4096)" "0 bytes"
	umount "$mnt"
done

# --- a hole ------------------------------------------------------------------
#
# A blocking read finds it and caches it, whatever the layout of the file; what fills it, or
# digs it, is found in its place.  In the ext3 layout the three offsets are in the inode,
# in its indirect block and in a doubly indirect one.

read_hole() {
	xfs_io -r -d -c "pread -q -b 16k $(($1)) 16k" "$mnt/file"
}
# shows DESC OFFSET WANT: what a NOWAIT read of one block gets.
shows() {
	is "$layout layout, at $at: $1" "$(./rwf read "$mnt/file" "$(($2))" 4096 show)" "$3"
}
for layout in ext4 ext3; do
	mkfs.ext4 -qF -b 4096 -t $layout "$dev"
	mount -t ext4dio "$dev" "$mnt"
	xfs_io -f -c 'truncate 16m' "$mnt/file"
	for at in 16384 262144 8388608; do
		read_hole at
		is "$layout layout, at $at: one that a blocking read has found" \
			"$(./rwf read "$mnt/file" $at 16384 show)" "all 00"

		xfs_io -d -c "pwrite -q -S 0x22 $((at + 4096)) 4k" "$mnt/file"
		read_hole at
		shows "filled by a direct write" at+4096 "all 22"
		shows "the hole before it" at "all 00"
		xfs_io -c "pwrite -q -S 0x33 $((at + 8192)) 4k" "$mnt/file"
		shows "filled by a buffered write that is not on the disk" at+8192 again
		read_hole at
		shows "which a blocking read writes back" at+8192 "all 33"
		xfs_io -c "fpunch $((at + 4096)) 8k" "$mnt/file"
		read_hole at
		shows "punched again" at+4096 "all 00"

		# A block whose allocation is delayed, in the middle of a hole.
		xfs_io -c "pwrite -q -S 0x44 $((at + 1048576)) 4k" "$mnt/file"
		read_hole at+524288
		read_hole at+1572864
		sync "$mnt/file"
		is "$layout layout, at $at: no allocation is delayed any more" \
			"$(cat "/sys/fs/ext4dio/$sysfs_name/delayed_allocation_blocks")" 0
		xfs_io -r -d -c "pread -q $((at + 1048576)) 4k" "$mnt/file"
		shows "a block in a hole that was found while its allocation was delayed" \
			at+1048576 "all 44"
		shows "the hole before it" at+524288 "all 00"
		shows "the hole behind it" at+1572864 "all 00"
	done
	umount "$mnt"
	fsck_clean "$dev"
done

# --- io_uring -----------------------------------------------------------------
#
# It tries every request with NOWAIT first, whatever the application wants, and must not
# be told "again" by a completion: that reaches the application.  On a slow device that of
# the first mapping comes after the second is found not to be cached.

slow=$(null_blk_new uring 128 20000)
mkfs.ext4 -qF -b 4096 "$slow"
mount -t ext4dio "$slow" "$mnt"
truncate -s 1M "$mnt/file"
xfs_io -d -c 'pwrite -q 0 4k' "$mnt/file"
umount "$mnt"
mount -t ext4dio "$slow" "$mnt"
xfs_io -d -c 'pread -q 0 4k' "$mnt/file"
is "its first block is cached" "$(./rwf read "$mnt/file" 0 4096)" ok
is "its second is not" "$(./rwf read "$mnt/file" 4096 4096)" again
ok "io_uring reads both" fio --name=uring --readonly --filename="$mnt/file" --direct=1 \
	--ioengine=io_uring --rw=read --bs=8k --number_ios=1
umount "$mnt"
fsck_clean "$slow"
null_blk_del uring

# Where a write has to be waited for, nobody else polls for its bios.
slow=$(null_blk_new polled 128 1000 poll)
mkfs.ext4 -qF -b 4096 "$slow"
mount -t ext4dio "$slow" "$mnt"
xfs_io -fd -c 'pwrite -q 0 8k' -c 'truncate 4608' "$mnt/file"
# polled OFFSET SIZE
polled() {
	timeout 20 fio --name=polled --filename="$mnt/file" --direct=1 --ioengine=io_uring --hipri \
		--rw=write --offset="$1" --bs="$2" --size="$2" --allow_file_create=0 \
		--create_on_open=1 --fallocate=none
}
ok "a polled write up to the end of the file" polled 4096 512
ok "a polled write past it" polled 8192 4096
umount "$mnt"
fsck_clean "$slow"

# --- a bad extent in the cache -----------------------------------------------

mkfs.ext4 -qF "$dev"
mount -t ext4 "$dev" "$mnt"
xfs_io -fd -c 'pwrite -q 0 64k' "$mnt/written"
xfs_io -fd -c 'falloc 0 64k' "$mnt/unwritten"
ln -s "$(printf 'long%.0s' {1..50})" "$mnt/link"
umount "$mnt"
bitmap=$(dumpe2fs "$dev" 2> /dev/null | sed -n 's/.*Block bitmap at \([0-9]*\).*/\1/p' | head -1)
for name in written unwritten link; do
	debugfs -w -R "set_inode_field /$name block[5] $bitmap" "$dev" 2> /dev/null
done
mount -t ext4dio -o noblock_validity,errors=continue "$dev" "$mnt"
xfs_io -d -c 'pread -q 0 4k' "$mnt/written"
xfs_io -d -c 'pread -q 0 4k' "$mnt/unwritten"
readlink "$mnt/link" > "$OUT/link.txt" 2>&1 || true
mount -o remount,block_validity "$mnt"

reports() {
	dmesg | grep -c "$1: .*mapped to illegal pblock $bitmap" || true
}
# reported DESC INODE: the corruption of that inode is in the kernel log.
reported() {
	ok "$1" test "$(reports "inode #$(stat -c %i "$mnt/$2")")" -gt 0
}
is "a NOWAIT read through a bad written extent is refused" \
	"$(./rwf read "$mnt/written" 0 4096)" again
is "so is a NOWAIT write" "$(./rwf write "$mnt/written" 0 4096)" again
is "a NOWAIT read through a bad unwritten extent is refused" \
	"$(./rwf read "$mnt/unwritten" 0 4096)" again
is "so is a NOWAIT write to it" "$(./rwf write "$mnt/unwritten" 0 4096)" again
is "nothing has been reported by that" "$(reports inode)" 0

refuses "the blocking read finds the corruption" "cleaning|corrupt" \
	xfs_io -d -c 'pread -q 0 4k' "$mnt/written"
reported "and reports it" written
refuses "the blocking write to the unwritten one finds it too" "cleaning|corrupt" \
	xfs_io -d -c 'pwrite -q 0 4k' "$mnt/unwritten"
reported "and reports it as well" unwritten
# A path walk begins in RCU mode: it must leave it for this link, not follow it.
refuses "a path through the bad link finds it" "cleaning|corrupt" stat -L "$mnt/link"
reported "in the blocking walk, which reports it" link
umount "$mnt"

done_testing
