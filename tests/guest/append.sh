#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Direct writes that make a file larger: what is stored through mmap beside them, where
# O_APPEND takes them, and how they go on through the page cache.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

mnt=/mnt/append
mkdir -p "$mnt"
modprobe brd rd_nr=1 rd_size=65536

# slow TYPE MS MKFS-OPTIONS [MOUNT-OPTIONS]: a file system on a device that slow.
slow() {
	# shellcheck disable=SC2086 # a list of options
	mkfs.ext4 -qF $3 /dev/ram0 2> /dev/null
	dm_delay_new slow /dev/ram0 "$(longer "$2")" > /dev/null
	mount -t "$1" ${4:+-o "$4"} /dev/mapper/slow "$mnt"
}

slow_end() {
	umount "$mnt"
	dmsetup remove slow
	fsck_clean /dev/ram0
}

# Blocks are smaller than a page: a page that was stored to before the file grew has to ask
# again for its other blocks.
for type in ext4 ext4dio; do
	for option in delalloc nodelalloc; do
		slow $type 100 "-b 1024" $option
		for how in store seen; do
			got=$(./append $how "$mnt/file" 2>&1)
			if [ $type = ext4dio ]; then
				is "a store to the old last page is kept: $option, $how" "$got" ok
			else
				ok "ext4 has the defect: not kept, $option, $how" \
					grep -q "the store is lost" <<< "$got"
			fi
		done
		slow_end
	done
done

slow ext4dio 300 "-b 4096 -O ^extents,^64bit"
for _ in 1 2 3 4 5; do
	got=$(./append rest "$mnt/file" 2>&1)
	# Its threads did not meet; or a clean page was in use elsewhere, and so stays.
	[[ $got == "appended at"* || $got == *"is in the page cache" ]] || break
done
is "what O_APPEND brought through the page cache is on disk, wherever it went" "$got" ok
slow_end

# An encrypted file goes direct only where the write is aligned to its blocks; with O_APPEND
# that is not where the caller says.
mkfs.ext4 -qF -b 4096 -O encrypt /dev/ram0
mount -t ext4dio /dev/ram0 "$mnt"
key=$(head -c 64 /dev/zero | tr '\0' k)
id=$(printf %s "$key" | xfs_io -c add_enckey "$mnt" | grep -oE '[0-9a-f]{32}')
mkdir "$mnt/secret"
ok "a policy of encryption is set" xfs_io -c "set_encpolicy -v 2 $id" "$mnt/secret"
dio=/sys/fs/ext4dio/ram0/dio
file=$mnt/secret/file
for case in "512 0" "4096 512"; do
	read -r end at <<< "$case"
	rm -f "$file"
	xfs_io -f -c "pwrite -q -S 0x6f 0 $end" -c fsync "$file"
	echo 1 > $dio/reset
	xfs_io -da -c "pwrite -q -S 0x42 $at 4096" "$file"
	buffered=$(cat $dio/buffered)
	is "encrypted, O_APPEND at $end, called with $at: it is there" \
		"$(tr -d o < "$file" | tr -d B | wc -c) $(stat -c %s "$file")" "0 $((end + 4096))"
	xfs_io -d -c 'pwrite -q -S 0x42 0 4096' "$file"
	if [ "$end" = 512 ]; then
		is "through the page cache" "$buffered" 1
	elif [ "$(cat $dio/buffered)" = "$buffered" ]; then
		is "direct" "$buffered" 0
	else
		skip "direct" "this kernel has no direct I/O on encrypted files"
	fi
done
umount "$mnt"
fsck_clean /dev/ram0
done_testing
