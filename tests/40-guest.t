#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The module in a booted guest of each kernel: what it is, how it locks, what it counts.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
need_kernels

tests/guest-tools || exit

# With slab_nomerge every slab cache shows under its own name.
for kernel in $EXT4DIO_KERNELS; do
	less=
	in_full "$kernel" || less=brief
	guest "$kernel" identity --append slab_nomerge
	guest "$kernel" "lock-mode $less" --send build/tools/overlap --timeout 1200
	guest "$kernel" fallback --send build/tools/overlap
	guest "$kernel" nowait --send build/tools/rwf \
		--expect 'mapped to illegal pblock' --expect 'bad block bitmap checksum'
	in_full "$kernel" || continue
	guest "$kernel" evict --send build/tools/rwf
	guest "$kernel" cycles --append slab_nomerge
	guest "$kernel" same-device --expect 'Aborting journal on device'
	guest "$kernel" features
	guest "$kernel" errors --send build/tools/rwf
	guest "$kernel" counters --send build/tools/rwf --send tools --timeout 900
	guest "$kernel" dax --send build/tools/rwf --mem 3072 --append 'memmap=256M!1G'
done
done_testing
