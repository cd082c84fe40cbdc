#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# In a guest that has them: applications as workloads of tools/ext4dio-ab, and tracers.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
need_kernels
kernel=${EXT4DIO_KERNELS##* }
relay "$kernel apps" tests/lab/lab run "$kernel+apps" --timeout 1200 --mem 3072 \
	--send tools tests/guest/apps.sh
relay "$kernel trace" tests/lab/lab run "$kernel+apps" --timeout 300 tests/guest/trace.sh
done_testing
