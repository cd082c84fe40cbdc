#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Bad input and full disks: the same answer as stock ext4, and the same file afterwards.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

disk=/dev/lab/disk
mnt=/mnt/err
mkdir -p "$mnt"

# tries: a list of direct writes that may not work; what they say and leave behind.
tries() {
	local f=$mnt/file
	xfs_io -f -c 'pwrite -q -S 1 0 64k' -c fsync "$f"
	echo "offset below the sector size"
	xfs_io -d -c 'pwrite -q -S 2 100 512' "$f"
	echo "length below the sector size"
	xfs_io -d -c 'pwrite -q -b 100 -S 2 0 100' "$f"
	echo "memory not aligned"
	./rwf write "$f" 0 4096 unaligned
	echo "past the largest file"
	xfs_io -d -c 'pwrite -q -S 2 16383t 4k' "$f"
	echo "read-only descriptor"
	xfs_io -r -d -c 'pwrite -q -S 2 0 4k' "$f"
	echo "append-only file"
	xfs_io -f -c 'pwrite -q -S 1 0 4k' "$mnt/append"
	chattr +a "$mnt/append"
	xfs_io -d -c 'pwrite -q -S 2 0 4k' "$mnt/append"
	chattr -a "$mnt/append"
	echo "immutable file"
	exec 3<> "$mnt/append"
	chattr +i "$mnt/append"
	dd if=/dev/zero of=/dev/fd/3 oflag=direct bs=4k count=1 conv=notrunc 2>&1 | head -1
	chattr -i "$mnt/append"
	exec 3>&-
	echo "zero length"
	xfs_io -d -c 'pwrite -q -S 2 0 0' "$f"
	sha256sum < "$f"
	echo "full disk"
	xfs_io -fd -c 'pwrite -q -b 1m -S 3 0 1g' "$mnt/full"
	rm "$mnt/full"
	xfs_io -fd -c 'truncate 1g' -c 'pwrite -q -b 64k -S 3 0 1g' "$mnt/full"
	# What a write got of the last blocks is no error (journalled data).
	[ "$(stat -f -c %a "$mnt")" -gt 16 ] || echo "it is full"
	sha256sum < "$f"
	stat -c '%s' "$f" "$mnt/append"
}

# both NAME MKFS-OPTIONS [MOUNT-OPTIONS]
both() {
	local type
	for type in ext4 ext4dio; do
		# shellcheck disable=SC2086 # a list of options
		mkfs.ext4 -qF $2 "$disk" 128M
		mount -t $type ${3:+-o "$3"} "$disk" "$mnt"
		tries > "$OUT/$1-$type" 2>&1 || true
		umount "$mnt"
		fsck_clean "$disk" "$1: e2fsck finds it clean after $type"
	done
	is "$1: the same answers from both" "$(cat "$OUT/$1-ext4dio")" \
		"$(cat "$OUT/$1-ext4")"
	ok "$1: which are errors" grep -q "File too large" "$OUT/$1-ext4dio"
	ok "$1: to the last" sh -c "sed '1,/^full disk/d' '$OUT/$1-ext4dio' |
		grep -q 'it is full' && tail -1 '$OUT/$1-ext4dio' | grep -qx 4096"
}

both "default" "-b 4096"
both "journalled data" "-b 4096" data=journal
both "inline data" "-b 4096 -O inline_data -I 256"
both "ext3 layout" "-b 4096 -t ext3"

# Quota that runs out in the middle of a write.
for type in ext4 ext4dio; do
	mkfs.ext4 -qF -O quota -E quotatype=usrquota "$disk" 128M
	mount -t $type -o usrquota "$disk" "$mnt"
	chmod 777 "$mnt"
	xfs_quota -x -f -c 'limit -u bhard=1m 1000' "$mnt"
	setpriv --reuid=1000 --regid=1000 --clear-groups \
		xfs_io -fd -c 'pwrite -b 256k -S 4 0 4m' "$mnt/mine" \
		> "$OUT/quota-$type" 2>&1 || true
	stat -c '%s %b' "$mnt/mine" >> "$OUT/quota-$type"
	sha256sum < "$mnt/mine" >> "$OUT/quota-$type"
	umount "$mnt"
	fsck_clean "$disk" "quota: e2fsck finds it clean after $type"
done
is "quota exceeded: the same answer and the same file" \
	"$(grep -v ops "$OUT/quota-ext4dio")" "$(grep -v ops "$OUT/quota-ext4")"
ok "which is an error" grep -q "Disk quota exceeded" "$OUT/quota-ext4dio"

done_testing
