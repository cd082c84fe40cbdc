#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Building, installing and removing by DKMS, on a root with each kernel; what does not depend
# on the kernel, with the last one only.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
need_kernels
for kernel in $EXT4DIO_KERNELS; do
	# The guests' module of a kernel that is spared is built by DKMS as well.
	in_full "$kernel" || continue
	short=(short)
	[ "$kernel" != "${EXT4DIO_KERNELS##* }" ] || short=()
	relay "$kernel dkms" tests/lab/lab chroot "$kernel" -- tests/buildroot/dkms.sh "${short[@]}"
done
done_testing
