#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Building, installing and removing by DKMS, on a root with each kernel.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
for kernel in $EXT4DIO_KERNELS; do
	relay "$kernel dkms" tests/lab/lab chroot "$kernel" -- tests/buildroot/dkms.sh
done
done_testing
