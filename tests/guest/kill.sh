#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: kill.sh SEED
#
# Has direct writers (acked.c) write to ext4dio on /dev/lab/disk and tell what is durable,
# until at a random moment the host kills the machine; see "lab run --cut" and killed.sh.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

diag "seed $1"
RANDOM=$1
disk=/dev/lab/disk
mnt=/mnt/kill
mkdir -p "$mnt"
mkfs.ext4 -qF -b 4096 -m 0 "$disk"
mount -t ext4 "$disk" "$mnt"
./acked prepare "$mnt" "$1"
umount "$mnt"
mount -t ext4dio "$disk" "$mnt"
./acked run "$mnt" "$1" 0 - &
sleep $((2 + RANDOM % 4)).$((RANDOM % 1000))
echo "cut the power"
wait
