#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Stock ext4 loses acknowledged direct writes, exposes what is none of the file's, or takes
# NOWAIT not for what it means, in these cases; ext4dio must not.  That stock ext4 does,
# where it has the defect, and a control always (see "cured"), shows that the test can tell.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

delay=60
mnt=/mnt/loss
mkdir -p "$mnt"
modprobe brd rd_nr=2 rd_size=65536

# 6.1 does not zero the tail of the last block when a file grows.  The defects of a conversion
# at the end of the I/O came with 7.0, those of NOWAIT with the NOWAIT of 7.3.
since_6_12=$(since 6.12)
since_7=$(since 7.0)
since_7_3=$(since 7.3)

for type in $TYPES; do
	mkfs.ext4 -qF -b 4096 /dev/ram0
	dm_delay_new slow /dev/ram0 $delay > /dev/null
	mount -t $type /dev/mapper/slow "$mnt"
	cured $type "$since_6_12" \
		"a write to the last block is there after the file grew meanwhile" \
		"$(./loss grow "$mnt/file" 2>&1)"
	cured $type yes "a store behind the end of the file does not become part of it" \
		"$(./loss tail "$mnt/file" 2>&1)"
	cured $type "$since_6_12" \
		"a failed write behind the end takes nothing from the last block" \
		"$(./loss failed "$mnt/file" 2>&1)" no
	umount "$mnt"
	mount -t $type -o nodelalloc /dev/mapper/slow "$mnt"
	cured $type "$since_7" "a page fault beside a write in flight does not zero it" \
		"$(./loss neighbour "$mnt/file" 2>&1)"
	for option in nodelalloc delalloc; do
		# Stock ext4 at times gets through with nodelalloc, so no control can tell.
		[ -z "${CONTROL:-}" ] || [ $option = delalloc ] || continue
		mount -o remount,$option "$mnt"
		cured $type "$since_7" "a fault in a large folio loses no write, $option" \
			"$(./loss large "$mnt/file" 2>&1)"
	done
	umount "$mnt"
	dmsetup remove slow
	fsck_clean /dev/ram0
done

# A write whose memory ends early, with a block or within one, over every pair of kinds of blocks:
# what was written there, and is not written over, stays.
for type in $TYPES; do
	for unit in 4096 1024; do
		mkfs.ext4 -qF -b $unit /dev/ram0
		mount -t $type /dev/ram0 "$mnt"
		for pair in WW WU WH UW HW; do
			rm -f "$mnt/file"
			{
				echo "falloc 0 $((2 * unit))"
				for i in 0 1; do
					case ${pair:i:1} in
					W) echo "pwrite -q -S 0x57 $((i * unit)) $unit" ;;
					H) echo "fpunch $((i * unit)) $unit" ;;
					esac
				done
				echo fsync
			} | xfs_io -f "$mnt/file" > /dev/null
			xfs_io -d -c "pread -q 0 $((2 * unit))" "$mnt/file"
			for good in 512 $unit $((unit + 512)); do
				[ "${pair:good / unit:1}" = W ] || continue
				ok "$type: a write of $pair, $unit B each, from memory of $good B" \
					./rwf torn "$mnt/file" 0 $((2 * unit)) $good
				is "$type: leaves the rest of that block" "$(
					dd if="$mnt/file" bs=512 skip=$((good / 512)) iflag=direct \
						count=$(((unit - good % unit) / 512)) status=none |
						tr -d '\127' | wc -c)" 0
			done
		done
		umount "$mnt"
		fsck_clean /dev/ram0
	done
done

# Writers who turn blocks of one unwritten extent into written ones, all at once, and have
# no quota left for the blocks of the extent tree that this takes.
for type in $TYPES; do
	mkfs.ext4 -qF -b 4096 -O quota /dev/ram0
	dm_delay_new slow /dev/ram0 $delay > /dev/null
	mount -t $type -o usrquota /dev/mapper/slow "$mnt"
	lost=ok
	for round in 1 2 3 4 5 6 7 8; do
		rm -f "$mnt/file"
		xfs_io -f -c 'falloc 0 1m' -c fsync "$mnt/file"
		chown nobody "$mnt/file"
		setquota -u nobody 0 1024 0 0 "$mnt"
		setpriv --reuid=nobody --clear-groups fio --name=quota --filename="$mnt/file" \
			--direct=1 --rw=write --bs=4k --numjobs=36 --thread --size=4k \
			--offset_increment=16k --allow_file_create=0 --create_on_open=1 \
			--fallocate=none --verify=crc32c > "$OUT/$type-$round.txt" 2>&1 || true
		# (A write that is refused for the quota is none that was acknowledged.)
		grep -q 'issued rwts: total=1,1,' "$OUT/$type-$round.txt" ||
			lost="no write was read back in round $round"
		! grep -q '^verify: bad' "$OUT/$type-$round.txt" ||
			lost="wrong: lost in round $round"
		setquota -u nobody 0 0 0 0 "$mnt"
		# Stock ext4 gets as many rounds as it needs.
		[ "$lost" = ok ] && { [ "$TYPES" = ext4dio ] || [ $type = ext4 ] ||
			[ $round -lt 3 ]; } || break
	done
	cured $type "$since_7" "writes to an unwritten extent are kept where the quota is full" \
		"$lost"
	umount "$mnt"
	dmsetup remove slow
	fsck_clean /dev/ram0
done

# A full disk has no block for the extent tree but the reserved ones: what is preallocated
# must take direct and buffered writes all the same.
for type in $TYPES; do
	mkfs.ext4 -qF -b 4096 -m 0 /dev/ram0
	mount -t $type /dev/ram0 "$mnt"
	xfs_io -f -c 'falloc 0 8m' -c fsync "$mnt/file"
	for bs in 1M 64k 4k; do
		dd if=/dev/zero bs=$bs >> "$mnt/full" 2> /dev/null || true
		sync -f "$mnt"
	done
	is "$type: the disk is full" "$(df --output=avail "$mnt" | xargs)" "Avail 0"
	for direct in 1 0; do
		ok "$type: a full disk takes writes into preallocated blocks, direct=$direct" \
			fio --name=full --filename="$mnt/file" --direct=$direct --rw=randwrite \
			--bs=4k --offset=$((direct * 4))m --size=4m --number_ios=300 --end_fsync=1 \
			--randseed=1 --allow_file_create=0 --create_on_open=1 --fallocate=none \
			--verify=crc32c --verify_fatal=1
	done
	umount "$mnt"
	fsck_clean /dev/ram0
done
# A hole of a file without extents goes into the cache as long as it is, not up to the next
# block that is known.  (Direct reads: nothing is read, and so known, ahead.)
block() {
	dd if="$mnt/file" iflag=direct bs=1k skip="$1" count=1 status=none
}
for type in $TYPES; do
	mkfs.ext4 -qF -b 1024 -O ^extents,^64bit /dev/ram0
	mount -t $type /dev/ram0 "$mnt"
	for at in 0 5 10 300 700; do
		xfs_io -f -c "pwrite -q -S 0x57 ${at}k 1k" "$mnt/file"
	done
	for order in "10 2 5" "700 11 300" "300 12 299 10" "0 700 400 300"; do
		umount "$mnt"
		mount -t $type /dev/ram0 "$mnt"
		for at in $order; do
			got=$(block "$at" | tr '\0W' .W | head -c 1)
			case $at in
			0 | 5 | 10 | 300 | 700) want=W ;;
			*) want=. ;;
			esac
			is "$type: blocks $order of a file without extents: $at" "$got" $want
		done
	done
	umount "$mnt"
	fsck_clean /dev/ram0
done

# NOWAIT: all or nothing, and with lazytime no timestamp stands against it.
for type in $TYPES; do
	mkfs.ext4 -qF -b 4096 /dev/ram0
	mount -t $type -o lazytime /dev/ram0 "$mnt"
	xfs_io -fd -c 'pwrite -q -S 0x57 0 4k' -c 'truncate 64k' -c fsync "$mnt/file"
	xfs_io -d -c 'pread -q 0 64k' "$mnt/file"
	sleep 0.1
	verdict=$(./rwf write "$mnt/file" 0 8192 8192)
	if [ "$verdict" = again ]; then
		left=$(head -c 4096 "$mnt/file" | tr -d W | wc -c)
		verdict=ok
		[ "$left" -eq 0 ] || verdict="wrong: EAGAIN, but $left bytes of it are written"
	fi
	cured $type "$since_7_3" "a NOWAIT write that is refused has written nothing" "$verdict" yes
	umount "$mnt"
done

# A timestamp that is due refuses no NOWAIT write, and is not lost either.  With one CPU, and a
# writer that gives it to nobody else but to wait, it gets to the disk only because somebody waits.
lone_writer() {
	echo 0 > /sys/devices/system/cpu/cpu1/online
	chrt -f 50 ./rwf "$@" || true
	echo 1 > /sys/devices/system/cpu/cpu1/online
}
for options in defaults lazytime; do
	for type in $TYPES; do
		mkfs.ext4 -qF -b 4096 /dev/ram0
		mount -t $type -o $options /dev/ram0 "$mnt"
		xfs_io -fd -c 'pwrite -q -S 0x57 0 4k' -c fsync "$mnt/other"
		before=$(stat -c %y "$mnt/other")
		got=$(./rwf write "$mnt/other" 0 4096 ticks)
		verdict=$got
		case $got in
		"50 of 50") verdict=ok ;;
		?" of 50" | ??" of 50") verdict="wrong: $got went through" ;;
		esac
		cured $type "$since_7_3" "$options: no timestamp refuses a NOWAIT write" \
			"$verdict" yes
		# (Where none of the writes is done there is nothing to bring up to date.)
		[ "$got" = "0 of 50" ] || fails "$type, $options: it is brought up to date" \
			test "$before" = "$(stat -c %y "$mnt/other")"
		for way in fsync syncfs freeze umount; do
			# So that there is nothing else to commit, which would take its time.
			sync
			sleep 0.1
			case $way in
			*sync*)
				lone_writer write "$mnt/other" 0 4096 $way > /dev/null
				after=$(stat -c %y "$mnt/other")
				;;
			freeze)
				lone_writer write "$mnt/other" 0 4096 > /dev/null
				xfs_io -x -c freeze "$mnt"
				after=$(stat -c %y "$mnt/other")
				dd if=/dev/ram0 of=/dev/ram1 bs=1M status=none
				xfs_io -x -c thaw "$mnt"
				umount "$mnt"
				dd if=/dev/ram1 of=/dev/ram0 bs=1M status=none
				;;
			umount)
				lone_writer write "$mnt/other" 0 4096 > /dev/null
				after=$(stat -c %y "$mnt/other")
				;;
			esac
			! mountpoint -q "$mnt" || umount "$mnt"
			mount -t $type -o $options /dev/ram0 "$mnt"
			is "$type, $options: after $way it is on the disk" \
				"$(stat -c %y "$mnt/other")" "$after"
		done
		umount "$mnt"
		fsck_clean /dev/ram0
	done
done

# A fsync that finds another one at work with the timestamp waits for it: see rwf.c.
if [ -z "${CONTROL:-}" ]; then
	modprobe dm-delay
	dmsetup create journal --table "0 16384 linear /dev/ram1 0"
	dmsetup mknodes
	mkfs.ext4 -qF -b 4096 -O journal_dev /dev/mapper/journal
	mkfs.ext4 -qF -b 4096 -J device=/dev/mapper/journal /dev/ram0 16M
	mount -t ext4dio /dev/ram0 "$mnt"
	for name in one other third; do
		xfs_io -fd -c 'pwrite -q 0 4k' -c 'pwrite -q 0 4k' -c fsync "$mnt/$name"
	done
	sync
	sleep 0.1
	dmsetup reload journal --table "0 16384 delay /dev/ram1 0 0 /dev/ram1 0 $(longer 2000)"
	dmsetup suspend --nolockfs journal
	dmsetup resume journal
	before=$(stat -c %y "$mnt/one")
	./rwf fsyncs "$mnt"/{one,other,third} > /tmp/fsyncs 2>&1 &
	for ((i = 0; i < $(longer 1000); i++)); do
		! grep -q 'fsync has ended' /tmp/fsyncs || break
		sleep 0.02
	done
	dd if=/dev/ram0 of=/dev/lab/disk bs=1M count=16 status=none iflag=direct oflag=direct
	dd if=/dev/ram1 of=/dev/lab/other bs=1M count=8 status=none iflag=direct oflag=direct
	wait
	after=$(stat -c %y "$mnt/one")
	dmsetup reload journal --table "0 16384 linear /dev/ram1 0"
	dmsetup suspend --nolockfs journal
	dmsetup resume journal
	umount "$mnt"
	mount -t ext4dio -o journal_path=/dev/lab/other /dev/lab/disk "$mnt"
	is "ext4dio: two fsyncs of a file have ended" "$(cat /tmp/fsyncs)" "fsync has ended"
	fails "ext4dio: there was something to wait for" test "$before" = "$after"
	is "ext4dio: a fsync beside another's: what it has written is on the disk" \
		"$(stat -c %y "$mnt/one")" "$after"
	umount "$mnt"
	dmsetup remove journal
fi

# Files that go, and a file system that is shut down and unmounted, right after such a write.
if [ -z "${CONTROL:-}" ]; then
	for way in remove shutdown; do
		ext4dio_new /dev/ram0 "$mnt" "-b 4096"
		for i in {1..30}; do
			xfs_io -fd -c 'pwrite -q 0 4k' "$mnt/$i"
		done
		sleep 0.1
		for i in {1..30}; do
			./rwf write "$mnt/$i" 0 4096 > /dev/null
			[ $way = shutdown ] || rm "$mnt/$i"
			echo 2 > /proc/sys/vm/drop_caches
		done
		[ $way = remove ] || xfs_io -x -c shutdown "$mnt"
		umount "$mnt"
		[ $way = remove ] || { mount -t ext4dio /dev/ram0 "$mnt" && umount "$mnt"; }
		fsck_clean /dev/ram0 "ext4dio: NOWAIT writes, then $way: e2fsck finds it clean"
	done
	is "no inode was held at an unmount" "$(in_log 'Busy inodes')" 0
fi
done_testing
