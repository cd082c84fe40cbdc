#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The Debian packages, on a root with the last kernel, and its tools in a guest.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
need_kernels
kernel=${EXT4DIO_KERNELS##* }
relay "$kernel deb" tests/lab/lab chroot "$kernel" --out build/lab/deb -- tests/buildroot/deb.sh
relay "$kernel deb in a guest" tests/lab/lab run "$kernel" --disk disk=512M \
	--send build/lab/deb/ext4dio-tools.deb --send debian/tests/mount tests/guest/deb.sh
done_testing
