#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# perf and bpftrace see the decisions, by the names that the manual page gives.
# (trace-cmd is in counters.sh.)
set -euo pipefail
. "$(dirname "$0")/lib.sh"

mnt=/mnt/dio
mkdir -p "$mnt"
mount -t tracefs tracefs /sys/kernel/tracing 2> /dev/null || true
mount -t debugfs debugfs /sys/kernel/debug 2> /dev/null || true
dev=$(null_blk_new trace 256 500)
mkfs.ext4 -qF -b 4096 "$dev"
mount -t ext4dio "$dev" "$mnt"
xfs_io -f -c 'falloc 0 64k' -c 'pwrite -q 0 4k' -c fsync "$mnt/file"

ok "perf records decisions" perf record -q -o /tmp/perf.data -e ext4dio:ext4dio_dio_decision \
	xfs_io -d -c 'pwrite -q 8704 1024' "$mnt/file"
perf script -i /tmp/perf.data > "$OUT/perf.txt" 2>&1
ok "with their reason" grep -q "pos 8704 len 1024 .* reason exclusive_zeroing" "$OUT/perf.txt"

timeout -s INT 30 bpftrace -e 'tracepoint:ext4dio:ext4dio_dio_decision {
	printf("len %d reason %d\n", args.len, args.reason); exit(); }' \
	> "$OUT/bpftrace.txt" 2>&1 &
tracer=$!
for ((i = 0; i < 100; i++)); do
	! grep -q '^len' "$OUT/bpftrace.txt" || break
	xfs_io -d -c 'pwrite -q 0 4096' "$mnt/file"
	sleep 0.3
done
wait $tracer || true
ok "bpftrace sees them" grep -q "^len 4096 reason 0" "$OUT/bpftrace.txt"
umount "$mnt"
fsck_clean "$dev"
done_testing
