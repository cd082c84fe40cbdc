#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The tests of what ext4dio cures can tell: on a fork without these cures they find the defects.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
need_kernels

tests/guest-tools || exit

# Rules that are left out (fork/rules), and controls (tests/controls), which undo what is
# no rule's.
rules=(eof-wait zeroout zeroout-split fsync-aborted map-nowait iomap-nowait
	drain-before-buffered zero-tail nowait-whole readahead write-modified alloc-unwritten
	token-conflict)
options=()
for rule in "${rules[@]}"; do
	options+=(--without "$rule")
done
for script in data-loss fallback faults nowait hostile extend zeroing; do
	options+=(--send "tests/guest/$script.sh")
done
for tool in extend grid hostile ledger loss overlap rwf; do
	options+=(--send "build/tools/$tool")
done
# With the last kernel only: the newest has most of the defects.
kernel=${EXT4DIO_KERNELS##* }
relay "$kernel control" tests/lab/lab run "$kernel" "${options[@]}" --timeout 900 \
	--disk disk=512M --mem 3072 --append 'memmap=256M!1G slab_nomerge' --expect . \
	tests/guest/controls.sh "${rules[@]}"
done_testing
