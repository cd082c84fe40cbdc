#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The fork generator, with each kernel's headers and source.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
for kernel in $EXT4DIO_KERNELS; do
	relay "$kernel fork" tests/lab/lab chroot "$kernel" -- tests/buildroot/fork.sh
done
done_testing
