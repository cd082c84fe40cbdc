#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Run fsqual on ext4, ext4dio and xfs, on a device that takes 0.5 ms, and print its verdicts side
# by side: of the task that submits, the share of writes that it slept for.
#
# usage: fsqual.sh PROGRAM
set -euo pipefail
. "$(dirname "$0")/lib.sh"

program=$PWD/$1
mnt=/mnt/fsqual
mkdir -p "$mnt"
dev=$(null_blk_new fsqual 1536 500)
types="ext4 ext4dio xfs"
for type in $types; do
	# No file is as large as the device, but fsqual's are, and sparse.
	case $type in
	xfs) mkfs.xfs -q -f "$dev" ;;
	*) mkfs.ext4 -qF "$dev" ;;
	esac
	mount -t "$type" "$dev" "$mnt"
	(cd "$mnt" && "$program") > "$OUT/$type.txt" 2>&1
	umount "$mnt"
done

# rows TYPE: from its tables "OPERATION DEPTH BYTES;VERDICT (WHAT)", a line for each kind of write;
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
for type in $types; do
	rows "$type" > "/tmp/$type"
	if [ "$(wc -l < "/tmp/$type")" -lt 10 ]; then
		echo "fsqual said of $type what could not be understood:"
		tail -5 "$OUT/$type.txt"
		exit 1
	fi
done
# All are asked the same in the same order.
{
	echo "operation depth bytes;${types// /;}"
	paste -d ';' /tmp/ext4 <(cut -d ';' -f 2 /tmp/ext4dio) <(cut -d ';' -f 2 /tmp/xfs)
} | awk -F ';' '{ printf "%-28s %-32s %-32s %s\n", $1, $2, $3, $4 }'
