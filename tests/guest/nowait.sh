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
mnt=/mnt/dio
mkdir -p "$mnt"

# --- a cold cache ------------------------------------------------------------

mkfs.ext4 -qF "$dev"
mount -t ext4dio "$dev" "$mnt"
xfs_io -fd -c 'pwrite -q 0 64k' "$mnt/file"
umount "$mnt"
mount -t ext4dio "$dev" "$mnt"
is "a NOWAIT read of an extent that is not cached is refused" \
	"$(./rwf read "$mnt/file" 0 4096)" again
is "so is a NOWAIT write" "$(./rwf write "$mnt/file" 0 4096)" again
xfs_io -d -c 'pread -q 0 4k' "$mnt/file"
is "once it is cached the read goes through" "$(./rwf read "$mnt/file" 0 4096)" ok
is "so does the write" "$(./rwf write "$mnt/file" 0 4096 8192)" ok
truncate -s 1M "$mnt/file"
xfs_io -d -c 'pread -q 128k 4k' "$mnt/file"
is "a cached hole is read" "$(./rwf read "$mnt/file" 131072 4096)" ok
umount "$mnt"
fsck_clean "$dev"

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
