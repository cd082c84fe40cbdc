#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Each on-disk layout and feature mounts as ext4dio and works; what ext4dio wrote
# stock ext4 reads back the same.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

disk=/dev/lab/disk
mnt=/mnt/dio
mkdir -p "$mnt"

# work: direct and buffered writes over holes, preallocation and written blocks.
work() {
	local bs
	bs=$(stat -f -c %S "$mnt")
	xfs_io -fd -c "pwrite -q -S 1 0 $((16 * bs))" -c "pwrite -q -S 2 $((3 * bs)) $((5 * bs))" \
		"$mnt/direct"
	xfs_io -fd -c 'truncate 1m' -c "pwrite -q -S 3 512k $((4 * bs))" "$mnt/sparse"
	xfs_io -f -c 'pwrite -q -S 4 100 100000' -c fsync "$mnt/buffered"
	fio --name=verify --filename="$mnt/random" --size=2m --bs="$bs" --rw=randwrite --direct=1 \
		--ioengine=libaio --iodepth=8 --verify=crc32c --do_verify=1 --verify_fatal=1 \
		--output="$OUT/fio.txt"
}

# feature NAME MKFS-OPTIONS [MOUNT-OPTIONS]: the file system, mounted as ext4dio.
feature() {
	name=$1
	# shellcheck disable=SC2086 # a list of options
	mkfs.ext4 -qF $2 "$disk" > "$OUT/mkfs.txt" 2>&1
	ok "$name: mounts" mount -t ext4dio ${3:+-o "$3"} "$disk" "$mnt"
}

# leave [MOUNT-OPTIONS]: unmount, check, and compare under stock ext4.
leave() {
	local before after
	before=$(find "$mnt" -type f -exec sha256sum {} + | sort)
	umount "$mnt"
	fsck_clean "$disk"
	mount -t ext4 ${1:+-o "$1"} "$disk" "$mnt"
	after=$(find "$mnt" -type f -exec sha256sum {} + | sort)
	umount "$mnt"
	ok "$name: there is something to read" test -n "$before"
	is "$name: stock ext4 reads the same" "$after" "$before"
}

feature "default" ""
ok "default: I/O" work
leave

feature "ext3 layout" "-t ext3"
ok "ext3 layout: I/O" work
is "ext3 layout: no extents" \
	"$(debugfs -R 'stat /direct' "$disk" 2> /dev/null | grep -oE '^(EXTENTS|BLOCKS)')" BLOCKS
leave

feature "1 KiB blocks" "-b 1024"
is "1 KiB blocks: in use" "$(stat -f -c %S "$mnt")" 1024
ok "1 KiB blocks: I/O" work
leave

feature "bigalloc" "-O bigalloc -C 65536"
ok "bigalloc: I/O" work
xfs_io -fd -c 'pwrite -q 0 4k' "$mnt/small"
is "bigalloc: a block takes a cluster" "$(stat -c %b "$mnt/small")" 128
leave

feature "inline data" "-O inline_data -I 256"
echo short > "$mnt/inline"
sync -f "$mnt"
ok "inline data: a short file lives in its inode" \
	sh -c "debugfs -R 'stat /inline' $disk 2> /dev/null | grep -q 'Flags: 0x10000000'"
ok "inline data: a direct write to it" xfs_io -d -c 'pwrite -q -S 5 0 4k' "$mnt/inline"
ok "inline data: I/O" work
leave

feature "quota" "-O quota -E quotatype=usrquota:grpquota" usrquota,grpquota
chmod 777 "$mnt"
# quota-tools go by the name of the file system type; xfs_quota -f asks the kernel.
ok "quota: a limit is set" xfs_quota -x -f -c 'limit -u bhard=1m 1000' "$mnt"
refuses "quota: and enforced on a direct write" "Disk quota exceeded" \
	setpriv --reuid=1000 --regid=1000 --clear-groups \
	xfs_io -fd -c 'pwrite -q 0 4m' "$mnt/mine"
ok "quota: I/O within it" work
leave

feature "encryption" "-O encrypt"
mkdir "$mnt/secret"
key=$(head -c 64 /dev/zero | tr '\0' 'k')
id=$(printf %s "$key" | xfs_io -c add_enckey "$mnt" | grep -oE '[0-9a-f]{32}')
ok "encryption: a policy is set" xfs_io -c "set_encpolicy -v 2 $id" "$mnt/secret"
xfs_io -f -c 'pwrite -q -S 6 0 100k' -c fsync "$mnt/secret/file"
xfs_io -d -c 'pwrite -q -S 7 8k 16k' "$mnt/secret/file"
sum=$(sha256sum < "$mnt/secret/file")
ok "encryption: I/O" work
umount "$mnt"
mount -t ext4dio "$disk" "$mnt"
ok "encryption: without the key there is no such name" test ! -e "$mnt/secret/file"
printf %s "$key" | xfs_io -c add_enckey "$mnt" > "$OUT/enckey.txt"
is "encryption: with it the contents are back" "$(sha256sum < "$mnt/secret/file")" "$sum"
umount "$mnt"
fsck_clean "$disk"
mount -t ext4 "$disk" "$mnt"
printf %s "$key" | xfs_io -c add_enckey "$mnt" > "$OUT/enckey.txt"
is "encryption: stock ext4 reads the same" "$(sha256sum < "$mnt/secret/file")" "$sum"
umount "$mnt"

feature "verity" "-O verity"
xfs_io -f -c 'pwrite -q -S 8 0 100k' -c fsync "$mnt/sealed"
ok "verity: a file is sealed" fsverity enable "$mnt/sealed"
ok "verity: it reads" sh -c "sha256sum $mnt/sealed"
refuses "verity: and cannot be written" "Operation not permitted" \
	xfs_io -d -c 'pwrite -q 0 4k' "$mnt/sealed"
ok "verity: I/O" work
leave

feature "no journal" "-O ^has_journal"
ok "no journal: I/O" work
leave

feature "journalled data" "" data=journal
ok "journalled data: I/O" work
leave data=journal

feature "fast commit, orphan file, checksums" "-O fast_commit,orphan_file,metadata_csum"
ok "fast commit, orphan file, checksums: I/O" work
leave

done_testing
