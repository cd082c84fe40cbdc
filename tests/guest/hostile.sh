#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Images that somebody crafted.  debugfs gives files extents that point to metadata, to
# each other or to nowhere, trees that bite their tails, sizes and flags that do not fit,
# and the file system a journal, orphans and quota files that are none.
#
# Every file is used in every way (hostile.c) on ext4dio and on stock ext4, on copies of
# one image.  Both must say the same, where the answer does not depend on the cache; a
# bad extent must be an error, and with NOWAIT "again"; what is written must not be
# found in metadata; a good file must stay as it was, also when e2fsck has repaired the
# rest; nothing must hang, and the kernel must not warn (the lab looks for that).
#
# usage: hostile.sh [SECONDS]	for all files of an image [200]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

limit=$(longer "${1:-200}")
dev=/dev/ram0
mnt=/mnt/hostile
img=/tmp/image
mb=64
mkdir -p "$mnt"
modprobe brd rd_nr=1 rd_size=65536
dd if=/dev/urandom of=/tmp/control bs=64k count=1 status=none
head -c 64k < <(yes data) > /tmp/data

# --- crafting ----------------------------------------------------------------

# make MKFS-OPTIONS...: an image with a control file, and a fifth of its blocks set
# aside for the crafted ones: from $free on.  The commands for debugfs go to /tmp/commands.
make() {
	local info
	rm -f "$img"
	mkfs.ext4 -qF -J size=4 -N 1024 -O sparse_super2,^resize_inode \
		-E packed_meta_blocks=1,num_backup_sb=0,lazy_itable_init=0 \
		"$@" "$img" "$mb"M 2> "$OUT/mkfs.txt"
	info=$(dumpe2fs "$img" 2> /dev/null)
	blocks=$(awk '/^Block count:/ { print $3 }' <<< "$info")
	size=$(awk '/^Block size:/ { print $3 }' <<< "$info")
	bitmap=$(grep -oP -m1 'Block bitmap at \K[0-9]+' <<< "$info")
	bitmap2=$(grep -oP 'Block bitmap at \K[0-9]+' <<< "$info" | tail -1)
	itable=$(grep -oP -m1 'Inode table at \K[0-9]+' <<< "$info")
	journal=$(debugfs -R 'blocks <8>' "$img" 2> /dev/null | awk '{ print $1 }')
	mapfile -t metadata < <(grep -oP \
		'(superblock|[Dd]escriptors|blocks|bitmap|table) at \K[0-9-]+' <<< "$info")
	# Counted as used, but nobody's.
	head -c $((mb * 224))k < <(yes pool) > /tmp/pool
	printf 'write /tmp/%s\n' 'control control' 'pool pool' |
		debugfs -w -f - "$img" > /dev/null 2>&1
	free=$(debugfs -R 'blocks /pool' "$img" 2> /dev/null | awk '{ print $1 }')
	own=$free
	printf '%s\n' 'clri /pool' 'unlink /pool' > /tmp/commands
	: > /tmp/words
}

# entries ENTRY...: sets words to those of extents LOGICAL:LENGTH:BLOCK, and of indexes
# LOGICAL:BLOCK.
entries() {
	local e a b c
	words=()
	for e; do
		IFS=: read -r a b c <<< "$e"
		if [ -n "$c" ]; then
			words+=("$a" $((b | (c >> 32 & 65535) << 16)) $((c & 0xffffffff)))
		else
			words+=("$a" $((b & 0xffffffff)) $((b >> 32)))
		fi
	done
}

# root NAME DEPTH ENTRY...: these are the entries in the inode.
root() {
	local i
	entries "${@:3}"
	echo "sif /$1 block[0] $((0xf30a | ($# - 2) << 16))"
	echo "sif /$1 block[1] $((4 | $2 << 16))"
	for i in "${!words[@]}"; do
		echo "sif /$1 block[$((i + 3))] ${words[i]}"
	done
} >> /tmp/commands

# node BLOCK DEPTH ENTRY...: a block of a tree, with these.
node() {
	entries "${@:3}"
	echo "$(($1 * size)) $((0xf30a | ($# - 2) << 16)) $(((size - 12) / 12 | $2 << 16)) 0" \
		"${words[*]}" >> /tmp/words
}

# file NAME [BYTES]: a new file of that size [64 KiB]; its own blocks are from $own on.
file() {
	own=$((own + 32))
	echo "write /tmp/data $1" >> /tmp/commands
	[ -z "${2:-}" ] || echo "sif /$1 size $2" >> /tmp/commands
}

# flat NAME ENTRY... / deep NAME ENTRY...: a file whose extents are in its inode, or in
# a block of its own.
flat() {
	file "$1"
	root "$1" 0 "${@:2}"
}
deep() {
	file "$1"
	node "$own" 0 "${@:2}"
	root "$1" 1 "0:$own"
}

# The regular files.  Those named bad- have nothing that could be read at their start.
regular_files() {
	local way u=32768
	# Where block 0 is not a superblock (1 KiB blocks), nothing guards it.
	local super=$((size == 1024))
	for way in flat deep; do
		$way bad-bitmap-$way "0:16:$bitmap"
		$way bad-bitmap2-$way "0:16:$bitmap2"
		$way bad-itable-$way "0:16:$itable"
		$way bad-super-$way "0:16:$super"
		$way bad-journal-$way "0:16:$((journal + 2))"
		$way bad-beyond-$way "0:16:$((blocks + 10))"
		$way bad-straddle-$way "0:16:$((blocks - 8))"
		$way bad-high-$way "0:16:$((65535 << 32 | free))"
		$way bad-u-bitmap-$way "0:$((u + 16)):$bitmap"
		$way bad-u-itable-$way "0:$((u + 16)):$itable"
		$way bad-u-beyond-$way "0:$((u + 16)):$((blocks + 10))"
		$way bad-longest-$way "0:$u:$((blocks - 8192))"
		$way bad-u-longest-$way "0:65535:$((blocks - 8192))"
		$way bad-empty-$way "0:0:$((own + 33))"
		$way bad-wraps-$way "4294967280:32:$((own + 34))"
		$way second-bitmap-$way "0:4:$((own + 34))" "4:4:$bitmap"
		$way overlap-$way "0:8:$((own + 34))" "4:8:$((own + 42))"
		$way unsorted-$way "8:8:$((own + 34))" "0:8:$((own + 42))"
		$way same-$way "0:8:$((own + 34))" "0:8:$((own + 34))"
		$way twice-$way "0:8:$((own + 34))" "8:8:$((own + 34))"
		$way u-twice-$way "0:8:$((own + 34))" "8:$((u + 8)):$((own + 34))"
		$way mixed-$way "0:2:$((own + 34))" "2:$((u + 3)):$((own + 36))" "9:1:$((own + 41))"
		$way shared-a-$way "0:16:$((own + 34))"
		$way shared-b-$way "0:16:$((own + 2))"
	done
	# Sizes and extents that do not fit each other.
	file written-behind 4196
	root written-behind 0 "0:16:$((own + 2))"
	file unwritten-across 10000
	root unwritten-across 0 "0:$((u + 16)):$((own + 2))"
	file size-huge 4611686018427387904
	file size-max 17592185000000
	file size-negative 18446744073709547520
	file size-none 0
	# Headers.
	for way in "magic block[0] $((0xf30b | 1 << 16))" "entries block[0] $((0xf30a | 9 << 16))" \
		"none block[0] $((0xf30a))" "max block[1] 0" "depth6 block[1] $((4 | 6 << 16))" \
		"depth65535 block[1] $((4 | 65535 << 16))" "depth1 block[1] $((4 | 1 << 16))"; do
		file "head-${way%% *}"
		echo "sif /head-${way}" >> /tmp/commands
	done
	# Trees.
	file tree-self1
	node "$own" 1 "0:$own"
	root tree-self1 1 "0:$own"
	file tree-deepest
	for way in 4 3 2 1; do
		node $((own + 16 - 4 * way)) "$way" "0:$((own + 20 - 4 * way))"
	done
	node $((own + 16)) 0 "0:12:$((own + 20))"
	root tree-deepest 5 "0:$own"
	file tree-is-data
	node "$own" 0 "0:16:$own"
	root tree-is-data 1 "0:$own"
	file tree-is-other
	root tree-is-other 1 "0:$own"
	file other
	root other 0 "0:16:$((own - 32))"
	node $((own - 32)) 0 "0:16:$((own + 4))"
	for way in bitmap itable; do
		file "bad-tree-in-$way"
		root "bad-tree-in-$way" 1 "0:${!way}"
	done
	file bad-tree-beyond
	root bad-tree-beyond 1 "0:$((blocks + 1))"
	file tree-unsorted
	node "$own" 0 "8:8:$((own + 2))"
	node $((own + 1)) 0 "0:8:$((own + 10))"
	root tree-unsorted 1 "8:$own" "0:$((own + 1))"
	file tree-key
	node "$own" 0 "0:8:$((own + 2))"
	root tree-key 1 "4:$own"
	file tree-overlap
	node "$own" 0 "0:12:$((own + 4))"
	node $((own + 1)) 0 "8:8:$((own + 16))"
	root tree-overlap 1 "0:$own" "8:$((own + 1))"
	# Blocks without extents.
	file bad-map-direct
	file bad-map-single
	file map-self
	file map-triple
	{
		echo "sif /bad-map-direct flags 0"
		echo "sif /bad-map-direct block[0] $bitmap"
		echo "sif /bad-map-single flags 0"
		echo "sif /bad-map-single block[0] $((blocks + 3))"
		echo "sif /bad-map-single block[IND] $itable"
		echo "sif /map-self flags 0"
		echo "sif /map-triple flags 0"
		for way in 0 1 2 3 4 5 6 7 8 9 10 11; do
			echo "sif /map-self block[$way] $((own + way))"
			echo "sif /map-triple block[$way] $((own + way))"
		done
		echo "sif /map-self block[IND] $((own + 12))"
		echo "sif /map-triple block[IND] 0"
		echo "sif /map-triple block[DIND] $((blocks - 1))"
		echo "sif /map-triple block[TIND] $((blocks + 1))"
	} >> /tmp/commands
	echo "$(((own + 12) * size)) $((own + 12)) $((own + 12)) $bitmap $((blocks + 1))" \
		>> /tmp/words
	# Flags: inline data, encrypted, verity, casefold, DAX, journalled data, EA inode,
	# extents of a huge file, and several that exclude each other.
	for way in inline:0x10000000 both:0x10080000 crypt:0x80800 verity:0x180000 \
		casefold:0x40080000 dax:0x2080000 journal:0x84000 ea:0x280000 huge:0xc0000 \
		cryptinline:0x10000800 all:0x523cc800; do
		file "flag-${way%:*}"
		echo "sif /flag-${way%:*} flags ${way#*:}" >> /tmp/commands
	done
}

# A node that is also below itself, and is believed there, because it has been checked:
# stock ext4 and ext4dio, with delayed allocation, take the leaf for good in a buffered
# write, and may never end its writeback.
believed_files() {
	file tree-self
	node "$own" 1 "0:$own"
	root tree-self 2 "0:$own"
	file tree-mutual
	node "$own" 2 "0:$((own + 1))"
	node $((own + 1)) 1 "0:$own"
	root tree-mutual 3 "0:$own"
}

# Symbolic links and folders.
other_files() {
	local way target
	target=$(printf 'long%.0s' {1..50})
	for way in "bitmap $bitmap" "itable $itable" "beyond $((blocks + 1))" "null 0" \
		"own $free"; do
		{
			echo "symlink link-${way% *} $target"
			echo "symlink ulink-${way% *} $target"
			echo "mkdir dir-${way% *}"
		} >> /tmp/commands
		root "link-${way% *}" 0 "0:1:${way#* }"
		root "ulink-${way% *}" 0 "0:32769:${way#* }"
		root "dir-${way% *}" 0 "0:1:${way#* }"
	done
	own=$((own + 32))
	cat >> /tmp/commands << END
symlink link-none $target
sif /link-none block[0] $((0xf30a))
symlink link-long $target
sif /link-long size 5000
symlink link-empty $target
sif /link-empty size 0
symlink link-fast short
sif /link-fast size 70
symlink link-fastext short
sif /link-fastext flags 0x80000
symlink link-inline $target
sif /link-inline flags 0x10080000
mkdir dir-hash
sif /dir-hash flags 0x81000
mkdir dir-inline
sif /dir-inline flags 0x10000000
mkdir dir-huge
sif /dir-huge size 1099511627776
mkdir dir-loop
link /dir-loop /dir-loop/again
link / /dir-loop/top
write /tmp/data in-a-dir
mkdir dir-in-a-file
END
	root dir-in-a-file 0 "0:1:$((own + 8))"
	root in-a-dir 0 "0:16:$((own + 8))"
}

# craft: what has been said in /tmp/commands and /tmp/words.
craft() {
	[ "$own" -lt $((free + mb * 224 * 1024 / size - 64)) ] || not_ok "the pool is large enough"
	debugfs -w -f /tmp/commands "$img" > "$OUT/debugfs.txt" 2>&1
	[ ! -s /tmp/words ] || ./hostile poke "$img" < /tmp/words
	if grep -E 'invalid|Usage|not found|Could not' "$OUT/debugfs.txt"; then
		not_ok "debugfs does what it is told"
	fi
}

# only REGEX: no other file is left in the folder, but for the good one.
only() {
	debugfs -R 'ls -p /' "$img" 2> /dev/null | awk -F/ '{ print $6 }' |
		grep -vE "^(|\.|\.\.|lost\+found|control)$|$1" | sed 's,^,unlink /,' > /tmp/unlink
	debugfs -w -f /tmp/unlink "$img" > /dev/null 2>&1
}

# --- using -------------------------------------------------------------------

# use NAME TYPE MOUNT-OPTIONS: the results in $OUT/NAME-TYPE, and the blocks of metadata
# that hold our data then in $OUT/NAME-TYPE.stamped.
use() {
	local status=0
	dd if="$img" of="$dev" bs=1M oflag=direct status=none
	echo "hostile: image $1, $2, $3" > /dev/kmsg
	if mount -t "$2" -o "errors=continue,$3" "$dev" "$mnt" 2> /dev/null; then
		mounted=$((mounted + 1))
	else
		echo "not mounted" > "$OUT/$1-$2"
		: > "$OUT/$1-$2.stamped"
		return
	fi
	if [[ $3 = *noblock_validity* ]]; then
		./hostile read "$mnt" "$limit" > "$OUT/$1-$2.read" || status=$?
		mount -o remount,block_validity "$mnt"
	fi
	if [ "$status" -eq 0 ]; then
		./hostile use "$mnt" "$limit" > "$OUT/$1-$2" || status=$?
	fi
	if [ "$status" -ne 0 ]; then
		not_ok "$1, $2: ends in time" "status $status"
		# Nothing unmounts it, and the guest may not end by itself either.
		[ "$status" -ne 125 ] || exit 1
	fi
	umount "$mnt"
	status=0
	./hostile stamped "$dev" "$size" "${metadata[@]}" > /tmp/stamped || status=$?
	[ "$status" -le 1 ] || not_ok "$1, $2: the metadata can be looked at" "status $status"
	sort -u /tmp/stamped > "$OUT/$1-$2.stamped"
}

# mend NAME: e2fsck has what is left on $dev.
mend() {
	local round
	rm -f /tmp/control.now
	debugfs -R "dump /control /tmp/control.now" "$dev" 2> /dev/null
	ok "$1: a good file stays as it was" cmp /tmp/control /tmp/control.now
	# It shows an extent behind the last block that can be, and leaves it.
	printf 'clri /bad-wraps-%s\n' flat deep | debugfs -w -f - "$dev" > /dev/null 2>&1
	for round in 1 2 3; do
		! e2fsck -fy "$dev" > "$OUT/$1.fsck$round" 2>&1 || break
	done
	fsck_clean "$dev" "$1: e2fsck repairs it"
	rm /tmp/control.now
	debugfs -R "dump /control /tmp/control.now" "$dev" 2> /dev/null
	ok "$1: and leaves the good file" cmp /tmp/control /tmp/control.now
}

# refused NAME: ext4dio found no bad- file good.
refused() {
	local used
	used=$(grep -E '^\./bad-\S+ (nowait-)?(direct|cold)?-?(read|write|part|span) 0 [0-9]' \
		"$OUT/$1-ext4dio" | grep -vE ' (read|write) ' || true)
	is "$1: no direct read or write goes through a bad extent" "$used" ""
	ok "$1: but is told of the corruption" \
		grep -qE '^\./bad-\S+ direct-read 0 EUCLEAN' "$OUT/$1-ext4dio"
	is "$1: NOWAIT is told to come again, and nothing else" "$(grep -E \
		'^\./bad-\S+ nowait-(cold-read|read|write|part) 0 ' "$OUT/$1-ext4dio" |
		awk '{ print $NF }' | sort -u)" EAGAIN
}

# said NAME TYPE: the results that do not depend on the cache.  Whether a block fails
# the check of its contents or of its checksum does.  So does, where the disk gets full,
# whether there is a cluster left for delayed allocation; and what is lost for want of one
# is told by ext4dio, to fsync and to an insert, which then has not happened.  A truncate that
# frees a cluster for the second time aborts the journal; whether that one is told so differs.
said() {
	local full=none
	case $1 in
	bigalloc | group-free)
		full='extend-buffered|write|fsync|syncfs|insert|direct-span|truncate-first'
		;;
	esac
	grep -v nowait "$OUT/$1-$2" |
		sed -E "s/EBADMSG$/EUCLEAN/; s/^(\S+ ($full)( [0-9]+)?) .*/\1/"
}

# alike NAME: ext4dio answers as stock ext4 does, and spoils no metadata that it does not.
alike() {
	is "$1: both file systems say the same" "$(said "$1" ext4dio)" "$(said "$1" ext4)"
	is "$1: no metadata is overwritten, at least by ext4dio alone" \
		"$(comm -13 "$OUT/$1-ext4.stamped" "$OUT/$1-ext4dio.stamped")" ""
}

# image NAME MOUNT-OPTIONS MKFS-OPTIONS...
image() {
	make "${@:3}"
	regular_files
	other_files
	[ "$2" != nodelalloc ] || believed_files
	craft
	use "$1" ext4 "$2"
	use "$1" ext4dio "$2"
	mend "$1"
	refused "$1"
	alike "$1"
}

# late TYPE: use the image where extents were cached without the check; $verdict then says
# whether metadata was overwritten.
late() {
	use late "$1" nodelalloc,noblock_validity
	verdict=ok
	[ ! -s "$OUT/late-$1.stamped" ] || verdict="wrong: $(paste -sd, "$OUT/late-$1.stamped")"
}

mounted=0
if [ -n "${CONTROL:-}" ]; then
	make -b 4096 -g 4096 -O ^metadata_csum
	regular_files
	craft
	only '^bad-u-bitmap'
	late ext4dio
	cured ext4dio "$(since 7.0)" "late: no metadata is overwritten" "$verdict"
	done_testing
	exit
fi

image plain nodelalloc -b 4096 -g 4096 -O ^metadata_csum
is "plain: no metadata is overwritten at all" "$(cat "$OUT/plain-ext4dio.stamped")" ""
# Stock ext4 follows a bad extent from the cache in a buffered write with delayed
# allocation, and so does ext4dio: for the rest ext4dio spoils no more than it does.
image csum delalloc -b 4096 -g 4096
image small delalloc -b 1024 -O ^metadata_csum
image bigalloc delalloc -b 4096 -C 16384 -O bigalloc,^metadata_csum

# Extents that were cached without the check: what is in bad files, and folders.  Not a
# tree in a bitmap block: both file systems take that for checked, and die of it.
make -b 4096 -g 4096 -O ^metadata_csum
regular_files
other_files
craft
only '^(bad-[^t]|second|link|ulink|dir)'
late ext4dio
mend late
refused late
cured ext4dio no "late: no metadata is overwritten" "$verdict"
# Since 7.0 stock ext4 writes, and finds out when it converts what it has written.
if [ "$(since 7.0)" = yes ]; then
	only '^bad-u-bitmap'
	late ext4
	cured ext4 yes "late: no metadata is overwritten" "$verdict"
fi

# --- file systems that are bad as a whole -------------------------------------

# whole NAME COMMAND...: commands for debugfs, with ; between.
whole() {
	images=$((images + 1))
	cp /tmp/whole "$img"
	tr ';' '\n' <<< "${*:2}" | sed 's/^ *//' > /tmp/commands
	: > /tmp/words
	craft
	use "$1" ext4 delalloc
	use "$1" ext4dio delalloc
	alike "$1"
}

mb=16
make -b 4096 -N 256 -O ^metadata_csum,quota
file a
flat bad-bitmap "0:16:$bitmap"
file c
craft
cp "$img" /tmp/whole
number() {
	debugfs -R "stat /$1" "$img" 2> /dev/null | sed -n 's/^Inode: \([0-9]*\).*/\1/p'
}
a=$(number a)
b=$(number bad-bitmap)
c=$(number c)
mounted=0
images=0
whole journal-empty "sif <8> size 0"
whole journal-magic "sif <8> block[0] 0"
whole journal-bitmap "sif <8> block[5] $bitmap"
whole journal-beyond "sif <8> block[5] $((blocks - 10))"
whole journal-flags "sif <8> flags 0"
whole journal-folder "sif <8> mode 040755"
whole journal-root "ssv journal_inum 2"
whole journal-file "ssv journal_inum $a"
whole journal-none "ssv journal_inum 99999"
whole journal-zero "zap_block $journal"
whole orphan-journal "ssv last_orphan 8"
whole orphan-root "ssv last_orphan 2"
whole orphan-none "ssv last_orphan 99999"
whole orphan-bad "ssv last_orphan $b; sif <$b> links_count 0"
whole orphan-self "ssv last_orphan $a; sif <$a> dtime $a"
whole orphan-loop "ssv last_orphan $a; sif <$a> dtime $c; sif <$c> dtime $a;
	sif <$a> links_count 0"
whole orphan-file "ssv orphan_file_inum 2"
whole quota-journal "ssv usr_quota_inum 8"
whole quota-root "ssv usr_quota_inum 2"
whole quota-none "ssv usr_quota_inum 99999"
whole quota-bitmap "sif <3> block[5] $bitmap"
whole quota-size "sif <3> size 1"
whole root-bitmap "sif <2> block[5] $bitmap"
whole root-file "sif <2> mode 0100644"
whole group-itable "set_bg 0 inode_table $((blocks - 1))"
whole group-bitmap "set_bg 0 block_bitmap 0"
whole group-same "set_bg 0 block_bitmap $itable"
whole group-free "set_bg 0 free_blocks_count 65535; set_bg 0 free_inodes_count 65535"
# Most are refused, and those by both: see alike().
ok "some of those can be mounted: $mounted times of $((2 * images))" test "$mounted" -ge 12
done_testing
