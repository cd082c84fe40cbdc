#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: killed.sh SEED...
#
# What kill.sh had acknowledged is there after the machine was killed.  Of run N the output
# is N.log and the disk /dev/lab/ext4-N, with a copy /dev/lab/ext4dio-N, so that each of
# them replays the journal as it was left.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
: "${1:?which seeds?}"

mnt=/mnt/killed
mkdir -p "$mnt"
n=0
for seed in "$@"; do
	n=$((n + 1))
	# A line may have been cut too.
	read -ra acked < <(awk '/^ack [0-9]+ [0-9]+$/ && $3 > last[$2] { last[$2] = $3 }
		END { print last[0] + 0, last[1] + 0, last[2] + 0, last[3] + 0 }' $n.log)
	diag "seed $seed, batches acknowledged: ${acked[*]}"
	ok "kill $n: each writer had something acknowledged" \
		grep -qE '^[1-9][0-9]*( [1-9][0-9]*){3}$' <<< "${acked[*]}"
	for type in ext4 ext4dio; do
		# Some acknowledgements were lost on their way: 16 at most.
		gives "kill $n: after recovery by $type all is there" "" \
			after_cut $type "/dev/lab/$type-$n" "$mnt" \
			./acked check "$mnt" "$seed" 16 "${acked[@]}"
	done
done
done_testing
