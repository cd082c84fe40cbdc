#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The module in a booted guest of each kernel: a script of tests/guest a run.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
# guest KERNEL SCRIPT [OPTIONS]: one run, with two empty disks.  A debug kernel is several
# times slower and needs more memory.
guest() {
	local kernel=$1 script=$2 timeout=600 mem=1536
	shift 2
	if [[ $kernel = *+debug ]]; then
		timeout=3600
		mem=3072
	fi
	relay "$kernel $script" tests/lab/lab run "$kernel" --timeout $timeout --mem $mem \
		--disk disk=512M --disk other=512M "$@" "tests/guest/$script.sh"
}

tests/guest-tools || exit

# The devices that faults.sh breaks.
broken='dm-0|vd[b-z]'
# With slab_nomerge every slab cache shows under its own name.
for kernel in $EXT4DIO_KERNELS; do
	guest "$kernel" identity --append slab_nomerge
	guest "$kernel" cycles --append slab_nomerge
	guest "$kernel" same-device --expect 'Aborting journal on device'
	guest "$kernel" features
	guest "$kernel" lock-mode --send build/tools/overlap
	guest "$kernel" fallback --send build/tools/overlap \
		--expect 'Page cache invalidation failure' --expect 'Collision with buffered'
	guest "$kernel" data-loss --send build/tools/loss --send build/tools/rwf \
		--expect 'Page cache invalidation failure' --expect 'Collision with buffered' \
		--expect 'Aborting journal on device ram0-8'
	guest "$kernel" integrity --send build/tools/torture
	guest "$kernel" errors --send build/tools/rwf
	guest "$kernel" faults --send build/tools/ledger --append slab_nomerge \
		--expect "Aborting journal on device ($broken)-8" \
		--expect "Buffer I/O error on dev ($broken), logical block [0-9]+, lost .*write" \
		--expect "I/O error, dev vd[b-z], sector" \
		--expect "fs \(($broken)\): I/O error while writing superblock" \
		--expect "fs error \(device ($broken)\).*([Aa]borted|mark_inode_dirty error)" \
		--expect "JBD2: I/O error when updating journal superblock for ($broken)-8"
	guest "$kernel" nowait --send build/tools/rwf \
		--expect 'mapped to illegal pblock' --expect 'bad block bitmap checksum'
	guest "$kernel" counters --send build/tools/rwf --send tools
	guest "$kernel" dax --send build/tools/rwf --mem 3072 --append 'memmap=256M!1G'
done
done_testing
