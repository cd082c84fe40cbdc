#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Direct writes that zero part of a block, many at once and under the shared lock (dio_token.c):
# in the same few blocks, so that they conflict, with aligned ones among them, with reads of the
# whole by the judge, with errors in their middle, on a polled device, and while the policy of the
# mount changes.
#
# usage: zeroing.sh [SECONDS]	for each race [3]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

seconds=${1:-3}
mnt=/mnt/zeroing
file=$mnt/file
mkdir -p "$mnt"

# counts COUNTER: its value.
counts() {
	cat "/sys/fs/ext4dio/$(basename "$dev")/dio/$1"
}

# race DESC LETTERS WANT MKFS-OPTIONS [MOUNT-OPTIONS]: WANT shared if they must have been.
race() {
	local desc=$1 got seed=$RANDOM
	ext4dio_new "$dev" "$mnt" "$4" "${5:-}"
	got=$(timeout $((seconds + 120)) ./grid "$file" "$seconds" 12 $seed "$2" 2>&1) || true
	cured ext4dio no "$desc: what is written is there" "${got%% [0-9]*}" yes
	if [ -n "${CONTROL:-}" ]; then
		umount "$mnt"
		done_testing
		exit
	fi
	diag "$desc: $got, seed $seed, $(for counter in shared{,_zeroing} exclusive_zeroing \
		token_waits token_wait_max_ns tracked_files again_token; do
		echo "$counter $(counts "$counter")"; done | xargs)"
	case $3 in
	shared)
		ok "$desc: under the shared lock, all but the first" test \
			"$(counts shared_zeroing)" -gt 50 -a "$(counts exclusive_zeroing)" -le 12
		ok "$desc: they waited for tokens" test "$(counts token_waits)" -gt 5
		is "$desc: for one file" "$(counts tracked_files)" 1
		;;
	exclusive)
		is "$desc: none under the shared lock" "$(counts shared_zeroing)" 0
		;;
	esac
	same_after "$desc" "$dev" "$mnt" "$file"
}

dev=$(null_blk_new fast 96 1000)
race "4 KiB blocks" "" shared "-b 4096"
race "errors in the middle" e shared "-b 4096"
race "1 KiB blocks" e shared "-b 1024"
race "bigalloc" "" shared "-b 4096 -O bigalloc -C 16384"
race "no journal" "" shared "-b 4096 -O ^has_journal"
race "nodelalloc, dioread_lock" "" shared "-b 4096" nodelalloc,dioread_lock
race "without extents" "" exclusive "-b 4096 -O ^extents,^64bit"
race "dio_policy=shared" "" exclusive "-b 4096" dio_policy=shared
race "dio_policy=stock" "" exclusive "-b 4096" dio_policy=stock
if [ "$(since 6.16)" = yes ]; then
	race "64 KiB blocks" e any "-b 65536"
fi

# The policy changes while they run: who zeroes exclusively beside those with tokens.
for ((i = 0; ; i++)); do
	policies=(overlap shared stock)
	echo "${policies[i % 3]}" > "/sys/fs/ext4dio/$(basename "$dev")/dio/policy" || true
	sleep 0.05
done 2> /dev/null &
switcher=$!
race "policies change under it" e any "-b 4096"
kill $switcher
wait $switcher 2> /dev/null || true

# Only the first write of a file that zeroes is exclusive.
ext4dio_new "$dev" "$mnt" "-b 4096"
dio=/sys/fs/ext4dio/$(basename "$dev")/dio
counted() {
	echo 1 > "$dio/reset"
	xfs_io -d -c "pwrite -q -b $3 $2 $3" "$file"
	is "$1" "$(grep -H -v '^0$' "$dio"/{shared*,exclusive_*} | sed 's,.*/,,' | xargs)" "$4"
}
xfs_io -f -c 'falloc 0 64k' -c 'truncate 63k' -c fsync "$file"
counted "the first that zeroes" 512 512 exclusive_zeroing:1
counted "the second" 8704 1024 shared_zeroing:1
counted "one to a written block" 1024 512 shared:1
counted "an aligned one" 16384 8192 shared:1
counted "one that zeroes the block of EOF" 61440 512 exclusive_partial_end:1
counted "one that grows the file" 65024 1024 exclusive_partial_end:1
umount "$mnt"

# By one who polls: a token is not waited for by the only one who would poll for its holder.
null_blk_del "$(basename "$dev")"
dev=$(null_blk_new polled 96 500 poll)
race "polled" p any "-b 4096"
done_testing
