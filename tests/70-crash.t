#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# What is left after a power cut, of direct writes and of a database.
#	EXT4DIO_CUTS=1000 prove tests/70-crash.t	looks at that many moments a kernel.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
need_kernels

tests/guest-tools || exit
work=$(mktemp -d "${TMPDIR:-/var/tmp}/ext4dio-crash.XXXXXX")
trap 'rm -rf "$work"' EXIT
cuts=${EXT4DIO_CUTS:-110}
# A write into a block that another writer's punch has left in the page cache.
races=(--expect 'Page cache invalidation failure' --expect 'Collision with buffered')

# Machines that are killed under load, three times.
kills() {
	local kernel=$1 n seeds=() disks=() logs=()
	for n in 1 2 3; do
		seeds+=("$RANDOM")
		truncate -s 64M "$work/ext4-$n"
		ok "$kernel kill $n: the machine is killed" tests/lab/lab run "$kernel" --cut \
			--name "$kernel-kill-$n" --send build/tools/acked "${races[@]}" \
			--disk "disk=$work/ext4-$n" tests/guest/kill.sh "${seeds[-1]}"
		cp "build/logs/$kernel-kill-$n.log" "$work/$n.log"
		cp --sparse=always "$work/ext4-$n" "$work/ext4dio-$n"
		logs+=(--send "$work/$n.log")
		disks+=(--disk "ext4-$n=$work/ext4-$n" --disk "ext4dio-$n=$work/ext4dio-$n")
	done
	relay "$kernel killed" tests/lab/lab run "$kernel" --send build/tools/acked \
		"${logs[@]}" "${disks[@]}" tests/guest/killed.sh "${seeds[@]}"
	rm -f "$work"/ext4*
}

for kernel in $EXT4DIO_KERNELS; do
	relay "$kernel crash" tests/lab/lab run "$kernel" --timeout $((300 + cuts * 5)) \
		--send build/tools/acked --send build/tools/replay "${races[@]}" \
		tests/guest/crash.sh "$cuts"
	! in_full "$kernel" || kills "$kernel"
done
kernel=${EXT4DIO_KERNELS##* }
# There is no root of a debug kernel with applications.
[[ $kernel = *+* ]] || relay "$kernel mariadb" tests/lab/lab run "$kernel+apps" \
	--timeout $((900 + cuts * 2)) --mem 3584 --send build/tools/replay \
	tests/guest/crash-mariadb.sh $((1 + cuts / 100))
done_testing
