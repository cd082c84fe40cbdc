#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Layout rules of the sources, and what mandoc says of the manual pages.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
ok "sources keep the layout rules" tests/style
# Whether another manual is installed here is no matter of ours.
lint() {
	! mandoc -Tlint "$1" 2> /dev/null | grep -v 'referenced manual not found'
}
for page in tools/*.[58]; do
	if command -v mandoc > /dev/null; then
		ok "mandoc finds $page clean" lint "$page"
	else
		skip "mandoc finds $page clean" "mandoc is missing: apt-get install mandoc"
	fi
done
done_testing
