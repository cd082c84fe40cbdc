#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Every decision is counted once, under its reason, and traced; the policy changes it,
# at mount and under load; the tool tells it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

ext4dio=tools/ext4dio
mnt=/mnt/dio
file=$mnt/file
mkdir -p "$mnt"
dev=$(null_blk_new counters 256 500)
name=$(basename "$(readlink -f "$dev")")
dio=/sys/fs/ext4dio/$name/dio

# counted: the reasons that were counted since the last reset, with their numbers.
counted() {
	local reason
	for reason in "$dio"/{shared*,exclusive_*,again_*,buffered,failed}; do
		[ "$(cat "$reason")" -eq 0 ] || echo "$(basename "$reason") $(cat "$reason")"
	done | xargs
}
# total: all writes that were counted.
total() {
	cat "$dio"/{shared*,exclusive_*,again_*,buffered,failed} |
		awk '{ n += $1 } END { print n }'
}
# writes_of JSON: all writes that fio made.
writes_of() {
	sed -n '/^{/,$p' "$1" | python3 -c 'import json, sys
print(sum(j["write"]["total_ios"] for j in json.load(sys.stdin)["jobs"]))'
}
reset() {
	echo 1 > "$dio/reset"
}
# lay_out PATTERN: a letter a 4 KiB block; Written, Unwritten, Hole.  A first write lets
# the kernel find out that there are no privileges to drop, and a read what is mapped.
lay_out() {
	local i run
	rm -f "$file"
	{
		echo "truncate $((${#1} * 4096))"
		echo "pwrite -q 0 4096"
		echo "fpunch 0 4096"
		for ((i = 0; i < ${#1}; i++)); do
			case ${1:i:1} in
			W) echo "pwrite -q $((i * 4096)) 4096" ;;
			U)
				# A run of them in one go, so that it is one extent.
				run=${1:i}
				run=${run%%[!U]*}
				echo "falloc $((i * 4096)) $((${#run} * 4096))"
				;;
			esac
		done
		echo fsync
	} | xfs_io -f "$file" > /dev/null
	echo 1 > /proc/sys/vm/drop_caches
	xfs_io -d -c "pread -q 0 $((${#1} * 4096))" "$file"
}
# counts DESC PATTERN WANT COMMAND...: what COMMAND is counted as; WANT: reason and number.
counts() {
	local desc=$1 want=$3
	lay_out "$2"
	shift 3
	reset
	"$@" > /tmp/output 2>&1 || true
	is "$desc: $want" "$(counted)" "$want"
	upgraded=$((upgraded + $(cat "$dio/upgrades")))
}
direct() {
	xfs_io -d -c "pwrite -q -b $2 $1 $2" "$file"
}
nowait() {
	./rwf write "$file" "$@"
}

# --- the tool, where there is nothing to tell --------------------------------

rmmod ext4dio 2> /dev/null || true
refuses "without the module the tool says so" "not loaded; try: modprobe" $ext4dio stat
modprobe ext4dio
refuses "without a mount it says so" "nothing is mounted as ext4dio" $ext4dio stat
refuses "what is not mounted as ext4dio is named" "/tmp is not mounted as ext4dio" \
	$ext4dio stat /tmp
refuses "so is what does not exist" "/nowhere: no such file" $ext4dio stat /nowhere
refuses "a wrong option" "unrecognized option .--wrong" $ext4dio stat --wrong

# --- each reason -------------------------------------------------------------

mkfs.ext4 -qF -b 4096 "$dev"
mount -t ext4dio "$dev" "$mnt"
is "the policy is overlap by default" "$(cat "$dio/policy")" overlap
is "and not among the options shown" "$(grep -c dio_policy /proc/mounts || true)" 0

upgraded=0
counts "aligned, written and unwritten" WUWU "shared 1" direct 0 16384
counts "aligned, hole" HHHH "shared 1" direct 0 16384
counts "unaligned, written" WWWW "shared 1" direct 512 8192
is "none of these upgraded" $upgraded 0
counts "unaligned, unwritten" UUUU "exclusive_zeroing 1" direct 512 4096
is "it upgraded" "$(cat "$dio/upgrades")" 1
is "and the file is tracked" "$(cat "$dio/tracked_files")" 1
reset
direct 8704 512
is "the next is shared" "$(counted)" "shared_zeroing 1"
reset
direct 8704 512
is "and then it zeroes nothing" "$(counted)" "shared 1"
counts "at the end of the file" WWWW "shared_extend 1" direct 16384 4096
counts "past the end of the file" WWWW "shared_extend 1" direct 65536 8192
counts "across the end of the file" WWWW "shared_extend 1" direct 12288 8192
async_append() {
	fio --name=a --filename="$file" --direct=1 --ioengine=libaio --rw=write --bs=4k \
		--size=4k --offset=16k --allow_file_create=0 --fallocate=none \
		--create_on_open=1
}
counts "at the end of the file, by AIO" WWWW "shared_extend 1" async_append
# (If it is not kept from the CPU for longer than the device takes.)
for ((i = 0; i < 10 && $(cat "$dio/handed_over") == 0; i++)); do
	lay_out WWWW
	async_append > /dev/null
done
is "its submitter did not wait" "$(cat "$dio/handed_over")" 1
counts "at the end, part of a block" WWWW "exclusive_partial_end 1" direct 16384 512
append() {
	xfs_io -da -c 'pwrite -q 0 4096' "$file"
}
counts "O_APPEND" WWWW "exclusive_append 1" append
odd_end() {
	truncate -s 16000 "$file"
	direct 16384 4096
}
counts "the file ends within a block" WWWW "exclusive_partial_end 1" odd_end
is "it knew beforehand, and did not upgrade" "$(cat "$dio/upgrades")" 0
setuid() {
	chmod u+s "$file"
	direct 0 4096
}
counts "a suid file" WWWW "exclusive_security 1" setuid
lay_out WWWW
reset
is "NOWAIT, timestamps fresh, goes through" "$(nowait 0 4096 8192)" ok
is "as shared" "$(counted)" "shared 2"
due() {
	sleep 0.1
	nowait 0 4096
}
counts "NOWAIT, timestamps due" WWWW "shared 1" due
counts "NOWAIT, hole" WHWW "again_unmapped 1" nowait 4096 4096
counts "NOWAIT, unaligned, unwritten" UUUU "again_zeroing 1" nowait 512 4096
counts "NOWAIT, extending, not preallocated" WWWW "again_unmapped 1" nowait 16384 4096
counts "NOWAIT, extending by part of a block" WWWW "again_extend 1" nowait 16384 512
# At the end of a file that is no multiple of the block size a write that is asynchronous is
# waited for; io_uring tries it with NOWAIT first.
uring_eof() {
	truncate -s 15872 "$file"
	fio --name=eof --filename="$file" --direct=1 --ioengine=io_uring --rw=write --bs=512 \
		--offset=12288 --size=512 --allow_file_create=0 --create_on_open=1 --fallocate=none
}
counts "io_uring, in the last block" WWWW "shared 1 again_eof 1" uring_eof
suid_nowait() {
	chmod u+s "$file"
	nowait 0 4096
}
counts "NOWAIT, a suid file" WWWW "again_security 1" suid_nowait
too_big() {
	xfs_io -d -c "pwrite -q $((1 << 60)) 4096" "$file"
}
counts "past the largest file" WWWW "failed 1" too_big
# An exclusive writer that has to wait for the device, and one that will not wait for it.
lay_out WWWW
reset
fio --output-format=json --output=/tmp/locked.json --filename="$file" --direct=1 --bs=4k \
	--allow_file_create=0 --create_on_open=1 --fallocate=none --thread --rw=write \
	--name=extends --bs=512 --offset=16k --size=512k \
	--name=nowait --bs=4k --ioengine=pvsync2 --nowait=1 --rw=randwrite --size=16k \
	--number_ios=2000 \
	--time_based --runtime=60 --continue_on_error=write --ignore_error=,EAGAIN
ok "NOWAIT beside an exclusive writer: again_lock" test "$(cat "$dio/again_lock")" -gt 0
writes=$(writes_of /tmp/locked.json)
is "each of those $writes writes was counted once" "$(total)" "$writes"
umount "$mnt"

mount -t ext4dio -o data=journal "$dev" "$mnt"
counts "journalled data" WWWW "buffered 1" direct 0 4096
umount "$mnt"
mkfs.ext4 -qF -b 4096 -t ext3 "$dev"
mount -t ext4dio "$dev" "$mnt"
counts "a hole without extents" WHWW "shared 1" direct 4096 4096
is "its rest went through the page cache" "$(cat "$dio/fallbacks")" 1
counts "past the end without extents" WWWW "exclusive_no_extents 1" direct 16384 4096
umount "$mnt"
mkfs.ext4 -qF -b 4096 -O fast_commit "$dev"
mount -t ext4dio "$dev" "$mnt"
counts "past the end with fast commits" WWWW "exclusive_fast_commit 1" direct 16384 4096
umount "$mnt"

# --- the stock policy --------------------------------------------------------

mkfs.ext4 -qF -b 4096 "$dev"
# An old mount(8) leaves the kernel's sentence in its log.
mount_fast() {
	local status=0
	mount -t ext4dio -o dio_policy=fast "$dev" "$mnt" || status=$?
	dmesg | tail -3
	return $status
}
refuses "an unknown policy is refused with a sentence" "expected overlap, shared or stock" \
	mount_fast
mount -t ext4dio -o dio_policy=stock "$dev" "$mnt"
is "a mount option sets the policy" "$(cat "$dio/policy")" stock
ok "and /proc/mounts shows it" grep -q "$mnt ext4dio .*dio_policy=stock" /proc/mounts
counts "stock: aligned, one extent" WWWW "shared 1" direct 0 16384
counts "stock: aligned, written and unwritten" WUWU "exclusive_split 1" direct 0 16384
# Before 6.4 stock ext4 knows less.
old=shared
[ "$(since 6.4)" = yes ] || old=exclusive_split
counts "stock: aligned, one unwritten extent" UUUU "$old 1" direct 0 16384
counts "stock: unaligned, written" WWWW "$old 1" direct 512 8192
counts "stock: unaligned, unwritten between" WUUW "exclusive_split 1" direct 512 15360
counts "stock: unaligned, unwritten" UUUU "exclusive_zeroing 1" direct 512 4096
counts "stock: at the end of the file" WWWW "exclusive_extend 1" direct 16384 4096
counts "stock: NOWAIT, written and hole" WHWW "again_split 1" nowait 0 8192
refuses "a remount with a wrong one fails" "." mount -o remount,dio_policy=fast "$mnt"
is "and changes nothing" "$(cat "$dio/policy")" stock
mount -o remount "$mnt"
is "a remount without one leaves it" "$(cat "$dio/policy")" stock
mount -o remount,dio_policy=shared "$mnt"
is "a remount changes it" "$(cat "$dio/policy")" shared
counts "shared: at the end of the file" WWWW "exclusive_extend 1" direct 16384 4096
counts "shared: aligned, written and unwritten" WUWU "shared 1" direct 0 16384
refuses "a wrong one by sysfs fails" "Invalid argument" bash -c "echo fast > $dio/policy"
echo stock > "$dio/policy"
is "sysfs changes it" "$(cat "$dio/policy")" stock
fails "reset takes nothing but 1" sh -c "echo no > $dio/reset"

# Root may give a file a mode that its kind does not have.
chmod 0600 "$dio"/*
refuses "what is only written cannot be read" "Input/output error" cat "$dio/reset"
for counter in shared again_eof fallbacks drain_wait_max_ns; do
	refuses "what is only read cannot be written: $counter" "Input/output error" \
		bash -c "echo 1 > $dio/$counter"
done
chmod 0444 "$dio"/[a-oq-z]*
chmod 0644 "$dio/policy"
chmod 0200 "$dio/reset"

# --- under load --------------------------------------------------------------

lay_out "$(printf 'WU%.0s' {1..256})"
reset
fio --name=load --filename="$file" --direct=1 --rw=randwrite --bs=8k --numjobs=8 --thread \
	--size=256k --offset_increment=256k --loops=20 --verify=crc32c --verify_fatal=1 \
	--allow_file_create=0 --create_on_open=1 --fallocate=none --group_reporting \
	--output-format=json --output=/tmp/load.json &
load=$!
switched=0
while kill -0 $load 2> /dev/null; do
	echo overlap > "$dio/policy"
	cat "$dio"/[a-qs-z]* > /dev/null
	echo stock > "$dio/policy"
	switched=$((switched + 1))
done
status=0
wait $load || status=$?
is "no write is lost or torn while the policy changes" $status 0
writes=$(writes_of /tmp/load.json)
is "and each of $writes was counted once, with $switched changes" "$(total)" "$writes"
ok "both policies were in force" test $switched -gt 1 -a "$writes" -gt 0 -a \
	"$(cat "$dio/shared")" -gt 0 -a "$(cat "$dio/exclusive_split")" -gt 0
ok "writes waited for the lock" test "$(cat "$dio/lock_waits")" -gt 0
ok "for a time that was added up" test "$(cat "$dio/lock_wait_ns")" -ge \
	"$(cat "$dio/lock_wait_max_ns")" -a "$(cat "$dio/lock_wait_max_ns")" -gt 0

# Readers and resets while the mount comes and goes; each mount sees ten of both.
(while :; do
	cat "$dio"/[a-qs-z]* > /dev/null && echo 1 > "$dio/reset" && echo >> /tmp/reads || true
done 2> /dev/null) &
readers=$!
: > /tmp/reads
short=0
for ((i = 0; i < 20; i++)); do
	umount "$mnt"
	mount -t ext4dio "$dev" "$mnt"
	direct 0 4096
	before=$(wc -l < /tmp/reads)
	for ((try = 0; try < 100; try++)); do
		[ "$(wc -l < /tmp/reads)" -lt $((before + 10)) ] || break
		sleep 0.1
	done
	[ $try -lt 100 ] || short=$((short + 1))
done
ok "the files are read and reset across 20 unmounts" kill $readers
is "in each of these mounts" $short 0
diag "$(wc -l < /tmp/reads) times"
wait $readers 2> /dev/null || true

# --- told --------------------------------------------------------------------

lay_out WWUU
reset
direct 0 8192
direct 4096 8192
direct 12800 1024
ok "ext4dio stat tells it" sh -c "$ext4dio stat $mnt > $OUT/stat.txt"
ok "the total" grep -q "^$name  policy overlap  3 direct writes" "$OUT/stat.txt"
ok "a reason with its share" grep -Eq "^ +exclusive_zeroing +1 +33.3%" "$OUT/stat.txt"
fails "nothing that did not happen" grep -q again_ "$OUT/stat.txt"
is "as JSON" "$($ext4dio stat "$dev" --json | python3 -c 'import json, sys
got = json.load(sys.stdin)
of = got.pop("counters")
print(*got.values(), of["shared"], of["exclusive_zeroing"], of["again_lock"])')" \
	"1 $name overlap 0 2 1 0"
(while [ ! -e /tmp/stop ]; do direct 0 4096; sleep 0.2; done) &
ok "live" sh -c "$ext4dio stat --interval=$(longer 2) --count 1 > $OUT/live.txt"
touch /tmp/stop
wait
ok "with what happened meanwhile" grep -Eq "  [1-9][0-9]* direct writes" "$OUT/live.txt"
fails "and not before" grep -q exclusive_zeroing "$OUT/live.txt"
$ext4dio reset
is "ext4dio reset" "$(total)" 0

trace-cmd record -q -o /tmp/trace.dat -e ext4dio:ext4dio_dio_decision \
	-e ext4dio:ext4dio_dio_wait xfs_io -d -c 'pwrite -q 512 1024' "$file" > /dev/null 2>&1
trace-cmd report -i /tmp/trace.dat > "$OUT/trace.txt" 2> /dev/null
ok "trace-cmd shows the decision with its facts" grep -Eq \
	"ext4dio_dio_decision: .*pos 512 .*policy overlap reason shared facts una.* decision" \
	"$OUT/trace.txt"

# bios OFFSET BYTES: of how many bios that direct write is, over [written][unwritten] in one piece.
bios() {
	rm -f "$file"
	xfs_io -f -c 'falloc 0 16k' -c 'pwrite -q 0 4k' -c fsync "$file"
	xfs_io -d -c 'pread -q 0 16k' "$file"
	trace-cmd record -q -o /tmp/bios.dat -e block:block_bio_queue \
		xfs_io -d -c "pwrite -q -b $2 $1 $2" "$file" > /dev/null 2>&1
	trace-cmd report -i /tmp/bios.dat 2> /dev/null | grep -c 'xfs_io-.* block_bio_queue: .* W'
}
one=1
[ "$(since 7.0)" = yes ] || one=2
is "written and unwritten blocks side by side are one bio" "$(bios 0 8192)" $one
is "so are unwritten ones" "$(bios 4096 8192)" 1
# (The third zeroes.)
is "but not where part of a block is written" "$(bios 0 7680)" 3

umount "$mnt"
fsck_clean "$dev"

# --- what a write costs the journal --------------------------------------------

# handles PATTERN BYTES: how many journal handles 256 direct writes cost that cover a PATTERN of
# blocks each, from 0 or 512 bytes behind its begin on.
handles() {
	local pattern=$1 bytes=$2 unit=$((${#1} * 4096)) i
	mkfs.ext4 -qF -b 4096 "$dev"
	mount -t ext4dio "$dev" "$mnt"
	{
		echo "falloc 0 $((256 * unit))"
		for ((i = 0; i < 256 * ${#pattern}; i++)); do
			[ "${pattern:i % ${#pattern}:1}" = U ] ||
				echo "pwrite -q $((i * 4096)) 4096"
		done
		echo fsync
	} | xfs_io -f "$file" > /dev/null
	umount "$mnt"
	# A slow machine has more timestamps to put into the journal.
	mount -t ext4dio -o lazytime "$dev" "$mnt"
	fio --name=h --filename="$file" --direct=1 --ioengine=psync --bs="$bytes" \
		--rw="write:$((unit - bytes))" --offset=$((bytes % 4096 ? 512 : 0)) \
		--size=$((256 * unit - 512)) --number_ios=256 --allow_file_create=0 \
		--create_on_open=1 --fallocate=none > /dev/null
	sync
	awk '/ transactions/ { n = $1 } /handles per/ { print n * $1 }' \
		/proc/fs/jbd2/"$name"-*/info
	umount "$mnt"
}
# Before 7.0 the split before the I/O costs one as well.
most=500
[ "$(since 7.0)" = yes ] || most=800
for pattern in "WU 8192" "WUUW 14336"; do
	# shellcheck disable=SC2086 # two words
	got=$(handles $pattern)
	ok "256 writes of $pattern bytes cost $got journal handles" \
		test "$got" -ge 256 -a "$got" -lt $most
done
fsck_clean "$dev"
done_testing
