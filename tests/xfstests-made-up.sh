#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# By hand, EXT4DIO_KERNELS=7.2 tests/xfstests-made-up.sh: scripts/xfstests, of a made-up
# xfstests: what differs between ext4 and ext4dio is told, tests that wait for udev end, and
# one that hangs is ended and told.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
need_kernels
kernel=${EXT4DIO_KERNELS##* }
kernel=${kernel%%+*}

work=$(mktemp -d "${TMPDIR:-/var/tmp}/ext4dio-xfstests.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{ltp,tests/generic}
printf '#!/bin/sh\n' > "$work/ltp/fsstress"

# The part of check that tests/guest/xfstests.sh knows: how it starts a test, how it ends.
cat > "$work/check" << 'END'
#!/bin/bash
ran=() failed=()
for name; do
	echo -n "$name "
	ran+=("$name")
	if setsid -w bash "./tests/$name" > /tmp/test.out 2>&1; then
		echo "passed"
	else
		failed+=("$name")
		echo "failed: $(xargs < /tmp/test.out)"
		mkdir -p "$RESULT_BASE/generic"
		cp /tmp/test.out "$RESULT_BASE/$name.out.bad"
	fi
done
echo "Ran: ${ran[*]}"
[ ${#failed[@]} -eq 0 ] || echo "Failures: ${failed[*]}"
END
# test NUMBER <<< SCRIPT
test_script() {
	cat > "$work/tests/generic/$1"
}
test_script 001 << 'END'
mount -t ext4 "$TEST_DEV" "$TEST_DIR" && umount "$TEST_DIR"
END
# As xfstests does after each dmsetup.
test_script 002 << 'END'
set -e
dmsetup create made-up --table "0 $(blockdev --getsz "$SCRATCH_DEV") linear $SCRATCH_DEV 0"
udevadm wait /dev/mapper/made-up
test -b /dev/mapper/made-up
dmsetup remove made-up
udevadm wait --removed /dev/mapper/made-up
END
# Hangs; tidies up when it is told to end.
test_script 003 << 'END'
trap 'umount "$SCRATCH_MNT"; exit 1' TERM
mkfs.ext4 -qF "$SCRATCH_DEV" && mount -t ext4 "$SCRATCH_DEV" "$SCRATCH_MNT"
sleep 100000
END
# The same, in the kernel, where no signal comes; the device must go on.
test_script 004 << 'END'
trap 'dmsetup remove --retry made-up; exit 1' TERM
dmsetup create made-up --table "0 $(blockdev --getsz "$SCRATCH_DEV") linear $SCRATCH_DEV 0"
dmsetup suspend made-up
dd if=/dev/zero of=/dev/mapper/made-up oflag=direct bs=4k count=1
sleep 100000
END
test_script 005 << 'END'
test ! -e /dev/mapper/made-up && ! mountpoint -q "$SCRATCH_MNT"
END
# Differs, and hangs with one of them only.
test_script 006 << 'END'
mount -t ext4 "$TEST_DEV" "$TEST_DIR"
grep -q " $TEST_DIR ext4 " /proc/mounts
status=$?
umount "$TEST_DIR"
exit $status
END
test_script 007 << 'END'
mount -t ext4 "$TEST_DEV" "$TEST_DIR"
grep -q " $TEST_DIR ext4 " /proc/mounts || sleep 100000
umount "$TEST_DIR"
END
chmod +x "$work/check" "$work/ltp/fsstress"

# run_xfstests NUMBER...: in the variables output and status.
run_xfstests() {
	status=0
	output=$(TEST_LIMIT=15 HOURS=1 scripts/xfstests "$work" "$kernel" -- \
		"${@/#/generic/}" 2>&1) || status=$?
	diag "$output"
}
# told DESC LINE: that is a line of the output.
told() {
	ok "$1" grep -qxF "$2" <<< "$output"
}

run_xfstests 001 002 003 004 005 006 007
is "a difference fails it" "$status" 1
told "it is named" "new failures: generic/006 generic/007"
told "a test that hangs is ended and told, on ext4" "hung on ext4: generic/003 generic/004"
told "and on ext4dio" "hung on ext4dio: generic/003 generic/004 generic/007"
ok "the others pass, what waits for udev and what comes after a test that hung" \
	grep -qE "^passed +5 +3$" <<< "$output"
ok "what hung is in the table" grep -qE "^hung +2 +3$" <<< "$output"
ok "where they hung is kept" test -s "build/xfstests/$kernel/ext4/generic-004.hung"
run_xfstests 001 002 003
is "what is the same with both is no failure" "$status" 0
told "but told" "hung on ext4dio: generic/003"
refuses "a limit that is no number" "expected a number of seconds" \
	env TEST_LIMIT=soon scripts/xfstests "$work" "$kernel"
done_testing
