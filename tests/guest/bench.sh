#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Run tools/ext4dio-ab in a guest, on a memory-backed device that answers each I/O
# after so many ms as the first argument says; the others are the tool's.  The result
# arrives in $OUT.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

latency=$1
shift
cpu=()
if grep -qw lab.clock=instructions /proc/cmdline; then
	cpu=(--cpu-note "each instruction takes 1 ns")
fi
dev=$(null_blk_new bench 2048 $((latency * 1000)))
tools/ext4dio-ab run --device "$dev" --out "$OUT" \
	--device-note "null_blk, memory-backed, $latency ms completion latency" "${cpu[@]}" \
	"$@" |
	sed -u "\|^$OUT: |,\$d"	# where the files are on the host, scripts/bench says
