#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# tools/ext4dio-ab in a guest: what it measures, refuses and leaves behind.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
need_kernels
# The tool asks little of the kernel; the newest one is enough.
kernel=${EXT4DIO_KERNELS##* }
relay "$kernel ab" tests/lab/lab run "$kernel" --timeout 1800 --disk disk=512M \
	--send tools tests/guest/ab.sh
done_testing
