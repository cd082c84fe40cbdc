#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# dio_ahead: blocks that are there before a write comes to them; how many, whose, and when they go.
#
# usage: ahead.sh [SECONDS]	for each of the races [2]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

seconds=${1:-2}
mnt=/mnt/ahead
file=$mnt/file
mkdir -p "$mnt"
dev=$(null_blk_new fast 512 500)
dio=/sys/fs/ext4dio/$(basename "$dev")/dio
fill_junk "$dev"

# --- the option --------------------------------------------------------------

# refused DESC OPTION SENTENCE: it is, with that: in what mount prints, or in the log.
refused() {
	local said
	if said=$(mount -t ext4dio -o "$2" "$dev" "$mnt" 2>&1); then
		not_ok "$1 is refused"
		umount "$mnt"
		return
	fi
	ok "$1 is refused with a sentence" grep -qF "$3" <<< "$said$(dmesg)"
}
mkfs.ext4 -qF -b 4096 "$dev"
if [ "$(since 7.0)" = no ]; then
	refused "dio_ahead before 7.0" dio_ahead=256 "dio_ahead needs Linux 7.0"
	mount -t ext4dio -o dio_ahead=0 "$dev" "$mnt"
	ok "nor can it be switched on later" \
		bash -c "! echo 256 > '$dio/ahead_kib' 2> /dev/null"
	is "it is off" "$(cat "$dio/ahead_kib")" 0
	umount "$mnt"
	done_testing
	exit
fi

shown() {
	findmnt -no OPTIONS "$mnt" | grep -o 'dio_ahead=[0-9]*' || echo none
}
mount -t ext4dio "$dev" "$mnt"
is "off unless it is asked for" "$(cat "$dio/ahead_kib") $(shown)" "0 none"
for bad in 16385 -1 x ""; do
	ok "sysfs refuses '$bad'" bash -c "! echo '$bad' > '$dio/ahead_kib' 2> /dev/null"
done
echo 16384 > "$dio/ahead_kib"
is "what sysfs takes is shown" "$(shown)" dio_ahead=16384
mount -o remount,dio_ahead=64 "$mnt"
is "a remount sets it" "$(cat "$dio/ahead_kib") $(shown)" "64 dio_ahead=64"
ok "a remount that fails" \
	bash -c "! mount -o remount,dio_ahead=128,data=journal '$mnt' 2> /dev/null"
is "leaves it as it was" "$(cat "$dio/ahead_kib")" 64
umount "$mnt"
refused "too much" dio_ahead=16385 "dio_ahead=16385: at most 16384"

# --- NOWAIT into new space ---------------------------------------------------

# beyond FILE: KiB that it has allocated past EOF.
beyond() {
	xfs_io -r -c fiemap "$1" | awk -v size="$(stat -c %s "$1")" '
		match($0, /\[[0-9]+\.\.[0-9]+\]/) && !/hole/ {
			split(substr($0, RSTART + 1, RLENGTH - 2), at, /\.\./)
			from = at[1] > size / 512 ? at[1] : size / 512
			if (at[2] >= from)
				sum += at[2] - from + 1
		}
		END { print sum / 2 }'
}

# numbers FILE COUNT: "ok" if the first COUNT blocks have their numbers.
numbers() {
	od -An -v -t d4 -w4096 -N$(($2 * 4096)) "$1" |
		awk -v count="$2" '$1 != NR && !wrong { wrong = NR ": " $1 }
			END { print wrong ? wrong : (NR == count ? "ok" : NR " blocks") }'
}

# stream DESC FLAGS WANT REST: 300 writes of a block each, with NOWAIT, into new space: a hole (h)
# or past EOF; WANT: no more than that are refused; REST: KiB that may be left past EOF.
stream() {
	local got
	rm -f "$file"
	touch "$file"
	[[ $2 != *h* ]] || truncate -s 64M "$file"
	echo 1 > "$dio/reset"
	got=$(./rwf stream "$file" 0 4096 300 4096)
	if [ "$3" = all ]; then
		is "$1: all are refused" "$got" "300 refused"
	else
		ok "$1: no more than $3 are refused" test "${got% refused}" -le "$3"
	fi
	diag "$1: $got, $(cat "$dio/ahead_blocks") blocks ahead," \
		"$(cat "$dio/ahead_trimmed") trimmed"
	# (The rest of a cluster costs nothing.)
	ok "$1: nothing is left past EOF" test "$(beyond "$file")" -le "$4"
	is "$1: every block is what was written" "$(numbers "$file" 300)" ok
}

for feature in extent bigalloc ^has_journal quota; do
	rest=0
	options="-b 4096 -O $feature"
	if [ $feature = bigalloc ]; then
		rest=60
		options+=" -C 65536"
	fi
	ext4dio_new "$dev" "$mnt" "$options"
	stream "$feature, off, append" "" all 0
	stream "$feature, off, hole" h all 0
	echo 256 > "$dio/ahead_kib"
	stream "$feature, append" "" 15 $rest
	ok "$feature: some were trimmed" test "$(cat "$dio/ahead_trimmed")" -gt 0
	stream "$feature, hole" h 15 0
	# The end of the file rounded up to a cluster is beyond what a block number holds.
	./rwf stream "$file" 67108864 4096 8 4096 > /dev/null
	truncate -s 17592186040320 "$file"
	: 9>> "$file"
	truncate -s 1228800 "$file"
	umount "$mnt"
	fsck_clean "$dev"
	mount -t ext4 -o ro "$dev" "$mnt"
	is "$feature: stock ext4 finds the same" "$(numbers "$file" 300)" ok
	umount "$mnt"
done

# --- whose blocks ------------------------------------------------------------

# keeps DESC WANT COMMAND: KiB past EOF after a stream of 8 blocks into a new file and its close,
# with COMMAND before (b) or after (a) it, while the file is open.
keeps() {
	rm -f "$file"
	touch "$file"
	exec 9<> "$file"
	[ "${4:-}" != b ] || eval "$3"
	./rwf stream "$file" 0 4096 8 4096 > /dev/null
	[ "${4:-}" != a ] || eval "$3"
	# (What is under way when another writer closes the file is finished before.)
	held=$(beyond "$file")
	exec 9>&-
	is "$1" "$(beyond "$file")" "$2"
}
ext4dio_new "$dev" "$mnt" "-b 4096" dio_ahead=256
keeps "the last close frees them" 0 :
ok "which were there before" test "$held" -ge 128 -a "$held" -le 256
keeps "what the user has preallocated stays" $((1024 - 32)) \
	"xfs_io -c 'falloc -k 0 1m' '$file'" b
keeps "preallocated far behind, too" 1024 "xfs_io -c 'falloc -k 64m 1m' '$file'" b
keeps "and what is preallocated over them" $((1024 - 32)) \
	"xfs_io -c 'falloc -k 0 1m' '$file'" a
keeps "preallocated by who opens it as the last" $((1024 - 32)) \
	"xfs_io -c 'falloc -k 0 1m' -c close '$file'" a
keeps "a file that was cut meanwhile" 0 "truncate -s 4096 '$file'" a
keeps "one that has grown over them" 0 "truncate -s 1m '$file'" a
keeps "one with another name" 0 "ln -f '$file' '$mnt/other'" a
is "an unlinked file leaves nothing" "$(
	rm -f "$file" "$mnt/other"
	sync
	before=$(stat -fc %f "$mnt")
	touch "$file"
	exec 9<> "$file"
	./rwf stream "$file" 0 4096 8 4096 > /dev/null
	rm "$file"
	exec 9>&-
	sync
	echo $((before - $(stat -fc %f "$mnt"))))" 0

# A buffered write that copies nothing leaves a page past EOF that knows the blocks.  They must not
# be written to through it once they are another file's.
rm -f "$file" "$mnt/other"
touch "$file"
exec 9<> "$file"
./rwf stream "$file" 0 4096 8 4096 > /dev/null
./rwf torn "$file" 32768 4096
exec 9>&-
fallocate -l 400M "$mnt/other"
xfs_io -c 'pwrite -q -S 0x55 0 400m' -c fsync "$mnt/other"
xfs_io -c 'pwrite -q -S 0x66 32k 4k' -c fsync "$file"
is "no block is written to that is another's by then" \
	"$(tr -d '\125' < "$mnt/other" | wc -c)" 0
xfs_io -c 'fadvise -d 0 0' "$file"
is "and what is written there is found" \
	"$(tail -c 4096 "$file" | tr -d '\146' | wc -c)" 0
rm "$mnt/other"

# Who writes at random has no use for them.  (20 blocks, and one of the extent tree.)
rm -f "$file"
truncate -s 256M "$file"
echo 1 > "$dio/reset"
for ((i = 1; i <= 20; i++)); do
	printf 'pwrite -q %dm 4k\n' $((i * 101 % 256))
done | xfs_io -d "$file"
is "random writes into a sparse file take their own blocks only" \
	"$(beyond "$file") $(cat "$dio/ahead_blocks") $(du -k "$file" | cut -f1)" "0 0 84"
umount "$mnt"
fsck_clean "$dev"

# --- where space is short ----------------------------------------------------

ext4dio_new "$dev" "$mnt" "-b 4096 -O quota" usrquota,grpquota,dio_ahead=1024
setquota -u nobody 0 200 0 0 "$mnt"
setquota -g nogroup 0 1000000 0 0 "$mnt"
install -o nobody -g nogroup -m 600 /dev/null "$file"
cp ./rwf /tmp/rwf
chmod 755 /tmp/rwf
chmod 777 "$mnt"
# (His directory and file take none of it.)
ok "a user gets all of his quota" setpriv --reuid nobody --regid nogroup --clear-groups \
	/tmp/rwf stream "$file" 0 4096 50 4096
is "50 blocks, and nothing else" "$(numbers "$file" 50) $(stat -c %b "$file")" "ok 400"
ok "and no more, neither ahead" bash -c "! setpriv --reuid nobody --regid nogroup \
	--clear-groups dd if=/dev/zero of='$file' bs=4k seek=50 count=1 oflag=direct \
	conv=notrunc 2> /dev/null"
is "nothing was taken ahead" "$(cat "$dio/ahead_blocks")" 0
setquota -u nobody 0 100000 0 0 "$mnt"
ok "with more quota it goes on" setpriv --reuid nobody --regid nogroup --clear-groups \
	/tmp/rwf stream "$file" 204800 4096 50 4096
ok "ahead" test "$(cat "$dio/ahead_blocks")" -gt 0
umount "$mnt"
fsck_clean "$dev"

# (Root may take the reserved blocks; there are none.)
ext4dio_new "$dev" "$mnt" "-b 4096 -m 0" dio_ahead=16384
room=$(($(stat -fc %a "$mnt") - 256))
fallocate -l $((room * 4096)) "$mnt/full"
echo 1 > "$dio/reset"
touch "$file"
ok "the last blocks can be written" ./rwf stream "$file" 0 4096 200 4096
is "nothing is taken ahead where little is free" "$(cat "$dio/ahead_blocks")" 0
is "and they are right" "$(numbers "$file" 200)" ok
umount "$mnt"
fsck_clean "$dev"

# --- who comes in between ----------------------------------------------------

ext4dio_new "$dev" "$mnt" "-b 4096" dio_ahead=1024
touch "$file"
ok "read-only at once after a close" bash -c "
	for ((i = 0; i < 20; i++)); do
		./rwf stream '$file' \$((i * 40960)) 4096 10 4096 > /dev/null &&
		mount -o remount,ro '$mnt' && mount -o remount,rw '$mnt' || exit
	done"
ok "unmounted at once after a close" bash -c "
	for ((i = 0; i < 20; i++)); do
		./rwf stream '$file' \$((i * 40960)) 4096 10 4096 > /dev/null &&
		umount '$mnt' && mount -t ext4dio -o dio_ahead=1024 '$dev' '$mnt' || exit
	done"
exec 9<> "$file"
./rwf stream "$file" 819200 4096 10 4096 > /dev/null
held=$(beyond "$file")
xfs_io -x -c freeze "$mnt"
ok "a close does not wait for a frozen file system" timeout "$(longer 10)" \
	bash -c 'exec 9>&-' 9<&9
exec 9>&-
is "and leaves them there" "$(beyond "$file")" "$held"
xfs_io -x -c thaw "$mnt"
exec 9<> "$file"
exec 9>&-
is "the next last close frees them" "$(beyond "$file")" 0
umount "$mnt"
fsck_clean "$dev"

# grows DESC LETTERS KIB MKFS-OPTIONS: extend.c's race, as in extend.sh.  (How much is allocated
# ahead is chance: while somebody waits for the exclusive lock, the worker does not get the shared.)
ahead=0
grows() {
	local got seed=$RANDOM
	ext4dio_new "$dev" "$mnt" "$4" "dio_ahead=$3"
	got=$(./extend grow "$file" "$seconds" 12 $seed "$2" 2>&1) || true
	is "$1: what is written is there, whoever looks" "${got%% [0-9]*}" ok
	diag "$1: $got, seed $seed, $(cat "$dio/ahead_blocks") blocks ahead," \
		"$(cat "$dio/ahead_trimmed") trimmed"
	ahead=$((ahead + $(cat "$dio/ahead_blocks")))
	same_after "$1" "$dev" "$mnt" "$file"
}
grows "alone" "" 64 "-b 4096"
grows "with truncates and preallocation, by AIO" atk 256 "-b 4096"
grows "with all but truncates, by AIO" apbmk 1024 "-b 4096"
grows "1 KiB blocks, truncates, by AIO" at 100 "-b 1024"
grows "bigalloc, truncates, by AIO" atk 256 "-b 4096 -O bigalloc -C 16384"
grows "no journal, by AIO" abk 256 "-b 4096 -O ^has_journal"
ok "in these races blocks were allocated ahead" test "$ahead" -gt 0

# Closed by writers who come and go, and switched while they do.
ext4dio_new "$dev" "$mnt" "-b 4096"
rm -f over
i=0
while [ ! -e over ]; do
	kib=(0 64 4096)
	echo "${kib[i++ % 3]}" > "$dio/ahead_kib"
	sleep 0.02
done &
switcher=$!
writers=()
touch "$mnt/0" "$mnt/2"
for w in 0 1 2 3; do
	(
		# Two of them share a file, and have to close it at the same time now and then.
		for ((n = 0; n < 25; n++)); do
			./rwf stream "$mnt/$((w & 2))" $((n * 40960 + (w & 1) * 4194304)) 4096 10 \
				4096 > /dev/null
		done
	) &
	writers+=($!)
done
status=0
for w in "${writers[@]}"; do
	wait "$w" || status=1
done
touch over
wait $switcher
is "writers who come and go while it is switched" $status 0
for f in 0 2; do
	is "file $f: every block is what was written" \
		"$(od -An -v -t d4 -w4096 -N1024000 "$mnt/$f" |
			awk '$1 != (NR - 1) % 10 + 1 { wrong++ } END { print NR, wrong + 0 }')" \
		"250 0"
done
umount "$mnt"
fsck_clean "$dev"
null_blk_del fast
done_testing
