#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# xfstests on the disk "xfstests", with ext4 and with ext4dio, on disks "test" and "scratch";
# one table of what differs.
#
# xfstests asks for the type of file system in many places and knows no ext4dio.  So it is
# told ext4 all along, and mount, findmnt, df and dmesg of a folder in front of PATH translate.
#
# usage: xfstests.sh MKFS-OPTIONS MOUNT-OPTIONS ARGUMENTS-OF-CHECK...
set -euo pipefail
mkfs_options=$1 mount_options=$2
shift 2

tree=/mnt/xfstests
mkdir -p $tree /mnt/results /mnt/test /mnt/scratch
mount /dev/lab/xfstests $tree
mkfs.ext4 -qF /dev/lab/results
mount /dev/lab/results /mnt/results

# Users that some tests become.
for user in fsgqa 123456-fsgqa fsgqa2; do
	useradd -M "$user" --badname 2> /dev/null || useradd -M "$user" --badnames || true
done

libraries=$(find $tree/ltp $tree/src -type f -perm -100 -exec ldd {} + 2> /dev/null |
	grep 'not found' | sort -u || true)
if [ -n "$libraries" ]; then
	echo "this xfstests was built on another release than this guest's:"
	echo "$libraries"
	exit 2
fi

# ------------------------------------------------------------------- what translates

shims=/run/shims
mkdir $shims
cat > $shims/mount << 'END'
#!/bin/bash
# A mount of ext4 is one of ext4dio, also where blkid has to find that it is ext4.
args=() next='' typed='' other='' source='' last=''
# Options that do not mount a file system.
options() {
	case ,$1, in
	*,remount,* | *,bind,* | *,rbind,* | *,move,*) other=1 ;;
	esac
}
for arg; do
	case $next$arg in
	type:ext4 | -text4 | --types=ext4) arg=${arg}dio typed=1 ;;
	type:* | -t?* | --types=*) typed=1 ;;
	options:*) options "$arg" ;;
	-o?*) options "${arg#-o}" ;;
	--options=*) options "${arg#*=}" ;;
	LABEL=* | UUID=*) source=$next$arg ;;
	-t | --types) args+=("$arg") next=type: && continue ;;
	-o | --options) args+=("$arg") next=options: && continue ;;
	-L | --label) args+=("$arg") next=LABEL= && continue ;;
	-U | --uuid) args+=("$arg") next=UUID= && continue ;;
	--bind | --rbind | --move | --make-* | -B | -R | -M | -a) other=1 ;;
	-*) ;;
	*) source=${source:-$arg} last=$arg ;;
	esac
	args+=("$arg") next=''
done
if [ -z "$typed$other" ] && source=$(findfs "$source" 2> /dev/null || echo "$source") &&
	[ "$(blkid -p -s TYPE -o value "$source" 2> /dev/null)" = ext4 ]; then
	args=(-t ext4dio "${args[@]}")
fi
/usr/bin/mount "${args[@]}" > >(sed 's/ext4dio/ext4/g') 2> >(sed 's/ext4dio/ext4/g' >&2)
status=$?
wait
if [ $status -eq 0 ] && [ -z "$other" ] && [ -n "$last" ] &&
	[ "$(/usr/bin/findmnt -fno FSTYPE -d backward -M "$last" 2> /dev/null)" = ext4 ]; then
	echo "mount $*" >> /run/stayed-ext4
fi
exit $status
END
cat > $shims/findmnt << 'END'
#!/bin/bash
set -o pipefail
args=()
for arg; do
	[ "$arg" != ext4 ] || arg=ext4dio
	args+=("$arg")
done
/usr/bin/findmnt "${args[@]}" | sed -E 's/\bext4dio\b/ext4/g'
END
cat > $shims/df << 'END'
#!/bin/bash
set -o pipefail
/usr/bin/df "$@" | sed -E 's/\bext4dio( |$)/ext4   \1/'
END
cat > $shims/dmesg << 'END'
#!/bin/bash
set -o pipefail
/usr/bin/dmesg "$@" | sed 's/EXT4DIO-fs/EXT4-fs/g'
END
chmod +x $shims/*

# ------------------------------------------------------------------------------ runs

export TEST_DIR=/mnt/test SCRATCH_MNT=/mnt/scratch
TEST_DEV=$(realpath /dev/lab/test)
SCRATCH_DEV=$(realpath /dev/lab/scratch)
export TEST_DEV SCRATCH_DEV FSTYP=ext4 MKFS_OPTIONS=$mkfs_options MOUNT_OPTIONS=$mount_options
export TEST_FS_MOUNT_OPTS=$mount_options
[ -n "$MKFS_OPTIONS" ] || unset MKFS_OPTIONS
[ -n "$MOUNT_OPTIONS" ] || unset MOUNT_OPTIONS TEST_FS_MOUNT_OPTS

# run TYPE CHECK-ARGUMENTS...: what each test came to goes to /tmp/TYPE, "name result".
run() {
	local type=$1 path=$PATH
	shift
	echo "== $type"
	# shellcheck disable=SC2086 # a list
	mkfs.ext4 -qF ${MKFS_OPTIONS:-} "$TEST_DEV"
	if [ "$type" = ext4dio ]; then
		modprobe ext4dio
		path=$shims:$path
		mount --bind /sys/fs/ext4dio /sys/fs/ext4
		[ ! -d /proc/fs/ext4dio ] || mount --bind /proc/fs/ext4dio /proc/fs/ext4
	fi
	(cd $tree && PATH=$path RESULT_BASE=/mnt/results/$type HOST_OPTIONS=/none \
		./check "$@") 2>&1 | tee "$OUT/check-$type" || true
	umount /mnt/scratch /mnt/test 2> /dev/null || true
	mkdir -p "$OUT/$type"
	find "/mnt/results/$type" -name '*.out.bad' | while IFS= read -r file; do
		for file in "$file" "${file%.out.bad}".{full,dmesg}; do
			[ ! -e "$file" ] || cp "$file" "$OUT/$type"
		done
	done
	awk '
		/^Ran: / { for (i = 2; i <= NF; i++) result[$i] = "passed" }
		/^Not run: / { for (i = 3; i <= NF; i++) result[$i] = "not-run" }
		/^Failures: / { for (i = 2; i <= NF; i++) result[$i] = "failed" }
		END { for (name in result) print name, result[name] }' "$OUT/check-$type" |
		sort > "/tmp/$type"
	if [ ! -s "/tmp/$type" ]; then
		echo "check ran nothing on $type; see check-$type"
		exit 2
	fi
}
for type in ext4 ext4dio; do
	run $type "$@"
done

# count TYPE RESULT
count() {
	grep -c " $2\$" "/tmp/$1" || true
}
# differ RESULT RESULT: tests with the first on ext4 and the second on ext4dio.
differ() {
	join /tmp/ext4 /tmp/ext4dio | awk -v a="$1" -v b="$2" '$2 == a && $3 == b { print $1 }'
}
printf '\n%-10s%10s%10s\n' "" ext4 ext4dio
for result in passed failed not-run; do
	printf '%-10s%10s%10s\n' $result "$(count ext4 $result)" "$(count ext4dio $result)"
done
new=$(differ passed failed)
echo "new failures: $(xargs <<< "${new:-none}")"
passes=$(differ failed passed)
echo "new passes: $(xargs <<< "${passes:-none}")"
odd=$(join -a1 -a2 -o 0,1.2,2.2 -e missing /tmp/ext4 /tmp/ext4dio |
	awk '$2 != $3 && ($2 != "passed" && $2 != "failed" || $3 != "passed" && $3 != "failed")')
[ -z "$odd" ] ||
	echo "run by one of them only: $(awk '{ print $1 " (" $2 ", " $3 ")" }' <<< "$odd" | xargs)"
[ ! -e /run/stayed-ext4 ] || sort -u /run/stayed-ext4 | sed 's/^/not on ext4dio: /'
[ -z "$new$odd" ]
