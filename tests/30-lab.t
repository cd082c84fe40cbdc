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
sleep 6
kill -INT -- "-$!"
wait "$!" 2> /dev/null
fails "after Ctrl-C no guest runs on" pgrep -f "logs/lab-test[.]console"
is "and no temporary file is left" "$(ls "$work/tmp")" ""

# The messages that fail a run, one by one, and some that do not.
while IFS= read -r line; do
	echo "[    1.000000] $line" > "$work/log"
	fails "fails a run: $line" tests/lab/lab scan "$work/log"
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
for tool in bash awk cat sha256sum cut basename dirname mkdir sed id xargs; do
	ln -s "$(command -v $tool)" "$work/bin/$tool"
done
refuses "a missing tool is named with its package" "apt-get install qemu-system-x86" \
	env PATH="$work/bin" tests/lab/lab run "$kernel" --no-module "$work/script.sh"

done_testing
