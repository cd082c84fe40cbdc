#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Run tools/ext4dio-ab in a guest, on a memory-backed device that answers each I/O
# after 2 ms; the arguments are its own.  The result arrives in $OUT.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

latency_us=2000
dev=$(null_blk_new bench 1024 $latency_us)
tools/ext4dio-ab run --device "$dev" --out "$OUT" \
	--device-note "null_blk, memory-backed, $((latency_us / 1000)) ms completion latency" \
	"$@" |
	sed -u "\|^$OUT: |,\$d"	# where the files are on the host, tests/bench says
