#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The lock that each kind of direct write really takes, seen from outside: on a slow
# device, does it wait for another write, and does another wait for it?
#
# Stock ext4 goes through the same rows; where the rule is new it differs, until it has the rule
# too.  ext4dio with the old rule (dio_policy=stock) must differ, which shows that the rows can
# tell.
#
# usage: lock-mode.sh [brief]	with 4 KiB blocks only
set -euo pipefail
. "$(dirname "$0")/lib.sh"

delay=$(longer 100)
mnt=/mnt/lock
file=$mnt/file
mkdir -p "$mnt"
modprobe brd rd_nr=1 rd_size=262144
modprobe dm-delay
# cap_net_raw, as setcap(8) stores it (struct vfs_cap_data, version 2).
capability=0x0100000200200000000000000000000000000000
sectors=$(blockdev --getsz /dev/ram0)

# slow MS: reads and writes of the device take MS from now on.
slow() {
	dmsetup suspend slow
	dmsetup load slow --table "0 $sectors delay /dev/ram0 0 $1"
	dmsetup resume slow
}
dmsetup create slow --table "0 $sectors delay /dev/ram0 0 0"
dmsetup mknodes
dev=/dev/mapper/slow

# new_fs TYPE MKFS-OPTIONS [MOUNT-OPTIONS]
new_fs() {
	slow 0
	! mountpoint -q "$mnt" || umount "$mnt"
	# shellcheck disable=SC2086 # a list of options
	mkfs.ext4 -qF -E lazy_itable_init=0,lazy_journal_init=0 $2 "$dev"
	mount -t "$1" ${3:+-o "$3"} "$dev" "$mnt"
	bs=$(stat -f -c %S "$mnt")
}

# lay_out PATTERN: the file: a written 4 KiB block, then the pattern (a letter a
# block: Written, Unwritten, Hole) twice, then one more written block.
lay_out() {
	local pattern=$1$1 i
	slow 0
	rm -f "$file"
	start=65536
	# One that zeroes part of a block, and is not the first: from then on the file has tokens.
	xfs_io -fd -c 'pwrite -q 0 4096' -c 'truncate 36864' -c 'pwrite -q 33280 512' "$file"
	{
		echo "truncate $((start + (${#pattern} + 1) * bs))"
		echo "pwrite -q -S 0x77 0 4096"
		for ((i = 0; i < ${#pattern}; i++)); do
			case ${pattern:i:1} in
			W) echo "pwrite -q -S 0x77 $((start + i * bs)) $bs" ;;
			U) echo "falloc $((start + i * bs)) $bs" ;;
			esac
		done
		echo "pwrite -q -S 0x77 $((start + ${#pattern} * bs)) $bs"
		echo fsync
	} | xfs_io -f "$file" > /dev/null
	# shellcheck disable=SC2034 # see asked
	unit=$((${#1} * bs))
	end=$((start + (${#pattern} + 1) * bs))
	slow $delay
}

# answer POS1 POS2 LEN [read|aio|nowait|by-aio|by-uring]: in words.
answer() {
	local result
	result=$(./overlap "$file" $delay "$@")
	case $result in
	*data=bad*) echo "wrong data: $result" ;;
	"waits=0 holds=0 errno=0"*) echo shared ;;
	"waits=1 holds=1 errno=0"*) echo exclusive ;;
	"waits=1 holds=0 errno=0"*) echo checks ;;
	*errno=11*) echo again ;;
	*) echo "$result" ;;
	esac
}

# asked DESC WANT SETUP POS1 POS2 LEN [...]: after SETUP the answer is WANT; the positions are
# arithmetic with what SETUP sets.  A host that stalls a guest for the length of a delay spoils
# the measurement, hence five tries.
asked() {
	local desc=$1 want=$2 setup=$3 pos1=$4 pos2=$5 try got
	shift 5
	for try in 1 2 3 4 5; do
		eval "$setup"
		got=$(answer $((pos1)) $((pos2)) "$@")
		[[ $got != "$want" && $got != wrong* ]] || break
		diag "$desc, try $try: $got"
	done
	if [ "$type $got" = "ext4 ${mended:-}" ] && [ "$got" != "$want" ]; then
		todo "$desc" "Debian mended it?" "$got"
	else
		is "$desc" "$got" "$want"
	fi
}

# row DESC PATTERN OFFSET LENGTH WANT STOCK [OVERLAP]: a write at OFFSET of each copy of the
# pattern, once by each of $ways; WANT by the rule of Linux 7.3, STOCK of ext4 ("-" for: do not
# ask), OVERLAP of ext4dio where that is another.  Since 7.3 stock ext4 has the new rule too; on
# 6.1 all that is unaligned is exclusive.
row() {
	local want=${7:-$5} mended=$5 by
	if [ "$policy" = shared ]; then
		[ -n "${7:-}" ] || return 0
		want=$5
	elif [ "$policy" = stock ]; then
		want=$6
		[ "$5" != "$6" ] || return 0
	elif [ "$type" = ext4 ]; then
		want=$6
		if [ "$(since 7.3)" = yes ] && [ "$want" != - ]; then
			want=$5
		elif [ "$(since 6.4)" = no ] && [[ $1 == unaligned* ]]; then
			want=exclusive
		fi
	fi
	[ "$want" != - ] || return 0
	for by in $ways; do
		asked "$side, $fs, $by: $1 is $want" "$want" "lay_out $2" \
			"start + $3" "start + unit + $3" "$4" "by-$by"
	done
}

for side in ext4dio ext4dio,shared ext4dio,stock ext4; do
	type=${side%,*}
	policy=${side#"$type"}
	policy=${policy#,}
	for fs in "4 KiB blocks" "1 KiB blocks" "bigalloc"; do
		ways=sync
		all=sync
		case $fs in
		4*)
			new_fs "$type" "-b 4096" ${policy:+dio_policy=$policy}
			[ $side != ext4dio ] || all="sync aio uring"
			;;
		1*) new_fs "$type" "-b 1024" ;;
		b*) new_fs "$type" "-b 4096 -O bigalloc -C 16384" ;;
		esac
		b=$bs
		h=$((b / 2))

		row "aligned, written" WW 0 $((2 * b)) shared shared
		row "aligned, unwritten" UU 0 $((2 * b)) shared -
		ways=$all row "aligned, hole" HHHH 0 $((4 * b)) shared exclusive
		row "aligned, written then unwritten" WU 0 $((2 * b)) shared exclusive
		row "aligned, unwritten then hole" UUUUHHHH 0 $((8 * b)) shared exclusive
		row "aligned, hole then written" HHHHWWWW 0 $((8 * b)) shared exclusive

		row "unaligned, written" WWW $h $((2 * b)) shared shared
		row "unaligned, inside a written block" WW 0 $h shared shared
		row "unaligned, head and tail written, unwritten between" \
			WUUW $h $((3 * b)) shared exclusive
		row "unaligned, head and tail written, hole between" \
			WWWWHHHHWWWW $((3 * b + h)) $((5 * b)) shared exclusive
		ways=$all row "unaligned head unwritten" UUWW $h $((2 * b)) \
			exclusive exclusive shared
		row "unaligned tail unwritten" WWUU $h $((2 * b)) exclusive exclusive shared
		row "unaligned head hole" HHHHWWWW $((3 * b + h)) $b exclusive exclusive shared
		row "unaligned tail hole" WWWWHHHH $((3 * b + h)) $b exclusive exclusive shared
		row "unaligned, inside an unwritten block" UU 0 $h exclusive exclusive shared
		[ "$side,${1:-}" = ext4dio, ] || break
	done

	new_fs "$type" "-b 4096" ${policy:+dio_policy=$policy}
	fs="4 KiB blocks"
	[ $side != ext4dio ] || all="sync aio uring"
	b=$bs
	mended=shared
	want=exclusive
	[ $side != ext4dio ] || want=shared
	for by in $all; do
		asked "$side, by $by: aligned at the end of the file is $want" $want \
			"lay_out WW" end "end + b" "$b" by-$by
		asked "$side, by $by: past the end of the file is $want" $want \
			"lay_out WW" "end + 8 * b" "end + 16 * b" "$b" by-$by
		asked "$side, by $by: across the end of the file is $want" $want \
			"lay_out WW" "end - b" "end" $((2 * b)) by-$by
	done
	[ -z "$policy" ] || continue
	asked "$type: part of a block across the end of the file is exclusive" exclusive \
		"lay_out WW" "end - 512" "end + 512" 1024
	asked "$type: past an end within a block is exclusive" exclusive \
		'lay_out WW; truncate -s $((end - 512)) "$file"; sync' \
		"end + b" "end + 2 * b + 512" "$b"
	if [ "$type" = ext4dio ]; then
		# iomap zeroes behind a write that reaches i_size, on written blocks too: no other
		# write has those bytes.
		for by in sync aio uring; do
			asked "$type, by $by: an unaligned write up to the end of the file" shared \
				'lay_out WW; truncate -s $((end - 512)) "$file"; sync' \
				"end - 1024" "end - 1024" 512 by-$by
		done
		# (The other is a read: a write would have to be checked itself.)
		asked "$type: a suid file: exclusive for the checks only" checks \
			'lay_out WW; chmod u+s "$file"' start "start + b" "$b" read
		asked "$type: a file with capabilities: exclusive for the checks only" checks \
			"lay_out WW; setfattr -n security.capability -v $capability $file" \
			start "start + b" "$b" read
		refuses "$type: which the write has dropped" "No such attribute" \
			getfattr -n security.capability "$file"
	fi

	# Without extents a hole is filled through the page cache.  That waits for direct
	# I/O in flight, which holds no lock, before it dirties a page (stock ext4 of some
	# releases does not).
	if [ "$type" = ext4dio ]; then
		new_fs "$type" "-t ext3"
		b=$bs
		lay_out HHHH
		is "$type: ext3 layout: the fallback to buffered I/O waits for AIO in flight" \
			"$(./overlap "$file" $delay "$start" $((start + 4 * b)) "$b" aio |
			grep -o 'waits=. .*errno=0 .*data=ok' | cut -d' ' -f1)" waits=1
		new_fs "$type" "-b 4096"
		b=$bs
	fi

	# NOWAIT: refused where it would wait or allocate, and then nothing is written.
	[ "$type" = ext4dio ] || continue
	nowait() {
		lay_out "$2"
		slow 0
		is "NOWAIT: $1: $5" "$(answer $((start + $3)) 0 "$4" nowait)" "$5"
	}
	unwritten=shared
	[ "$(since 7.0)" = yes ] || unwritten=again
	nowait "aligned, written" WW 0 $((2 * b)) shared
	nowait "aligned, unwritten" UU 0 $((2 * b)) $unwritten
	nowait "aligned, written then unwritten" WU 0 $((2 * b)) $unwritten
	nowait "aligned, hole" HH 0 $((2 * b)) again
	nowait "aligned, written then hole" WH 0 $((2 * b)) again
	nowait "unaligned, written" WWW 512 $((2 * b)) shared
	nowait "unaligned head unwritten" UUWW 512 $((2 * b)) $unwritten
	nowait "unaligned, hole between" WHW 512 $((2 * b)) again
	lay_out WW
	is "NOWAIT: extending: again" "$(answer "$end" 0 "$b" nowait)" again
	lay_out WW
	chmod u+s "$file"
	is "NOWAIT: a suid file: again" "$(answer "$start" 0 "$b" nowait)" again
done

slow 0
umount "$mnt"
fsck_clean "$dev"
done_testing
