#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The fork generator, with each kernel's headers and source; what does not depend on the
# kernel, with the last one only.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
need_kernels
for kernel in $EXT4DIO_KERNELS; do
	short=(short)
	[ "$kernel" != "${EXT4DIO_KERNELS##* }" ] || short=()
	relay "$kernel fork" tests/lab/lab chroot "$kernel" -- tests/buildroot/fork.sh "${short[@]}"
done
done_testing
