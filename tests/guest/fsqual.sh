#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Run fsqual on ext4, ext4dio, the same with dio_ahead where the kernel is new enough for that, and
# xfs, on a device that takes 0.5 ms, and print its verdicts side by side: of the task that
# submits, the share of writes that it slept for.
#
# usage: fsqual.sh PROGRAM
set -euo pipefail
. "$(dirname "$0")/lib.sh"

program=$PWD/$1
mnt=/mnt/fsqual
mkdir -p "$mnt"
dev=$(null_blk_new fsqual 1536 500)
sides="ext4 ext4dio ext4dio:dio_ahead=1024 xfs"
[ "$(since 7.0)" = yes ] || sides="ext4 ext4dio xfs"
for side in $sides; do
	type=${side%:*}
	option=${side#"$type"}
	# No file is as large as the device, but fsqual's are, and sparse.
	case $type in
	xfs) mkfs.xfs -q -f "$dev" ;;
	*) mkfs.ext4 -qF "$dev" ;;
	esac
	mount -t "$type" ${option:+-o "${option#:}"} "$dev" "$mnt"
	(cd "$mnt" && "$program") > "$OUT/$side.txt" 2>&1
	umount "$mnt"
done

# rows SIDE: from its tables "OPERATION DEPTH BYTES;VERDICT (WHAT)", a line for each kind of write;
# of those that are asked twice the last counts.
rows() {
	awk -F'|' '
	$2 !~ /^ *[0-9]+ *$/ { next }
	{
		for (i = 2; i <= NF; i++)
			gsub(/ /, "", $i)
		if (NF == 5) {
			key = "NOWAIT 1 -"
			of[key] = $4 " (" $3 " of " $2 " refused)"
		} else {
			key = $4 ($5 == "-" ? "" : "+dsync") " " $2 " " $3
			of[key] = $8 " (" $6 ")"
		}
		if (!(key in number))
			names[number[key] = ++n] = key
	}
	END {
		for (i = 1; i <= n; i++)
			print names[i] ";" of[names[i]]
	}' "$OUT/$1.txt"
}
for side in $sides; do
	rows "$side" > "/tmp/$side"
	if [ "$(wc -l < "/tmp/$side")" -lt 10 ]; then
		echo "fsqual said of $side what could not be understood:"
		tail -5 "$OUT/$side.txt"
		exit 1
	fi
	# All are asked the same in the same order.
	cut -d ';' -f 2 "/tmp/$side" > "/tmp/$side.said"
done
{
	echo "operation depth bytes;${sides// /;}"
	# shellcheck disable=SC2046,SC2086 # words
	paste -d ';' <(cut -d ';' -f 1 /tmp/ext4) $(printf '/tmp/%s.said ' $sides)
} | awk -F ';' '{
	printf "%-28s", $1
	for (i = 2; i <= NF; i++)
		printf " %-32s", $i
	print ""
}'
