#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# tools/ext4dio-ab: every workload runs and its result is whole; it destroys nothing
# that it was not told to; it cleans up.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

ab=tools/ext4dio-ab
disk=/dev/lab/disk
mnt=/mnt/ab
mkdir -p "$mnt"

# run OUT ARGS...: a run as short as it can be.
run() {
	local out=$1
	shift
	"$ab" run --out "$out" --rounds 1 --warm-up 0 --total 256k --jobs 2 --aa none \
		--seconds 0.3 "$@"
}
left_behind() {
	grep ext4dio-ab /proc/mounts || true
	ls -d /tmp/ext4dio-ab.* 2> /dev/null || true
}

# --- it measures -------------------------------------------------------------

dev=$(null_blk_new ab 512 200)
ok "all workloads run" run "$OUT/all" --device "$dev" --workloads all --sides ext4dio
is "each once" "$(tail -n +2 "$OUT/all/result.csv" | cut -d, -f2)" \
	"$("$ab" list | awk '$1 !~ /^(image|mariadb|rocksdb)$/ { print $1 }')"
ok "and on each side, XFS as the third one" run "$OUT/sides" --device "$dev" --destroy \
	--sides "ext4 ext4dio xfs" --workloads device,mixed
is "the device once" "$(tail -n +2 "$OUT/sides/result.csv" | cut -d, -f2,5 | xargs)" \
	"device,device mixed,ext4 mixed,ext4dio mixed,xfs"
is "ext4dio has counted each of its writes, the others none" \
	"$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
		FNR > 1 && $at["workload"] !~ /^(device|read|readwrite|uring-(wu-)?nowait)$/ {
			all++
			good += $5 == "ext4dio" ? $at["ios"] == $at["shared"] + $at["exclusive"] : \
				$at["shared"] == ""
		}
		END { print all - good " wrong of " (all > 10) }' "$OUT"/{all,sides}/result.csv)" \
	"0 wrong of 1"
is "nothing is left mounted" "$(left_behind)" ""
refuses "a result is not overwritten" "holds a result already" run "$OUT/all" --device "$dev" \
	--destroy
ok "two results are compared" "$ab" compare "$OUT/all/result.json" "$OUT/all/result.json"
ok "pairs, a warm-up, A/A and mount options" "$ab" run --out "$OUT/pairs" --device "$dev" \
	--destroy --rounds 2 --region 64k --jobs 1,2 --workloads overwrite --seconds 0.3 \
	--sides "ext4 ext4dio:noatime"
is "give the runs that they should" \
	"$(tail -n +2 "$OUT/pairs/result.csv" | cut -d, -f1 | sort | uniq -c | xargs)" "4 aa 8 ab"
is "interleaved A B B A" \
	"$(grep ^ab,overwrite,2 "$OUT/pairs/result.csv" | cut -d, -f4,5 | xargs)" \
	'0,ext4 0,ext4dio:noatime 1,ext4dio:noatime 1,ext4'
ok "the mount options are in the result, as they were mounted" \
	grep -q '"ext4dio:noatime": ".*noatime' "$OUT/pairs/result.json"
says "the counters tell what the locking does" \
	"0\.0% shared, 100\.0% exclusive \(split\); waited [1-9]" run "$OUT/locks" --device "$dev" \
	--destroy --workloads mixed --sides "ext4dio ext4dio:dio_policy=stock" --jobs 4
says "a run takes its time, at a rate too" "equal load; p50" run "$OUT/rate" --device "$dev" \
	--destroy --workloads mixed --rate max,50% --seconds 2
# (That at a rate is for its p99.)
is "each of them" "$(awk -F, 'NR > 1 { print ($6 == "max" ? $10 >= 1.96 && $10 < 2.5 : \
	$10 >= 1.96 && ($8 >= 1000 || $10 > 58)) }' "$OUT/rate/result.csv" | xargs)" "1 1 1 1"
says "too short a run makes no claim" "too short: no claim" run "$OUT/short" \
	--device "$dev" --destroy --workloads overwrite --rounds 2 --seconds 1
wipefs -qa "$dev"

# --- it is careful -----------------------------------------------------------

refuses "no block device" "is no block device" run "$OUT/x" --device /etc/passwd
refuses "no such device" "/dev/none: No such file" run "$OUT/x" --device /dev/none
mkfs.ext4 -qF -L precious "$disk"
refuses "a device with a file system on it is named and refused" \
	"is not empty: it has a signature of ext4 \(precious\)" run "$OUT/x" --device "$disk"
mount "$disk" "$mnt"
refuses "a mounted one, whatever is asked for" "is mounted on $mnt" \
	run "$OUT/x" --device "$disk" --destroy
umount "$mnt"
mkswap -q "$disk" > /dev/null 2>&1
swapon "$disk"
refuses "one in use as swap" "exclusive use" run "$OUT/x" --device "$disk" --destroy
swapoff "$disk"
wipefs -qa "$disk"
echo 'label: gpt' | sfdisk -q "$disk"
refuses "one with a partition table" "signature of gpt" run "$OUT/x" --device "$disk"
wipefs -qa "$disk"
dmsetup create holder --table "0 1024 linear $disk 0"
refuses "one that is part of another device" "exclusive use" \
	run "$OUT/x" --device "$disk" --destroy
dmsetup remove holder
mkfs.ext4 -qF -L precious "$disk"
before=$(sha256sum < "$disk")
refuses "more than fits, before anything is changed" "choose a smaller" \
	"$ab" run --out "$OUT/x" --device "$disk" --destroy --region 1g
refuses "an unknown file system" "no file system type 'nofs'" \
	run "$OUT/x" --device "$disk" --destroy --sides "ext4 nofs"
refuses "an unknown workload" "no workload 'nothing'; there are: device, overwrite" \
	run "$OUT/x" --device "$disk" --destroy --workloads nothing
refuses "a file system that nothing makes" "program mkfs.tmpfs is missing" \
	run "$OUT/x" --device "$disk" --destroy --sides "ext4 tmpfs"
refuses "no workload" "it names nothing" run "$OUT/x" --device "$disk" --destroy --workloads ""
refuses "a folder for the result that is a file" "^ext4dio-ab: .*File exists" \
	run /etc/passwd --device "$disk" --destroy
refuses "a size that is none" "'much' is no size" run "$OUT/x" --device "$disk" --region much
is "all that has left the device alone" "$(sha256sum < "$disk")" "$before"
refuses "mount options that do not work" "cannot mount ext4dio:nonsense: mount" \
	run "$OUT/nonsense" --device "$disk" --destroy --sides "ext4 ext4dio:nonsense"
says "what was measured before that is kept" "INCOMPLETE: cannot mount ext4dio:nonsense" \
	"$ab" report "$OUT/nonsense/result.json"
is "and nothing is left mounted" "$(left_behind)" ""
refuses "a file that is no result" "is no result" "$ab" compare /etc/passwd /etc/passwd

# --- it is stopped -----------------------------------------------------------

for signal in INT TERM; do
	wipefs -qa "$dev"
	# A background process of a script ignores SIGINT unless told otherwise.
	env --default-signal=INT "$ab" run --device "$dev" --out "$OUT/cut-$signal" --jobs 1 \
		--workloads overwrite --seconds 60 > "$OUT/cut.txt" 2>&1 &
	pid=$!
	# (The first fio of all only tells its version, before anything is mounted.)
	for ((i = 0; i < $(longer 300); i++)); do
		[ -z "$(left_behind)" ] || ! pgrep -x fio > /dev/null || break
		sleep 0.1
	done
	ok "a run is under way" pgrep -x fio
	ok "with something mounted" test -n "$(left_behind)"
	kill -$signal $pid
	status=0
	wait $pid || status=$?
	is "a run that gets SIG$signal fails" $status 1
	ok "and says so" grep -q "stopped; nothing is left mounted" "$OUT/cut.txt"
	is "and that is true" "$(left_behind)" ""
	fails "nor is fio still there" pgrep -x fio
done

# A file system that the run damages is found, and fails it.
wipefs -qa "$dev"
mkdir -p /tmp/bin
cat > /tmp/bin/umount <<'EOF'
#!/bin/sh
/usr/bin/umount "$@" && debugfs -w -R 'clri <12>' "$(cat /tmp/bin/device)" > /dev/null 2>&1
EOF
chmod +x /tmp/bin/umount
echo "$dev" > /tmp/bin/device
refuses "damage that a run leaves behind fails it" "left $dev damaged" \
	env PATH="/tmp/bin:$PATH" "$ab" run --device "$dev" --out "$OUT/damaged" --destroy \
	--jobs 1 --total 64k --workloads overwrite --aa none --warm-up 0 --rounds 1 --seconds 0.3

# --- a folder ----------------------------------------------------------------

mkfs.ext4 -qF "$disk"
mount -t ext4dio "$disk" "$mnt"
ok "a folder of a mounted file system is measured" run "$OUT/dir" --dir "$mnt" \
	--workloads overwrite,mixed
is "as one side, by its type" "$(tail -n +2 "$OUT/dir/result.csv" | cut -d, -f5 | sort -u)" ext4dio
is "and its file is removed" "$(ls "$mnt")" lost+found
refuses "a folder that is none" "is no folder" run "$OUT/x" --dir /nowhere
umount "$mnt"
fsck_clean "$disk"
done_testing
