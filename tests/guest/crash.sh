#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: crash.sh [CUTS [BATCHES [SEED]]]
#
# After a power cut every write is there that was acknowledged as durable, and no file has
# bytes that were never written to it.  Four direct writers (acked.c) run on ext4dio above
# dm-log-writes, which logs what reaches the disk and, as marks, what they were told.  From
# the log the disk is made as it was at CUTS moments (replay.c): right after a flush, a FUA
# write or an acknowledgement; between any two writes; and within a flush, when a volatile
# cache has kept what it liked.  Each is mounted, by ext4 or by ext4dio, so that it replays
# the journal, judged, unmounted and checked by e2fsck.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cuts=${1:-110}
batches=${2:-40}
seed=${3:-$RANDOM}
mb=32
mnt=/mnt/crash
mkdir -p "$mnt"
modprobe brd rd_nr=4 rd_size=$((256 << 10))
# The disk as it was up to the last cut, the same to be mounted, and the logs.
past=/dev/ram0
disk=/dev/ram1
log=/dev/ram2
order=/dev/ram3
live=$(null_blk_new live $mb 1000)
diag "seed $seed"
RANDOM=$seed

copy() {
	dd if="$1" of="$2" bs=1M count=$mb iflag=direct oflag=direct status=none
}

# record NAME MOUNT-OPTIONS MKFS-OPTIONS...: a run of the writers, from what is then in $past; its
# log.
record() {
	local name=$1 options=$2 logged
	shift 2
	mkfs.ext4 -qF -m 0 -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 "$@" "$live"
	mount -t ext4 "$live" "$mnt"
	./acked prepare "$mnt" "$seed"
	umount "$mnt"
	copy "$live" $past
	logged=$(log_writes_new "$live" $log $order)
	mount -t ext4dio -o "$options" "$logged" "$mnt"
	ok "$name: the writers run" ./acked run "$mnt" "$seed" "$batches" logged
	ok "$name: nothing is missing in the logs" log_writes_whole
	# (It is the only one of the device mapper's that is mounted.)
	[ "$options" = defaults ] || ok "$name: some were allocated ahead" \
		test "$(cat /sys/fs/ext4dio/dm-*/dio/ahead_blocks)" -gt 0
	umount "$mnt"
	log_writes_del $log $order > "$OUT/$name.log"
	gives "$name: before any power cut all is there" "" after_cut ext4 "$live" "$mnt" \
		./acked check "$mnt" "$seed" 0 "$batches" "$batches" "$batches" "$batches"
}

# choose NAME N: N cuts in the order of the log, "KIND FROM TO": after all entries before
# FROM, and perhaps those from there to TO.
choose() {
	awk -v n="$2" -v seed="$seed" '
	$2 == "write" {
		writes++
		between[++b] = "between " $1 + 1 " " $1 + 1
	}
	$2 != "write" {
		after[++a] = $2 " " $1 + 1 " " $1 + 1
		if ($2 == "flush" && writes)
			within[++w] = "within " $1 - writes " " $1
		writes = 0
	}
	END {
		srand(seed)
		for (i = 0; i < n; i++)
			if (i % 4 == 0 && w)
				print within[int(rand() * w) + 1]
			else if (i % 4 == 1)
				print between[int(rand() * b) + 1]
			else
				print after[int(rand() * a) + 1]
	}' "$OUT/$1.log" | sort -n -k 2
}

# acked NAME ENTRY: how many batches each writer had acknowledged before that entry.
acked() {
	awk -v entry="$2" '
	$1 < entry && $2 == "mark" && split($7, word, "-") == 3 { last[word[2]] = word[3] }
	END { print last[0] + 0, last[1] + 0, last[2] + 0, last[3] + 0 }' "$OUT/$1.log"
}

# crash NAME CUTS MOUNT-OPTIONS MKFS-OPTIONS...
crash() {
	local name=$1 n=$2 done=0 entries kind from to type found missed="" judge loss=""
	local -A bad=() count=([ext4]=0 [ext4dio]=0)
	shift 2
	record "$name" "$@"
	entries=$(wc -l < "$OUT/$name.log")
	judge=(./acked check "$mnt" "$seed" 1)
	while read -r kind from to; do
		./replay apply $log $past "$done" "$from" < "$OUT/$name.log"
		done=$from
		copy $past $disk
		if [ "$to" -gt "$from" ]; then
			loss=$RANDOM
			./replay apply $log $disk "$from" "$to" "$loss" < "$OUT/$name.log"
		fi
		type=ext4dio
		[ "${count[ext4]}" -ge "${count[ext4dio]}" ] || type=ext4
		# shellcheck disable=SC2046 # numbers
		found=$(after_cut $type $disk "$mnt" "${judge[@]}" $(acked "$name" "$from"))
		[ -z "$found" ] || bad[$type]+="$kind $from $to, $loss: $found"$'\n'
		count[$type]=$((count[$type] + 1))
		count[$kind]=$((count[$kind] + 1))
		if [ -z "$missed" ] && [ $((from * 2)) -lt "$entries" ]; then
			# shellcheck disable=SC2046 # numbers
			missed=$(after_cut ext4 $disk "$mnt" "${judge[@]}" \
				$(acked "$name" "$entries"))
		fi
	done < <(choose "$name" "$n")
	diag "$name: $entries entries; cuts: $(for kind in "${!count[@]}"; do
		echo "$kind ${count[$kind]}"; done | sort | xargs)"
	is "$name: there were as many cuts as were asked for" \
		$((count[ext4] + count[ext4dio])) "$n"
	for type in ext4 ext4dio; do
		is "$name: after ${count[$type]} power cuts and recovery by $type all is there" \
			"${bad[$type]:-}" ""
	done
	ok "$name: what was acknowledged later is missed" grep -q "is durable" <<< "$missed"
}

# Not with fast commits: after some cuts stock ext4 has lost a size that was acknowledged, and
# both leave e2fsck blocks behind the end of a file to complain of.
ahead=defaults
[ "$(since 7.0)" = no ] || ahead=dio_ahead=64
crash "4 KiB blocks" $((cuts * 3 / 10)) defaults -b 4096
crash "4 KiB blocks, $ahead" $((cuts / 10)) "$ahead" -b 4096
crash "1 KiB blocks" $((cuts * 2 / 10)) defaults -b 1024
crash "bigalloc" $((cuts * 2 / 10)) "$ahead" -b 4096 -O bigalloc -C 16384
crash "without extents" $((cuts * 2 / 10)) defaults -b 1024 -O ^extents,^64bit
done_testing
