#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The package ext4dio-tools, unpacked where it belongs: its own test, and what a boot
# does with a line of type ext4dio in /etc/fstab.
set -euo pipefail
. ./lib.sh

disk=/dev/lab/disk
says "without the package fsck checks nothing" "fsck.ext4dio not found; ignore" \
	fsck -t ext4dio -n "$disk"
dpkg-deb -x ext4dio-tools.deb /
# systemd makes /dev/loop-control, which loads it.
modprobe loop
ok "the package's own test" sh ./mount

ok "mkfs -t ext4dio" mkfs -t ext4dio -q -L scratch "$disk"
is "what it made is ext4" "$(blkid -o value -s TYPE -p "$disk")" ext4
echo "LABEL=scratch /mnt ext4dio defaults 0 2" > /etc/fstab

# fsck_all WANT: what a boot does; that e2fsck ran shows in what it says.
fsck_all() {
	local status=0 said
	said=$(fsck -A -a -T 2>&1) || status=$?
	echo "status $status: $said"
	[ "$status" -eq "$1" ] && grep -q '^scratch: ' <<< "$said"
}
ok "fsck -A checks it: clean" fsck_all 0
debugfs -w -R "set_super_value free_blocks_count 1" "$disk" 2> /dev/null
debugfs -w -R "set_super_value state 0" "$disk" 2> /dev/null
ok "fsck -A repairs it, and says so by its status" fsck_all 1
debugfs -w -R "clri <2>" "$disk" 2> /dev/null
debugfs -w -R "set_super_value state 0" "$disk" 2> /dev/null
ok "fsck -A passes on what it must not repair" fsck_all 4
ok "fsck.ext4dio repairs it when told to" sh -c "fsck.ext4dio -fy $disk; [ \$? -eq 1 ]"
ok "mount -a mounts it" mount -a
is "as ext4dio" "$(findmnt -no FSTYPE /mnt)" ext4dio
umount /mnt
fsck_clean "$disk"
done_testing
