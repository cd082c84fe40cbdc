#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The module in a booted guest of each kernel: a script of tests/guest a run.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
# guest KERNEL SCRIPT [OPTIONS]: one run, with two empty disks.
guest() {
	local kernel=$1 script=$2
	shift 2
	relay "$kernel $script" tests/lab/lab run "$kernel" --timeout 600 \
		--disk disk=512M --disk other=512M "$@" "tests/guest/$script.sh"
}

mkdir -p build/tools
for tool in loss overlap rwf torture; do
	cc -O2 -Wall -Wextra -Werror -static -pthread -o "build/tools/$tool" \
		"tests/guest/$tool.c" -luring || exit
done

# With slab_nomerge every slab cache shows under its own name.
for kernel in $EXT4DIO_KERNELS; do
	guest "$kernel" identity --append slab_nomerge
	guest "$kernel" cycles --append slab_nomerge
	guest "$kernel" same-device --expect 'Aborting journal on device'
	guest "$kernel" features
	guest "$kernel" lock-mode --send build/tools/overlap
	guest "$kernel" fallback --send build/tools/overlap \
		--expect 'Page cache invalidation failure' --expect 'Collision with buffered'
	guest "$kernel" data-loss --send build/tools/loss \
		--expect 'Page cache invalidation failure' --expect 'Collision with buffered'
	guest "$kernel" integrity --send build/tools/torture
	guest "$kernel" errors --send build/tools/rwf
	guest "$kernel" nowait --send build/tools/rwf \
		--expect 'mapped to illegal pblock' --expect 'bad block bitmap checksum'
	guest "$kernel" counters --send build/tools/rwf --send tools
	guest "$kernel" dax --send build/tools/rwf --mem 2048 --append 'memmap=256M!1G'
done
done_testing
