#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest lab itself: what it reports is what happened.  Every claim about the
# module rests on this.
set -u
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
need_kernels

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kernel=${EXT4DIO_KERNELS##* }

# guest_status WANT REGEX DESC OPTIONS... <<< SCRIPT: run SCRIPT, without the module;
# a test of its exit status and of what is said.
guest_status() {
	local want=$1 regex=$2 desc=$3 output status=0
	shift 3
	cat > "$work/script.sh"
	output=$(tests/lab/lab run "$kernel" --no-module --name lab-test --timeout 60 "$@" \
		"$work/script.sh" 2>&1) || status=$?
	if [ "$status" -ne "$want" ]; then
		not_ok "$desc" "exit status $status instead of $want"$'\n'"$output"
	elif ! grep -Eq -- "$regex" <<< "$output"; then
		not_ok "$desc" "not said: $regex"$'\n'"$output"
	else
		pass "$desc"
	fi
}

guest_status 3 "^hello from the guest" "a script's output and exit status come back" \
	--out "$work/out" <<- 'END'
	echo hello from the guest
	echo kept > "$OUT/file"
	exit 3
	END
is "so do its files" "$(cat "$work/out/file")" kept
guest_status 1 "died without a verdict" "a guest that panics has failed" \
	<<< 'echo c > /proc/sysrq-trigger; sleep 5'
guest_status 1 "stopped after 8 s" "a guest that hangs has failed" --timeout 8 <<< 'sleep 60'
guest_status 0 "^before" "with --cut a guest is killed when it asks for that" --cut \
	<<< 'echo before; echo cut the power; sleep 60; echo after'
guest_status 1 "ended without a power cut" "and has failed if it never does" --cut <<< true
fs_error='mkfs.ext4 -q /dev/lab/a; mkdir -p /mnt/a; mount /dev/lab/a /mnt/a
	echo made-up > /sys/fs/ext4/$(basename $(readlink -f /dev/lab/a))/trigger_fs_error'
guest_status 1 "must not be there" "an ext4 error in the kernel log fails the run" \
	--disk a=64M <<< "$fs_error"
guest_status 0 "" "unless the run expects it" --disk a=64M --expect 'EXT4-fs error .*made-up' \
	<<< "$fs_error"

# The host may be busy: ten minutes of waiting within two of its own, and the same work in the
# same time.
guest_status 0 "^1 CPU, equal$" "a clock that counts instructions does not see the host" \
	--clock instructions --timeout 120 <<- 'END'
	work() {
		local start i
		start=$(date +%s%N)
		for ((i = 0; i < 20000; i++)); do :; done
		echo $(($(date +%s%N) - start))
	}
	sleep 600
	work > /dev/null
	first=$(work)
	second=$(work)
	apart=$((100 * first / second))
	[ $apart -gt 95 ] && [ $apart -lt 105 ] && apart=equal
	echo "$(nproc) CPU, $apart"
	END
guest_status 2 "expected host, instructions or auto" "a clock that there is not is refused" \
	--clock sundial <<< true

guest_status 1 "shows no boot of kernel" "a console without the kernel's boot fails the run" \
	--append quiet <<< true
guest_status 1 "kept warnings back" "so does one that a script has silenced" \
	<<< 'dmesg -n 4; echo "<4>BUG: not seen" > /dev/kmsg'

truncate -s 32M "$work/disk"
guest_status 0 "" "a disk with a file of its own is written" --disk "keep=$work/disk" \
	<<< 'echo to be kept | dd of=/dev/lab/keep conv=fsync status=none'
guest_status 0 "^to be kept" "and the next guest finds what was written" \
	--disk "keep=$work/disk" <<< 'head -1 /dev/lab/keep'

# Ctrl-C, as a terminal sends it: to the whole process group.
mkdir "$work/tmp"
echo 'sleep 60' > "$work/script.sh"
perl -e '$SIG{INT} = "DEFAULT"; setpgrp; exec @ARGV' env TMPDIR="$work/tmp" \
	tests/lab/lab run "$kernel" --no-module --name lab-test "$work/script.sh" \
	> /dev/null 2>&1 &
lab=$!
# runs CHECKOUT NAME: a guest of that name, of that checkout, has begun to boot.
runs() {
	for _ in {1..60}; do
		if pgrep -f "$1/build/logs/$2[.]console" > /dev/null; then
			return
		fi
		sleep 1
	done
	return 1
}
ok "a guest runs" runs "$PWD" lab-test
sleep 3
kill -INT -- "-$lab"
wait "$lab" 2> /dev/null
fails "after Ctrl-C no guest runs on" pgrep -f "$PWD/build/logs/lab-test[.]console"
is "and no temporary file is left" "$(ls "$work/tmp")" ""

# The messages that fail a run, one by one, and some that do not.
while IFS= read -r line; do
	echo "[    1.000000] $line" > "$work/log"
	refuses "fails a run: $line" "must not be there" tests/lab/lab scan "$work/log"
done <<- 'END'
	WARNING: CPU: 0 PID: 1 at fs/ext4/inode.c:1 f+0x1/0x2 [ext4dio]
	BUG: unable to handle page fault for address: 0000000000000000
	kernel BUG at fs/ext4/inode.c:1!
	Oops: 0000 [#1] PREEMPT SMP NOPTI
	INFO: task fio:123 blocked for more than 120 seconds.
	WARNING: possible circular locking dependency detected
	BUG: KASAN: slab-use-after-free in f+0x1/0x2 [ext4dio]
	BUG: sleeping function called from invalid context at mm/x.c:1
	EXT4-fs error (device vdb): ext4_lookup:1: inode #2: comm ls: bad
	EXT4DIO-fs error (device vdb): ext4dio_lookup:1: inode #2: comm ls: bad
	EXT4DIO-fs warning (device vdb): ext4dio_x:1: bad
	JBD2: Detected IO errors while flushing file data on vdb-8
	Buffer I/O error on dev vdb, logical block 1, lost async page write
	Page cache invalidation failure on direct I/O.  Possible data corruption
	kmem_cache of name 'ext4_inode_cache' already exists
	sysfs: cannot create duplicate filename '/fs/ext4'
END
while IFS= read -r line; do
	echo "[    1.000000] $line" > "$work/log"
	ok "fails no run: $line" tests/lab/lab scan "$work/log"
done <<- 'END'
	ext4dio: loading out-of-tree module taints kernel.
	ext4dio: module verification failed: signature and/or required key missing
	EXT4DIO-fs (vdb): mounted filesystem x r/w with ordered data mode. Quota mode: none.
	EXT4DIO-fs (vdb): recovery complete
END

# A data race is ours if a function of ext4dio is near one of its accesses.
# race FRAME1 FRAME4 [LINE]: such a report, up to its end or another LINE.
race() {
	printf '%s\n' "==============================" \
		"BUG: KCSAN: data-race in reader / writer" "" "read to 0x1 of 4 bytes:" \
		" reader+0x1/0x2$1" " f+0x1/0x2" " g+0x1/0x2" " h+0x1/0x2$2" "" \
		"Reported by Kernel Concurrency Sanitizer on:" \
		"${3-==============================}"
}
race "" " [ext4dio]" > "$work/log"
ok "scan: a data race of others, far from us" tests/lab/lab scan "$work/log"
race " [ext4dio]" "" >> "$work/log"
refuses "scan: one of ours, on its own line" "^13:BUG: KCSAN: data-race in reader" \
	tests/lab/lab scan "$work/log"
race "" "" "" > "$work/log"
refuses "scan: one that is cut off is taken for ours" "data-race in reader" \
	tests/lab/lab scan "$work/log"
{
	race "" ""
	echo "BUG: x"
} > "$work/log"
refuses "scan: what comes behind one of others" "^12:BUG: x" tests/lab/lab scan "$work/log"

# A judge that sees nothing does not say that all is well.
refuses "scan: no log" "no file $work/nowhere" tests/lab/lab scan "$work/nowhere"
refuses "scan: a folder" "no file $work" tests/lab/lab scan "$work"
: > "$work/empty"
refuses "scan: an empty log" "is empty" tests/lab/lab scan "$work/empty"
printf '\0\0\r\n \n' > "$work/empty"
refuses "scan: a log of nothing but zeros" "is empty" tests/lab/lab scan "$work/empty"
printf '\0\377\nBUG: x\n' > "$work/log"
refuses "scan: a log with some zeros is searched" "BUG: x" tests/lab/lab scan "$work/log"
for regex in '(' '' 'x|' 'x*'; do
	refuses "scan: --expect '$regex'" "no regular expression|excuse every message" \
		tests/lab/lab scan "$work/log" --expect "$regex"
	refuses "run: --expect '$regex'" "no regular expression|excuse every message" \
		tests/lab/lab run "$kernel" --expect "$regex" "$work/script.sh"
done
refuses "scan: --expect alone" "needs a value" tests/lab/lab scan "$work/log" --expect
ok "scan: one of two is expected" tests/lab/lab scan "$work/log" --expect y --expect 'BUG: x'

# What is in use is not removed: in a checkout and a cache of its own, whose root is a folder of
# its own, too, as other tests have a guest or a chroot of the one that it has its files from.
mkdir -p "$work"/{top/tests,cache/ext4dio,tmp}
cp -r tests/lab tests/tap.sh tests/guest "$work/top/tests"
root=$(tests/lab/lab root "$kernel")
cp -p "$(dirname "$root")/.place-$kernel"-* "$work/cache/ext4dio"
mkdir "$work/cache/ext4dio/$(basename "$root")"
ln -s "$root"/* "$work/cache/ext4dio/$(basename "$root")"
root=$work/cache/ext4dio/$(basename "$root")
other=(env XDG_CACHE_HOME="$work/cache" TMPDIR="$work/tmp" "$work/top/tests/lab/lab")
echo 'sleep 200' > "$work/script.sh"
"${other[@]}" run "$kernel" --no-module --name lab-locked "$work/script.sh" > /dev/null 2>&1 &
lab=$!
ok "a guest runs" runs "$work/top" lab-locked
refuses "lab clean leaves the root that a guest runs" "$root is in use" "${other[@]}" clean
refuses "and the checkout's build/lab" "$work/top/build/lab is in use" "${other[@]}" clean
kill -KILL "$lab"
wait "$lab" 2> /dev/null
ok "a guest survives the lab" pgrep -f "$work/top/build/logs/lab-locked[.]console"
refuses "and the lock survives with it" "$root is in use" "${other[@]}" clean
ok "nothing was removed" test -e "$root/vmlinuz"
pkill -KILL -f "$work/top/build/logs/lab-locked[.]console"
# free: the lock goes a moment after the guest.
free() {
	flock -x -w 20 "$root" true
}
ok "the lock goes with the guest" free
"${other[@]}" chroot "$kernel" -- sh -c 'echo up; sleep 100' > "$work/said" 2>&1 &
lab=$!
for _ in {1..60}; do
	! grep -q up "$work/said" || break
	sleep 1
done
refuses "lab clean leaves the root of a chroot" "$root is in use" "${other[@]}" clean
kill "$lab"
wait "$lab" 2> /dev/null
refuses "unknown arguments clean nothing" "unknown argument $kernel" "${other[@]}" clean "$kernel"
ok "nothing was removed" test -e "$root/vmlinuz"
touch "$work/top/build/lab/something"
ok "afterwards lab clean removes" "${other[@]}" clean
is "the root and the rest" \
	"$(find "$work/cache/ext4dio" "$work/top/build/lab" ! -type d ! -name '.*lock')" ""

# Bad input.
refuses "an unknown kernel is named" "no kernel '9.9'.*there are: " tests/lab/lab root 9.9
refuses "a missing script is named" "no script /nowhere" tests/lab/lab run "$kernel" /nowhere
refuses "an unknown option is named" "unknown option --bogus" \
	tests/lab/lab run "$kernel" --bogus x
chmod 755 "$work"
refuses "without root it says so" "needs root" \
	setpriv --reuid=65534 --regid=65534 --clear-groups \
	env XDG_CACHE_HOME="$work/cache" tests/lab/lab root "$kernel"
mkdir "$work/bin"
for tool in bash awk cat sha256sum cut basename dirname mkdir sed id xargs grep; do
	ln -s "$(command -v $tool)" "$work/bin/$tool"
done
refuses "a missing tool is named with its package" "apt-get install qemu-system-x86" \
	env PATH="$work/bin" tests/lab/lab run "$kernel" --no-module "$work/script.sh"

done_testing
