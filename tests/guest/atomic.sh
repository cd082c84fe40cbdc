#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Atomic writes (RWF_ATOMIC): all or nothing, no harm to others' writes, and refused where
# they cannot be that.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

if [ "$(since 6.13)" = no ]; then
	skip "atomic writes" "ext4 has none before Linux 6.13"
	done_testing
	exit
fi

mnt=/mnt/atomic
mkdir -p "$mnt"
modprobe sd_mod
modprobe scsi_debug dev_size_mb=300 atomic_wr=1 delay=0
# The only SCSI disk; it is looked for in the background.
dev=
for _ in {1..100}; do
	dev=$(find /dev -maxdepth 1 -name 'sd?' -type b)
	[ -z "$dev" ] || break
	sleep 0.1
done
queue=/sys/block/${dev#/dev/}/queue
ok "the device writes 16 KiB at once" test "$(cat "$queue/atomic_write_unit_max_bytes")" -ge 16384

# delay JIFFIES: how long each command takes from now on; refused while one is under way.
delay() {
	local file=/sys/bus/pseudo/drivers/scsi_debug/delay try
	for try in {1..100}; do
		sync -f "$mnt"
		! echo "$1" 2> /dev/null > $file || return 0
		sleep 0.1
	done
	echo "delay $1 is refused, $try times" >&2
	return 1
}

# fresh TYPE MKFS-OPTIONS [MOUNT-OPTIONS]
fresh() {
	# shellcheck disable=SC2086 # a list of options
	mkfs.ext4 -qF -b 4096 $2 "$dev" > /dev/null 2>&1
	mount -t "$1" ${3:+-o "$3"} "$dev" "$mnt"
}

leave() {
	umount "$mnt"
	fsck_clean "$dev"
}

# count REASON
count() {
	cat "/sys/fs/ext4dio/${dev#/dev/}/dio/$1"
}

bigalloc="-O bigalloc -C 16384"

# file XFS_IO-COMMANDS...: a new file, the page cache warm only for what comes after fsync.
file() {
	rm -f "$mnt/file"
	xfs_io -f "$@" "$mnt/file"
}
mixed=(-c 'pwrite -q -S 0x6f 0 8k' -c 'falloc 0 16k' -c fsync -c 'fadvise -d 0 16k')

# Beside a write in flight.  (Stock ext4 of 7.2 waits for what is synchronous.)
for side in ext4 ext4dio ext4dio:dio_policy=stock; do
	type=${side%%:*}
	option=${side#"$type"}
	fresh "$type" "$bigalloc" "${option#:}"
	for kind in sync aio; do
		for what in ok fault; do
			[ "$type" = ext4dio ] || [ "$kind $what" = "aio fault" ] || continue
			file "${mixed[@]}"
			delay "$(longer 25)"
			got=$(./atomic race "$mnt/file" $kind $what 2>&1)
			delay 0
			if [ "$type" = ext4dio ]; then
				is "$side, $kind, $what: a write beside an atomic one is kept" \
					"$got" ok
			else
				cured ext4 yes "a write beside an atomic one is kept, $kind" \
					"${got/#acknowledged/wrong: acknowledged}"
			fi
		done
	done
	if [ "$type" = ext4dio ]; then
		is "$side: those were exclusive, for that reason" "$(count exclusive_atomic)" 4
		# One unwritten extent, when it is looked at; but a dirty page is written first,
		# and another write goes into the rest meanwhile.
		for kind in sync aio; do
			file -c 'falloc 0 16k' -c fsync -c 'pwrite -q -S 0x64 0 4k'
			echo 1 > "/sys/fs/ext4dio/${dev#/dev/}/dio/reset"
			delay_now=$(longer 25)
			echo "$delay_now" > /sys/bus/pseudo/drivers/scsi_debug/delay
			got=$(./atomic race "$mnt/file" $kind late 2>&1)
			delay 0
			is "$side, $kind: also where the extent falls apart meanwhile" "$got" ok
			is "$side, $kind: and that was seen" "$(count exclusive_atomic)" 1
		done
	fi
	leave
done

# reason FILE-COMMANDS WANT ARGUMENTS...: an atomic write to such a file is counted so.
reason() {
	local desc=$1 setup=$2 want=$3
	shift 3
	# shellcheck disable=SC2086 # a list of commands
	eval file $setup
	echo 1 > "/sys/fs/ext4dio/${dev#/dev/}/dio/reset"
	is "$desc: $want" "$(./atomic write "$mnt/file" "$@" 2>&1) $(cd \
		"/sys/fs/ext4dio/${dev#/dev/}/dio" && grep -Hx 1 shared exclusive_* again_* failed \
		buffered | cut -d: -f1 | xargs)" "$want"
}

fresh ext4dio "$bigalloc"
reason "written" "-c 'pwrite -q 0 16k' -c fsync" "ok shared" 0 16384
reason "one unwritten extent" "-c 'falloc 0 16k'" "ok shared" 0 16384
# (A first write, so that there is no question of privileges any more.)
reason "a hole" "-c 'pwrite -q 0 16k' -c fsync -c 'fpunch 0 16k' -c fsync" \
	"ok exclusive_atomic" 0 16384
reason "written and unwritten" "-c 'pwrite -q 0 4k' -c 'falloc 0 16k' -c fsync" \
	"ok exclusive_atomic" 0 16384
reason "one block of those" "-c 'pwrite -q 0 4k' -c 'falloc 0 16k' -c fsync" \
	"ok shared" 4096 4096
reason "NOWAIT, written and unwritten" "-c 'pwrite -q 0 4k' -c 'falloc 0 16k' -c fsync" \
	"EAGAIN again_atomic" 0 16384 nowait
reason "past the end" "-c 'pwrite -q 0 16k' -c fsync" "ok exclusive_atomic" 16384 16384
# What the checks before the lock did not know.
reason "O_APPEND from an aligned end" "-c 'pwrite -q 0 16k' -c fsync" \
	"ok exclusive_append" 0 16384 append
is "O_APPEND from an aligned end: and there it is" \
	"$(tail -c 16384 "$mnt/file" | tr -d B | wc -c) $(stat -c %s "$mnt/file")" "0 32768"
reason "O_APPEND from another" "-c 'pwrite -q 0 4k' -c fsync" "EINVAL failed" 0 16384 append
reason "a limit in its middle" "-c 'pwrite -q 0 16k' -c fsync" "EINVAL failed" 0 16384 limit
leave

# refused DESC [ARGUMENTS...]: an atomic write to $mnt/file is, and changes nothing.
refused() {
	local desc=$1 sum
	shift
	sum=$(sha256sum < "$mnt/file")
	is "$desc: refused" "$(./atomic write "$mnt/file" "$@" 2>&1)" EOPNOTSUPP
	is "$desc: and nothing is written" "$(sha256sum < "$mnt/file")" "$sum"
}

# Files that direct writes reach through the page cache.
fresh ext4dio "$bigalloc" data=journal
file -c 'pwrite -q 0 64k' -c fsync
refused "data=journal" 0 16384
leave
# With delayed allocation ext4 takes no notice of +j.
fresh ext4dio "$bigalloc" nodelalloc
file -c 'pwrite -q 0 64k' -c fsync
chattr +j "$mnt/file"
refused "chattr +j" 0 16384
leave
fresh ext4dio "-O inline_data"
file -c 'pwrite -q 0 20'
refused "inline data" 0 4096
leave
fresh ext4dio "-O encrypt"
key=$(head -c 64 /dev/zero | tr '\0' k)
id=$(printf %s "$key" | xfs_io -c add_enckey "$mnt" | grep -oE '[0-9a-f]{32}')
mkdir "$mnt/secret"
ok "a policy of encryption is set" xfs_io -c "set_encpolicy -v 2 $id" "$mnt/secret"
ln -s secret/file "$mnt/file"
xfs_io -f -c 'pwrite -q 0 64k' -c fsync "$mnt/secret/file"
refused "encryption, from memory that is not aligned" 0 4096 odd
leave

# An inode that had extents when it was opened.
fresh ext4dio ""
file -c 'pwrite -q 0 4k' -c 'truncate 16k' -c fsync
refused "chattr -e, a hole" 4096 4096 unextent
file -c 'pwrite -q 0 16k' -c fsync
refused "chattr -e" 4096 4096 unextent
leave
modprobe -r scsi_debug
done_testing
