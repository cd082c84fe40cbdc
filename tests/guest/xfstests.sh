#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# xfstests on the disk "xfstests", with ext4 and with ext4dio, on disks "test" and "scratch";
# one table of what differs.
#
# xfstests asks for the type of file system in many places and knows no ext4dio.  So it is
# told ext4 all along, and mount, findmnt, df and dmesg of a folder in front of PATH translate.
#
# A test that runs longer than LIMIT seconds hangs: it is ended, and told.
#
# usage: xfstests.sh MKFS-OPTIONS MOUNT-OPTIONS LIMIT ARGUMENTS-OF-CHECK...
set -euo pipefail
mkfs_options=$1 mount_options=$2 limit=$3
shift 3

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

# Where udev is installed xfstests waits for it after each dmsetup.
if ! { /usr/lib/systemd/systemd-udevd --daemon && udevadm trigger --action=add &&
	udevadm settle --timeout=120; }; then
	echo "udev does not run here"
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

# below PID...: the processes that come from these, the first one first, "pid command".  Nothing
# here looks into the memory of others, which may hang as they do.
below() {
	ps -eo pid=,ppid=,comm= --sort=start_time | awk -v from=" $* " '
		{ parent[$1] = $2; command[$1] = $3; order[++n] = $1 }
		END {
			for (i = 1; i <= n; i++) {
				p = parent[order[i]]
				while (p in parent && !index(from, " " p " "))
					p = parent[p]
				if (index(from, " " p " "))
					print order[i], command[order[i]]
			}
		}'
}

# test_shells CHECK: those of the test that it runs, the first one first, "pid name".
test_shells() {
	local pid command args
	below "$1" | while read -r pid command; do
		[[ $command =~ ^(bash|sh|[0-9]+)$ ]] || continue
		args=$(timeout 5 tr '\0' ' ' 2> /dev/null < "/proc/$pid/cmdline") || continue
		if [[ $args =~ (^|[ /])tests/([a-z0-9]+/[0-9]+)( |$) ]]; then
			echo "$pid ${BASH_REMATCH[2]}"
		fi
	done 2> /dev/null
}

# gone SECONDS PID...: have they ended, or do they in that time?
gone() {
	local end=$((SECONDS + $1))
	shift
	while kill -0 "$@" 2> /dev/null; do
		[ $SECONDS -lt $end ] || return 1
		sleep 1
	done
}

# end_test CHECK: ends the test that it runs, so that the test can tidy up, if it still does that.
# Fails if it cannot be ended.
end_test() {
	local shells others target
	mapfile -t shells < <(test_shells "$1" | cut -d' ' -f1)
	[ ${#shells[@]} -gt 0 ] || return 0
	mapfile -t others < <(below "${shells[@]}" | cut -d' ' -f1 |
		grep -vxF "$(printf '%s\n' "${shells[@]}")")
	# Whoever waits for a device or a file system that stands still waits until these go on.
	for target in $(dmsetup ls | awk -F '\t' 'NF > 1 { print $1 }'); do
		dmsetup resume "$target" &
	done
	for target in /mnt/test /mnt/scratch; do
		fsfreeze --unfreeze $target 2> /dev/null &
	done
	kill -TERM "${shells[@]}" "${others[@]}" 2> /dev/null || true
	sleep 5
	kill -KILL "${others[@]}" 2> /dev/null || true
	if ! gone 60 "${shells[@]}"; then
		mapfile -t -O "${#others[@]}" others < <(below "${shells[@]}" | cut -d' ' -f1)
		kill -KILL "${shells[@]}" "${others[@]}" 2> /dev/null || true
	fi
	gone 30 "${shells[@]}" "${others[@]}"
}

# watch TYPE CHECK: ends tests that hang, and CHECK at one that cannot be ended.
watch() {
	local now name last='' since=0
	while sleep 2; do
		now=$(test_shells "$2")
		now=${now%%$'\n'*}
		if [ "$now" != "$last" ]; then
			last=$now since=$SECONDS
		elif [ -n "$now" ] && [ $((SECONDS - since)) -ge "$limit" ]; then
			name=${now#* }
			echo "$name" >> "/tmp/hung-$1"
			echo "($name hangs)"
			ps -eo pid,ppid,stat,wchan:32,comm > "$OUT/$1/${name/\//-}.hung"
			echo w > /proc/sysrq-trigger
			if ! end_test "$2"; then
				echo "$name" > "/tmp/stuck-$1"
				kill -KILL "$2"
				return
			fi
			last=
		fi
	done
}

# run TYPE CHECK-ARGUMENTS...: what each test came to goes to /tmp/TYPE, "name result".
run() {
	local type=$1 path=$PATH check watch
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
	mkdir -p "$OUT/$type"
	: > "/tmp/hung-$type"
	# Not into a pipe, which a process that cannot be ended would keep open.
	(cd $tree && PATH=$path RESULT_BASE=/mnt/results/$type HOST_OPTIONS=/none \
		exec ./check "$@") > "$OUT/check-$type" 2>&1 &
	check=$!
	watch "$type" $check &
	watch=$!
	tail -n +1 -f --pid=$check "$OUT/check-$type"
	wait $check || true
	if [ -e "/tmp/stuck-$type" ]; then
		echo "hung on $type: $(xargs < "/tmp/hung-$type")"
		echo "$(cat "/tmp/stuck-$type") cannot be ended, so this ends here;" \
			"what was run before is in check-$type"
		exit 1
	fi
	kill $watch 2> /dev/null || true
	umount /mnt/scratch /mnt/test 2> /dev/null || true
	find "/mnt/results/$type" -name '*.out.bad' | while IFS= read -r file; do
		for file in "$file" "${file%.out.bad}".{full,dmesg}; do
			[ ! -e "$file" ] || cp "$file" "$OUT/$type"
		done
	done
	awk -v hung="$(xargs < "/tmp/hung-$type")" '
		/^Ran: / { for (i = 2; i <= NF; i++) result[$i] = "passed" }
		/^Not run: / { for (i = 3; i <= NF; i++) result[$i] = "not-run" }
		/^Failures: / { for (i = 2; i <= NF; i++) result[$i] = "failed" }
		END {
			n = split(hung, names, " ")
			for (i = 1; i <= n; i++) result[names[i]] = "hung"
			for (name in result) print name, result[name]
		}' "$OUT/check-$type" |
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
for result in passed failed hung not-run; do
	printf '%-10s%10s%10s\n' $result "$(count ext4 $result)" "$(count ext4dio $result)"
done
new=$(differ passed failed; differ passed hung; differ failed hung)
echo "new failures: $(xargs <<< "${new:-none}")"
passes=$(differ failed passed; differ hung passed)
echo "new passes: $(xargs <<< "${passes:-none}")"
for type in ext4 ext4dio; do
	[ ! -s /tmp/hung-$type ] || echo "hung on $type: $(sort -u /tmp/hung-$type | xargs)"
done
odd=$(join -a1 -a2 -o 0,1.2,2.2 -e missing /tmp/ext4 /tmp/ext4dio |
	awk '$2 != $3 && ($2 $3) ~ /not-run|missing/')
[ -z "$odd" ] ||
	echo "run by one of them only: $(awk '{ print $1 " (" $2 ", " $3 ")" }' <<< "$odd" | xargs)"
[ ! -e /run/stayed-ext4 ] || sort -u /run/stayed-ext4 | sed 's/^/not on ext4dio: /'
[ -z "$new$odd" ]
