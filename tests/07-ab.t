#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# tools/ext4dio-ab without a guest: its statistics and claims, with fixed numbers; what it writes
# and reads; its command line, with a made-up fio.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
relay unit tests/unit/tap.py
done_testing
