#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The tests can tell.  Here ext4dio lacks cures (tests/47-control.t): each defect that it then has
# must be found by the tests that look for it.  They were seen to find it in stock ext4 once, but
# whoever mends stock ext4 would take that away.
#
# usage: controls.sh RULE...	that it lacks
set -euo pipefail
. "$(dirname "$0")/lib.sh"

origin=$(modinfo -F forked_from ext4dio)
for rule in "$@"; do
	ok "modinfo says that this is a module without $rule" \
		grep -qE " without $rule( |\$)" <<< "$origin"
done

export CONTROL=1
# control SCRIPT [ARGUMENTS...]
control() {
	relay "$1" bash "./$1.sh" "${@:2}"
	# For the next one to have it of its own size.
	rmmod brd 2> /dev/null || true
	rmdir /sys/kernel/config/nullb/* 2> /dev/null || true
}
control data-loss
control fallback
control faults ext4dio fsync
control nowait
control hostile
control extend
control zeroing
done_testing
