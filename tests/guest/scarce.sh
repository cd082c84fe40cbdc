#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A preallocated file on a disk, or in a quota, that has no block left for the extent tree.
# Each write to it is kept, or refused; none is acknowledged and lost, and fsync tells of what
# could not be kept.  As stock ext4 does, the rest of an extent is zeroed as the last resort,
# but never over another write.
#
# The rule that nothing was lost without a word holds for ext4dio.  What stock ext4 does is
# shown where it differs.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

mnt=/mnt/scarce
mkdir -p "$mnt"
acked=/tmp/acked
blocks=1600
# Two devices: what is written at once leaves no neighbour in flight, what takes 2 ms does.
fast=$(null_blk_new fast 64 0)
slow=$(null_blk_new slow 64 2000)

# full_disk TYPE DEVICE RESERVED MKFS FALLOC BLOCKSIZE: mounted, with the file, RESERVED blocks
# for conversions and none for anybody else.
full_disk() {
	local type=$1 dev=$2 reserved=$3 mkfs=$4 falloc=$5 bs=$6 left
	# shellcheck disable=SC2086 # a list
	mkfs.ext4 -qF -b "$bs" -m 0 -E lazy_itable_init=0 $mkfs "$dev" > /dev/null 2>&1
	mount -t "$type" "$dev" "$mnt"
	# shellcheck disable=SC2086 # a list
	xfs_io -f -c "falloc $falloc 0 $((blocks * bs))" -c fsync "$mnt/file"
	echo "$reserved" > "/sys/fs/$type/$(basename "$dev")/reserved_clusters"
	left=$(($(stat -f -c %a "$mnt") * bs))
	[ "$left" = 0 ] || fallocate -l "$left" "$mnt/most" 2> /dev/null || true
	dd if=/dev/zero of="$mnt/rest" bs="$bs" 2> /dev/null || true
	sync -f "$mnt"
	if [ "$(stat -f -c %a "$mnt")" -gt 16 ]; then
		not_ok "$type: the disk is full" "$(stat -f "$mnt")"
	fi
}

# told DESC TYPE DEVICE HOW REFUSED BS: scarce write HOW, and after a new mount what was
# acknowledged is there.  REFUSED no: nothing may be refused, yes: something must be and fsync
# must say so, maybe: both are right, but what is lost has been told.
told() {
	local desc=$1 type=$2 dev=$3 how=$4 refused=$5 bs=$6 said verdict status=0
	said=$(./scarce write "$how" "$mnt/file" "$blocks" "$bs" "$acked" 2>&1) || status=$?
	diag "$desc: $said; $(filefrag "$mnt/file" 2> /dev/null | sed 's/.*: //')"
	if [ $status -gt 1 ] || ! grep -q '^acked ' <<< "$said"; then
		not_ok "$desc: the writer ran" "$said"
		return
	fi
	if [ "$type" = ext4dio ]; then
		diag "$(grep -H . "/sys/fs/ext4dio/$(basename "$dev")"/dio/{shared,excl*,upgrades} |
			sed 's,.*/,,' | xargs)"
	fi
	umount "$mnt"
	fsck_clean "$dev" "$desc: e2fsck finds nothing"
	mount -t ext4 -o ro "$dev" "$mnt"
	verdict=$(./scarce check "$mnt/file" "$blocks" "$bs" "$acked" 2>&1) || true
	umount "$mnt"
	case $refused in
	no) is "$desc: nothing is refused" "$status" 0 ;;
	yes) says "$desc: fsync and syncfs tell" 'fsync: [^o].*syncfs: [^o]' echo "$said" ;;
	esac
	if [ "$refused" != no ] && [[ $said != *'fsync: ok'* ]]; then
		pass "$desc: what is lost was told by fsync ($verdict)"
	else
		is "$desc: what was acknowledged is there" "$verdict" ok
	fi
}

# Last resort: the disk is full and the reserved blocks are used up.
threads=dddddddddddddddddddddddddddddddd
for dev in "$fast" "$slow"; do
	name=$(basename "$dev")
	for how in b d $threads; do
		full_disk ext4dio "$dev" 2 "" "" 4096
		told "$name, ${how:0:3} x${#how}" ext4dio "$dev" "$how" no 4096
	done
done
full_disk ext4dio "$slow" 0 "" "" 4096
told "no reserved blocks, AIO" ext4dio "$slow" aa no 4096
full_disk ext4dio "$slow" 0 "" "" 4096
told "O_SYNC" ext4dio "$slow" ss no 4096
full_disk ext4dio "$slow" 2 "" "" 1024
told "1 KiB blocks, buffered and mmap" ext4dio "$slow" bbmm no 1024
full_disk ext4dio "$fast" 0 "-O bigalloc -C 16384" "" 4096
told "bigalloc, buffered" ext4dio "$fast" b no 4096
full_disk ext4dio "$slow" 2 "" "" 4096
told "direct and buffered at once" ext4dio "$slow" ddddddddbb maybe 4096
# (Encrypted page cache cannot be written to disk as it is; see zeroout.c.)

# Where nothing may be zeroed, behind the end of the file, buffered writes cannot be kept.
for type in ext4 ext4dio; do
	full_disk $type "$fast" 0 "" -k 4096
	if [ $type = ext4 ]; then
		said=$(./scarce write b "$mnt/file" $blocks 4096 $acked 2>&1) || true
		diag "stock ext4, behind the end of the file: $said"
		umount "$mnt"
	else
		told "behind the end of the file, buffered" ext4dio "$fast" b yes 4096
	fi
done
full_disk ext4dio "$fast" 0 "" -k 4096
told "behind the end of the file, O_SYNC" ext4dio "$fast" s yes 4096

# The same for direct writes into an extent that reaches beyond the end of the file.
for how in d a; do
	full_disk ext4dio "$fast" 0 "" -k 4096
	truncate -s $((blocks * 4096 - 4096)) "$mnt/file"
	told "an extent that reaches beyond the end, $how" ext4dio "$fast" $how yes 4096
done

# Quota: the writer has none left for the extent tree.
for how in d dddddddd b; do
	mkfs.ext4 -qF -b 1024 -O quota "$slow"
	mount -t ext4dio -o usrquota "$slow" "$mnt"
	xfs_io -f -c "falloc 0 $((blocks * 1024))" -c fsync "$mnt/file"
	chown nobody "$mnt/file"
	chmod 755 "$mnt"
	# All that the user has is this file.
	limit=$(($(stat -c %b "$mnt/file") / 2 + 4))
	setquota -u nobody 0 $limit 0 0 "$mnt"
	rm -f $acked
	said=$(setpriv --reuid=nobody --clear-groups ./scarce write $how "$mnt/file" $blocks 1024 \
		/tmp/acked 2>&1) || true
	used=$(($(stat -c %b "$mnt/file") / 2))
	diag "quota, $how: $said; $used of $limit KiB; $(filefrag "$mnt/file" | sed 's/.*: //')"
	umount "$mnt"
	fsck_clean "$slow" "quota, $how: e2fsck finds nothing"
	mount -t ext4 -o ro "$slow" "$mnt"
	verdict=$(./scarce check "$mnt/file" $blocks 1024 $acked 2>&1) || true
	umount "$mnt"
	if [[ $said != *'acked '*'fsync: '* ]]; then
		not_ok "quota, $how: the writer ran" "$said"
	elif [[ $said != *'fsync: ok'* ]]; then
		pass "quota, $how: what is lost was told by fsync ($verdict)"
	else
		is "quota, $how: what was acknowledged is there" "$verdict" ok
	fi
	if [ $how != b ]; then
		ok "quota, $how: nothing is charged past the limit" test $used -le $limit
		says "quota, $how: nothing is refused" 'refused 0 .*fsync: ok' echo "$said"
	fi
done
done_testing
