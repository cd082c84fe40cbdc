#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Layout rules of the sources.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
ok "sources keep the layout rules" tests/style
done_testing
