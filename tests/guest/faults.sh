#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The device or the kernel fails, or the file system stops, in the midst of direct writes:
# the writers get the error, nothing hangs, what was acknowledged is there (after a crash:
# what was synced), the file system can be unmounted, checked and mounted, the module
# unloaded.  See ledger.c for the writes and how they are checked.
#
# usage: faults.sh [TYPE[:SEED] [FAULT...]]; by default ext4dio, and all faults
set -euo pipefail
. "$(dirname "$0")/lib.sh"

type=${1:-ext4dio}
shift || true
seed=$RANDOM
[[ $type != *:* ]] || seed=${type#*:}
type=${type%:*}
RANDOM=$seed
diag "seed $seed"
mnt=/mnt/faults
dm=/dev/mapper/fault
disk=/dev/lab/disk
debug=/sys/kernel/debug
# Seconds that anything may take before it counts as hung.
patience=120
# Of the load's file, the blocks whose place on the device goes bad.
bad_from=192 bad_end=320

# ------------------------------------------------------------------ what may hang

# ended PID: it ends before our patience does.
ended() {
	local end=$((SECONDS + patience))
	while kill -0 "$1" 2> /dev/null; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# hung WHAT: nothing after that would mean anything.
hung() {
	not_ok "$fault: $1 ends" "$(ps -eLo stat,comm,wchan:32 | grep '^D' | sort | uniq -c)"
	done_testing
	exit 1
}

# within CMD...: CMD ends, in whatever way; what it says goes to /tmp/said.
within() {
	"$@" > /tmp/said 2>&1 &
	ended $! || hung "$*"
	wait $!
}

# A guest can end only if its file systems can be synced, and have an end.
heal() {
	[ $? -eq 0 ] || diag "at the end: $(cat /tmp/said)"
	[ -z "$load" ] || kill -KILL "$load" || true
	dmsetup resume fault || true
	fsfreeze -u "$mnt" || true
	inject off || true
} 2> /dev/null
load=
trap heal EXIT

# --------------------------------------------------------------------- the device

# part FROM LENGTH TARGET: the device's table where so many sectors are something else.
part() {
	local after=$(($1 + $2)) target=$3
	case $target in
	*_*) target="flakey $base $1 0 3600 1 $target" ;;
	esac
	[ "$1" -eq 0 ] || echo "0 $1 linear $base 0"
	echo "$1 $2 $target"
	[ $after -eq "$sectors" ] || echo "$after $((sectors - after)) linear $base $after"
}
whole() {
	part 0 "$sectors" "$@"
}

# becomes TABLE: the device does, with what is in flight done and the file system not told.
becomes() {
	within dmsetup suspend --nolockfs fault
	dmsetup load fault --table "$1"
	within dmsetup resume fault
}
well() {
	becomes "$(whole "linear $base 0")"
}

# place FROM END: "start length", in sectors, of these blocks of the load's file.
place() {
	filefrag -v -b4096 "$mnt/file" | awk -F '[ .:]+' -v from="$1" -v end="$2" '
		$2 ~ /^[0-9]+$/ && $3 < end && $4 >= from { starts[$5 - $3] = 1 }
		END {
			for (i in starts) {
				n++
				start = i
			}
			if (n != 1)
				exit 1
			print (start + from) * 8, (end - from) * 8
		}'
}

# ----------------------------------------------------------------------- the load

# begin [MKFS-OPTIONS [MOUNT-OPTIONS]]: a fresh file system, whose metadata is in front;
# $metadata is how many sectors that are, with the journal as the last.
begin() {
	# shellcheck disable=SC2086 # a list of options
	mkfs.ext4 -qF -b 4096 -m 0 -J size=16 ${1:-} \
		-E packed_meta_blocks=1,lazy_itable_init=0,lazy_journal_init=0 "$dev"
	metadata=$(debugfs -R 'blocks <8>' "$dev" 2> /dev/null | tr ' ' '\n' | sort -n |
		awk 'END { print ($1 + 1) * 8 }')
	mount -t "$type" ${2:+-o "$2"} "$dev" "$mnt"
}

# start [OPTION]: the load, as root or by the command in $runner, and some writes of it.
runner=()
start() {
	rm -f /tmp/ledger
	echo 0 0 > /tmp/ledger.now
	chmod 666 /tmp/ledger.now
	"${runner[@]}" ./ledger load "$mnt/file" /tmp/ledger $RANDOM "$@" \
		> "$OUT/$type-$fault.txt" 2>&1 &
	load=$!
	ok "$fault: the load runs" more writes 100
}

# now writes|failures: so many were there.
now() {
	awk -v what="$1" '{ print what == "writes" ? $1 : $2 }' /tmp/ledger.now
}

# more writes|failures N: there come so many more.
more() {
	local goal=$(($(now "$1") + $2)) end=$((SECONDS + patience))
	while [ "$(now "$1")" -lt $goal ]; do
		kill -0 $load && [ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# goes_on: writes, without a failure; what was in flight before may still have one, and fsync
# tells later of what failed in writeback.
goes_on() {
	local failures try
	for try in 1 2 3 4; do
		failures=$(now failures)
		more writes 100 || return
		[ "$(now failures)" -ne "$failures" ] || return 0
	done
	return 1
}

# stop [REGEX [maybe]]: end the load; there were errors that match REGEX, and no others.  A
# device that lied ($lies) may have had any consequence.
stop() {
	local errors status=0
	kill $load || true
	ended $load || hung "the load"
	wait $load || status=$?
	load=
	errors=$(awk 'NF == 3 && $2 != "ok" && $0 !~ /^nowait EAGAIN/' "$OUT/$type-$fault.txt")
	[ -z "$lies" ] || return 0
	is "$fault: no read under load was wrong" $status 0
	diag "$(head -30 "$OUT/$type-$fault.txt" | paste -sd, | cut -c1-600)"
	if [ $# -gt 0 ]; then
		[ $# -gt 1 ] || ok "$fault: there were errors" test -n "$errors"
		is "$fault: none but $1" "$(grep -vE "^[a-z]+ ($1) " <<< "$errors")" ""
	else
		is "$fault: there was no error" "$errors" ""
	fi
}

# holds acked|synced|own: the file does, through the page cache and direct.
holds() {
	./ledger check "$mnt/file" /tmp/ledger "$1"
	./ledger check "$mnt/file" /tmp/ledger "$1" direct
}

# finish acked|synced|own [mend|orphans]: unmount, check the file system, and the file by stock
# ext4; before that e2fsck mends it, or a mount sees to orphans.
finish() {
	local status=0
	within umount "$mnt"
	[ -z "${to_heal:-}" ] || $to_heal
	to_heal=
	case ${2:-} in
	mend)
		e2fsck -fy "$dev" > "$OUT/$type-$fault-fsck.txt" 2>&1 || status=$?
		ok "$fault: e2fsck -fy mends it" test $status -le 1
		;;
	orphans)
		mount -t "$type" "$dev" "$mnt"
		umount "$mnt"
		;;
	esac
	fsck_clean "$dev" "$fault: e2fsck finds it clean"
	mount -t ext4 "$dev" "$mnt"
	ok "$fault: what was $1 is there after a remount" holds "$1"
	umount "$mnt"
}

# --------------------------------------------------------------------- the faults

# Some blocks of the file cannot be written or read, for a while.
fault_range() {
	local at what
	begin
	start prealloc
	at=$(place $bad_from $bad_end)
	for what in error error_writes error_reads; do
		if [ $what = error_reads ] && [ "$(since 6.4)" = no ]; then
			skip "$fault: $what" "dm-flakey does not know it before 6.4"
			continue
		fi
		# shellcheck disable=SC2086 # two numbers
		becomes "$(part $at $what)"
		ok "$fault: $what is met" more failures 10
		well
		ok "$fault: $what over, all goes on" goes_on
	done
	stop EIO
	ok "$fault: what was acknowledged is there" holds acked
	finish acked
}

# They are not written although the device says so; shows that the check can tell.  (What is
# there instead is what was there before the file, hence the zeros.)
fault_lie() {
	local at
	blkdiscard -fz "$dev" 2> /dev/null
	begin
	start prealloc
	at=$(place $bad_from $bad_end)
	# shellcheck disable=SC2086 # two numbers
	becomes "$(part $at drop_writes)"
	more writes 300
	lies=1
	stop
	refuses "$fault: the check sees dropped writes" "sectors are wrong" holds acked
	to_heal=well
	finish own
}

# As if the power failed, but nobody is told.
fault_drop() {
	blkdiscard -fz "$dev" 2> /dev/null
	begin
	start
	becomes "$(whole drop_writes)"
	more writes 100
	lies=1
	stop
	to_heal=well
	finish own mend
}

fault_dead() {
	begin
	start
	becomes "$(whole error)"
	ok "$fault: the writers are told" more failures 50
	stop "EIO|EROFS"
	to_heal=well
	finish synced mend
}

# Where metadata and journal are, nothing can be written; the files' data can.
fault_journal() {
	begin
	start
	becomes "$(part 0 "$metadata" error_writes)"
	ok "$fault: the writers are told" more failures 50
	stop "EIO|EROFS"
	to_heal=well
	finish synced mend
}

# inject CAPABILITY|off [PROBABILITY]: failures in the load, which has to run by $runner.
inject() {
	local dir
	for dir in $debug/{fail_make_request,failslab,fail_page_alloc}; do
		[ ! -d "$dir" ] || echo 0 > "$dir/probability"
	done
	[ "$1" != off ] || return 0
	dir=$debug/$1
	echo Y > "$dir/task-filter"
	echo 1 > "$dir/interval"
	echo -1 > "$dir/times"
	echo 0 > "$dir/space"
	echo 0 > "$dir/verbose"
	[ ! -e "$dir/ignore-gfp-wait" ] || echo N > "$dir/ignore-gfp-wait"
	[ ! -e "$dir/ignore-gfp-highmem" ] || echo N > "$dir/ignore-gfp-highmem"
	[ ! -e "$dir/min-order" ] || echo 0 > "$dir/min-order"
	echo "$2" > "$dir/probability"
}

# injected CAPABILITY PROBABILITY ERROR.  A truncate, or the end of an extending write, that fails
# before it has a transaction leaves the inode an orphan on disk until the next mount; so it is
# with stock ext4.
injected() {
	if [ ! -d "$debug/$1" ]; then
		skip "$fault" "this kernel has no $1"
		return
	fi
	begin
	# shellcheck disable=SC2016 # expands inside
	runner=(bash -c 'echo 1 > /proc/self/make-it-fail; exec "$@"' load)
	start
	runner=()
	inject "$1" "$2"
	ok "$fault: the writers are told" more failures 3
	inject off
	ok "$fault: over, all goes on" goes_on
	stop "$3"
	ok "$fault: what was acknowledged is there" holds acked
	finish acked orphans
}

# The journal aborts with two files in the transaction that is lost: both fsyncs must tell.
# Stock ext4, and a control, tell the first only.
fault_fsync() {
	local asked=$type name told verdict
	for type in $TYPES; do
		begin
		for name in one two; do
			xfs_io -f -c 'falloc 0 64k' -c fsync "$mnt/$name"
		done
		becomes "$(part 0 "$metadata" error_writes)"
		for name in one two; do
			xfs_io -d -c 'pwrite -q 0 64k' "$mnt/$name"
		done
		told=
		for name in one two one two; do
			case $(xfs_io -r -c fsync "$mnt/$name" 2>&1) in
			"fsync: Input/output error") told+="$name " ;;
			"") ;;
			*) told+="$name otherwise " ;;
			esac
		done
		case $told in
		"one two one two ") verdict=ok ;;
		*otherwise*) verdict="told: $told" ;;
		*) verdict="wrong: told: $told" ;;
		esac
		cured $type yes "$fault: every fsync tells that a write is lost" "$verdict"
		umount "$mnt"
		well
		e2fsck -fy "$dev" > /dev/null 2>&1 || true
		fsck_clean "$dev" "$fault: e2fsck has mended what $type left"
		mount -t ext4 "$dev" "$mnt"
		ok "$fault: and it was lost" grep -q unwritten <<< "$(filefrag -v "$mnt/two")"
		umount "$mnt"
	done
	type=$asked
}

fault_bio() {
	local switch
	switch=/sys/block/$(dmsetup info -c --noheadings -o blkdevname fault)/make-it-fail
	[ ! -d $debug/fail_make_request ] || echo 1 > "$switch"
	injected fail_make_request 5 EIO
	[ ! -d $debug/fail_make_request ] || echo 0 > "$switch"
}
# (AIO that has no memory for a request says EAGAIN.)
fault_slab() {
	injected failslab 2 "ENOMEM|EAGAIN"
}
fault_page() {
	injected fail_page_alloc 30 "ENOMEM|EAGAIN"
}

fault_full() {
	begin
	start
	xfs_io -f -c 'falloc -k 0 1g' "$mnt/full" > /dev/null 2>&1 || true
	ok "$fault: the writers are told" more failures 30
	rm "$mnt/full"
	sync -f "$mnt"
	ok "$fault: with space again, all goes on" goes_on
	stop ENOSPC
	ok "$fault: what was acknowledged is there" holds acked
	finish acked
}

fault_quota() {
	local who used
	begin "-O quota,project -E quotatype=usrquota:prjquota" usrquota,prjquota
	chmod 777 "$mnt"
	chattr -p 1000 +P "$mnt"
	runner=(setpriv --reuid=1000 --regid=1000 --clear-groups)
	start
	runner=()
	for who in -u -p; do
		used=$(($(stat -c %b "$mnt/file") / 2))
		xfs_quota -x -f -c "limit $who bhard=${used}k 1000" "$mnt"
		ok "$fault $who: the writers are told" more failures 30
		xfs_quota -x -f -c "limit $who bhard=0 1000" "$mnt"
		ok "$fault $who: without the limit all goes on" goes_on
	done
	stop EDQUOT
	ok "$fault: what was acknowledged is there" holds acked
	finish acked
}

# A disk is pulled, and put back.
fault_unplug() {
	local pci
	dev=$(realpath $disk)
	pci=$(realpath "/sys/block/${dev##*/}/device/..")
	begin
	start
	within eval "echo 1 > '$pci/remove'"
	ok "$fault: the writers are told" more failures 50
	stop "EIO|EROFS"
	to_heal=plug
	finish synced mend
	dev=$dm
}
plug() {
	local serial
	echo 1 > /sys/bus/pci/rescan
	for serial in /sys/block/*/serial; do
		[ "$(cat "$serial")" != lab-disk ] || dev=/dev/$(basename "${serial%/serial}")
	done
	ln -sf "$dev" $disk
}


# Bad blocks, of 64 KiB, fail reads until they are written.
fault_dust() {
	local at chunk
	if ! modprobe dm-dust 2> /dev/null; then
		skip "$fault" "this kernel has no dm-dust"
		return
	fi
	begin
	start prealloc
	at=$(place $bad_from $bad_end)
	# shellcheck disable=SC2086 # two numbers
	becomes "$(part $at "dust $base ${at% *} 65536")"
	kill -STOP "$load"
	for ((chunk = ${at% *} / 128; chunk <= (${at% *} + ${at#* } - 1) / 128; chunk++)); do
		dmsetup message fault "${at% *}" addbadblock $chunk > /dev/null
	done
	dmsetup message fault "${at% *}" enable
	chunk="$((bad_from * 4))k $(((bad_end - bad_from) * 4))k"
	refuses "$fault: a reader is told" "Input/output error" \
		xfs_io -r -d -c "pread $chunk" "$mnt/file"
	kill -CONT "$load"
	more writes 200
	well
	ok "$fault: over, all goes on" goes_on
	stop EIO maybe
	ok "$fault: what was acknowledged is there" holds acked
	finish acked
}

# meanwhile HOW: a write by io_uring, "nowait" or not, that ends in whatever way; $answer is
# what is said within a second, before the rest that $writer waits for.
meanwhile() {
	local end=$((SECONDS + patience))
	: > /tmp/one
	# shellcheck disable=SC2086 # none or one
	./ledger uring "$mnt/one" 0 4096 $1 > /tmp/one 2>&1 &
	writer=$!
	until [ -s /tmp/one ]; do
		[ $SECONDS -lt $end ] || hung "io_uring_submit"
		sleep 0.1
	done
	answer=$(head -1 /tmp/one)
}

# resumed: what meanwhile() began has come to its end.
resumed() {
	ended "$writer" || hung "a write by io_uring"
	[ "$answer" != queued ] ||
		is "$fault: the write by io_uring is done then" "$(tail -1 /tmp/one)" ok
}

# still: the load writes nothing for a second.
still() {
	local before
	sleep 0.5
	before=$(now writes)
	sleep 1
	is "$fault: the writers stand still" "$(now writes)" "$before"
}

fault_freeze() {
	begin
	xfs_io -fd -c 'pwrite -q 0 4k' -c fsync "$mnt/one"
	start
	for how in nowait ""; do
		within fsfreeze -f "$mnt"
		still
		meanwhile "$how"
		is "$fault: a ${how:-waiting} write by io_uring meanwhile" "$answer" \
			"$([ "$how" ] && echo again || echo queued)"
		within fsfreeze -u "$mnt"
		resumed
		ok "$fault: thawed, all goes on" goes_on
	done
	stop
	ok "$fault: what was acknowledged is there" holds acked
	finish acked
}

# The device stops; with lockfs the file system is frozen first.
fault_suspend() {
	local lockfs how
	begin
	xfs_io -fd -c 'pwrite -q 0 4k' -c fsync "$mnt/one"
	start
	for lockfs in "" --nolockfs; do
		for how in nowait ""; do
			# shellcheck disable=SC2086 # none or one
			within dmsetup suspend $lockfs fault
			still
			meanwhile "$how"
			ok "$fault ${lockfs:---lockfs}: a ${how:-waiting} write: $answer" \
				grep -qxE "queued${how:+|again}" <<< "$answer"
			within dmsetup resume fault
			resumed
			ok "$fault: resumed, all goes on" goes_on
		done
	done
	stop
	ok "$fault: what was acknowledged is there" holds acked
	finish acked
}

# The file system is stopped for good; -f writes the journal first.
fault_shutdown() {
	local flush
	for flush in "" " -f"; do
		begin
		start
		within xfs_io -x -c "shutdown$flush" "$mnt"
		ok "$fault$flush: the writers are told" more failures 50
		# Who is about to start a handle when the journal is aborted gets EROFS.
		stop "EIO|EROFS"
		finish synced mend
	done
}

fault_remount() {
	local status=0 try
	begin
	start
	within mount -o remount,ro "$mnt" || status=$?
	is "$fault: with writers it is refused" "$status $(grep -o busy /tmp/said)" "32 busy"
	ok "$fault: all goes on" goes_on
	stop
	ok "$fault: what was acknowledged is there" holds acked
	# Writers who open the file for each write leave it a chance.
	start reopen
	for ((try = 0; try < 300; try++)); do
		! within mount -o remount,ro "$mnt" || break
	done
	ok "$fault: the writers are told" more failures 10
	within mount -o remount,rw "$mnt"
	ok "$fault: writable again, all goes on" goes_on
	stop EROFS
	ok "$fault: what was acknowledged is there" holds acked
	finish acked
}

# session COMMAND...: what these calls of one process say, to the file opened before them.
# The pauses see to it that each has a timestamp to write.
session() {
	local command
	for command in "$@"; do
		echo "$command"
		sleep 0.1
	done | stdbuf -o0 xfs_io -d -x "$mnt/file" > /tmp/session 2>&1 || true
	[ -s /tmp/session ] || echo "silence"
	grep -v ' ops; ' /tmp/session || true
}

# say_answers: what is said in each state of the device or file system that lasts, to a file
# of which one half is written and the other is not.
say_answers() {
	local at
	local calls=('pwrite -S 3 0 4k' 'pwrite -S 3 700k 4k' 'pwrite -S 3 3m 4k'
		'pread 0 4k' fsync)
	begin
	xfs_io -fd -c 'falloc 0 1m' -c 'pwrite -q -S 1 0 512k' -c fsync "$mnt/file"
	at=$(place 120 136)
	# shellcheck disable=SC2086 # two numbers
	becomes "$(part $at error)"
	# Written, across its edge, unwritten, unaligned, across the other edge, not bad, extending.
	within session 'pwrite -S 2 480k 4k' 'pwrite -S 2 -b 64k 432k 64k' \
		'pwrite -S 2 512k 4k' 'pwrite -S 2 -b 1k 529k 1k' \
		'pwrite -S 2 -b 64k 528k 64k' 'pwrite -S 2 600k 4k' 'pwrite -S 2 1m 4k' \
		'pread 480k 4k' 'pread 512k 4k' fsync
	cat /tmp/said
	well
	sha256sum < "$mnt/file"
	stat -c %s "$mnt/file"
	within fsfreeze -f "$mnt"
	within ./ledger uring "$mnt/file" 0 4096 nowait
	cat /tmp/said
	within fsfreeze -u "$mnt"
	within mount -o remount,ro "$mnt"
	within session "${calls[@]}"
	cat /tmp/said
	within mount -o remount,rw "$mnt"
	# No journal: the first two calls find that out.
	becomes "$(part 0 "$metadata" error_writes)"
	within session 'pwrite -S 3 2m 4k' fsync "${calls[@]}"
	cat /tmp/said
	within umount "$mnt"
	well
	e2fsck -fy "$dev" > /dev/null 2>&1 || true
	mount -t "$type" "$dev" "$mnt"
	within session shutdown "${calls[@]}"
	cat /tmp/said
	within umount "$mnt"
	e2fsck -fy "$dev" > /dev/null 2>&1 || true
}

# Where it does not depend on chance, the answers are those of stock ext4.
fault_answers() {
	local asked=$type
	for type in ext4 ext4dio; do
		say_answers > "$OUT/answers-$type" 2>&1
		fsck_clean "$dev" "$fault: e2fsck finds it clean after $type"
	done
	type=$asked
	# On 6.1 stock ext4 does not fail an fsync that comes after the abort; see fault_fsync.
	[ "$(since 6.4)" = yes ] || sed -i '/^fsync/d' "$OUT"/answers-*
	is "$fault: to each session there were some" \
		"$(cat "$OUT"/answers-* | grep -c silence || true)" 0
	is "$fault: the same from both" "$(cat "$OUT/answers-ext4dio")" "$(cat "$OUT/answers-ext4")"
	ok "$fault: which are errors" grep -q "Input/output error" "$OUT/answers-ext4dio"
	ok "$fault: and others" grep -q "Read-only file system" "$OUT/answers-ext4dio"
}

# ------------------------------------------------------------------------- all

mkdir -p "$mnt"
mountpoint -q $debug || mount -t debugfs debugfs $debug
base=$(null_blk_new faults 128 2000)
sectors=$(blockdev --getsz "$base")
# Else it would allocate its memory while it is written to, where that may fail.
blkdiscard -z "$base"
dmsetup create fault --table "$(whole "linear $base 0")"
dmsetup mknodes
dev=$dm

[ $# -gt 0 ] || set -- range lie drop dead journal fsync dust bio slab page full quota unplug \
	freeze suspend shutdown remount answers
for fault in "$@"; do
	lies='' to_heal='' since=$SECONDS
	"fault_$fault"
	diag "$fault: $((SECONDS - since)) s"
done

fault=unload
within dmsetup remove fault
null_blk_del faults
caches() {
	ls /sys/kernel/slab > /tmp/slab
	grep ext4dio /tmp/slab || [ $? -eq 1 ]
}
if [ "$type" = ext4dio ]; then
	ok "it had slab caches" test -n "$(caches)"
	is "the module is not in use" "$(cat /sys/module/ext4dio/refcnt)" 0
	ok "it can be unloaded" within rmmod ext4dio
	gives "no slab cache is left" "" caches
fi
done_testing
