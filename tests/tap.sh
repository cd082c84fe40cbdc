# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Test Anything Protocol for the shell scripts here: on the host, in a build root
# and in a guest.  Source it, call ok and its kin, end with done_testing.

tap_count=0
tap_failed=0

# diag TEXT...: a comment in the TAP stream.
diag() {
	sed 's/^/# /' <<< "$*"
}

# pass DESC / not_ok DESC [WHY...]: a result that was found some other way.
pass() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}
not_ok() {
	tap_count=$((tap_count + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $1"
	shift
	[ $# -eq 0 ] || diag "$@"
}

# try CMD...: run CMD, a function stopping at its first error; sets the caller's
# output and status.  (As a condition, or left of ||, CMD would run on instead.)
try() {
	local flags=$-
	set +e
	output=$(set -e; "$@" 2>&1)
	status=$?
	[[ $flags != *e* ]] || set -e
}

# ok DESC CMD...: CMD succeeds; what it printed is shown if it does not.
ok() {
	local desc=$1 output status
	shift
	try "$@"
	if [ "$status" -eq 0 ]; then
		pass "$desc"
	else
		not_ok "$desc" "failed: $*"$'\n'"$output"
	fi
}

# fails DESC CMD...: CMD does not succeed.
fails() {
	local desc=$1 output status
	shift
	try "$@"
	if [ "$status" -eq 0 ]; then
		not_ok "$desc" "succeeded: $*"$'\n'"$output"
	else
		pass "$desc"
	fi
}

# refuses DESC REGEX CMD...: CMD fails and says something that matches REGEX.
refuses() {
	local desc=$1 regex=$2 output status
	shift 2
	try "$@"
	if [ "$status" -eq 0 ]; then
		not_ok "$desc" "succeeded: $*"$'\n'"$output"
	elif ! grep -Eq -- "$regex" <<< "$output"; then
		not_ok "$desc" "failed, but did not say: $regex"$'\n'"$output"
	else
		pass "$desc"
	fi
}

# says DESC REGEX CMD...: CMD succeeds and says something that matches REGEX.
says() {
	local desc=$1 regex=$2 output status
	shift 2
	try "$@"
	if [ "$status" -ne 0 ]; then
		not_ok "$desc" "failed: $*"$'\n'"$output"
	elif ! grep -Eq -- "$regex" <<< "$output"; then
		not_ok "$desc" "did not say: $regex"$'\n'"$output"
	else
		pass "$desc"
	fi
}

# is DESC GOT WANT: two strings are the same; if not, the first lines that differ.
is() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		not_ok "$1" "$(diff -U0 --label want --label got <(echo "$3") <(echo "$2") |
			head -20)"
	fi
}

# skip DESC WHY: a test that cannot run here, and why.
skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# relay PREFIX CMD...: pass on the TAP of CMD, renumbered, each test named PREFIX:...;
# a CMD that fails without a failed test, or closes without its plan, is one more
# failed test.
relay() {
	local prefix=$1 line plan="" seen=0 failed=$tap_failed status=0 fifo child
	shift
	fifo=$(mktemp -u)
	mkfifo "$fifo"
	"$@" > "$fifo" &
	child=$!
	while IFS= read -r line; do
		if [[ $line =~ ^ok\ [0-9]+\ -\ (.*)$ ]]; then
			pass "$prefix: ${BASH_REMATCH[1]}"
			seen=$((seen + 1))
		elif [[ $line =~ ^not\ ok\ [0-9]+\ -\ (.*)$ ]]; then
			not_ok "$prefix: ${BASH_REMATCH[1]}"
			seen=$((seen + 1))
		elif [[ $line =~ ^1\.\.([0-9]+)$ ]]; then
			plan=${BASH_REMATCH[1]}
		else
			diag "$line"
		fi
	done < "$fifo"
	rm -f "$fifo"
	wait "$child" || status=$?
	if [ "$plan" != "$seen" ]; then
		not_ok "$prefix: runs to its end" "ended after $seen tests: $*"
	elif [ "$status" -ne 0 ] && [ "$tap_failed" -eq "$failed" ]; then
		not_ok "$prefix: ends well" "exit status $status: $*"
	fi
}

# guest KERNEL SCRIPT [OPTIONS]: on the host, the tests of tests/guest/SCRIPT.sh in a guest that
# has two empty disks.
guest() {
	local kernel=$1 script=$2
	shift 2
	relay "$kernel $script" tests/lab/lab run "$kernel" --timeout 600 \
		--disk disk=512M --disk other=512M "$@" "tests/guest/$script.sh"
}

# done_testing: print the plan; the status says whether all passed.
done_testing() {
	echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ]
}
