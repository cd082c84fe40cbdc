#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The module in a booted guest of each kernel: a script of tests/guest a run.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
# With slab_nomerge every slab cache shows under its own name.
for kernel in $EXT4DIO_KERNELS; do
	for script in identity same-device features cycles; do
		relay "$kernel $script" tests/lab/lab run "$kernel" --timeout 600 \
			--append slab_nomerge --expect 'Aborting journal on device' \
			--disk disk=512M --disk other=512M "tests/guest/$script.sh"
	done
done
done_testing
