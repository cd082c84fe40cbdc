# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Test Anything Protocol for the shell scripts here: on the host, in a build root
# and in a guest.  Source it, call ok and its kin, end with done_testing.
#
# A test that could not fail has failed: one without a command, with a regular expression that is
# broken or matches anything, with an argument too few, a CMD of "fails" that cannot be run.

tap_count=0
tap_failed=0

# diag TEXT...: a comment in the TAP stream.
diag() {
	sed 's/^/# /' <<< "$*"
}

# pass DESC / not_ok DESC [WHY...]: a result that was found some other way.
pass() {
	[ $# -eq 1 ] || misused "${1:-pass}" "pass takes a description and no more" || return 0
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}
not_ok() {
	tap_count=$((tap_count + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - ${1:-a test without a name}"
	[ $# -le 1 ] || diag "${@:2}"
}

# misused DESC WHY: a test that is wrong itself.
misused() {
	not_ok "$1" "the test is wrong: $2"
	return 1
}

# tells REGEX: is it one that not everything matches?
tells() {
	local status=0
	grep -Eq -- "$1" <<< "" 2> /dev/null || status=$?
	[ "$status" -eq 1 ]
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
	local desc=${1:-ok} output status
	[ $# -ge 2 ] || misused "$desc" "there is no command" || return 0
	shift
	try "$@"
	if [ "$status" -eq 0 ]; then
		pass "$desc"
	else
		not_ok "$desc" "failed: $*"$'\n'"$output"
	fi
}

# unrun STATUS: is that of a command that cannot be run or was killed, and so has refused nothing?
unrun() {
	[ "$1" -eq 126 ] || [ "$1" -eq 127 ] || { [ "$1" -gt 128 ] && [ "$1" -le 192 ]; }
}

# fails DESC CMD...: CMD runs and does not succeed.
fails() {
	local desc=${1:-fails} output status
	[ $# -ge 2 ] || misused "$desc" "there is no command" || return 0
	shift
	try "$@"
	if [ "$status" -eq 0 ]; then
		not_ok "$desc" "succeeded: $*"$'\n'"$output"
	elif unrun "$status"; then
		not_ok "$desc" "could not be run, or was killed: $*"$'\n'"$output"
	else
		pass "$desc"
	fi
}

# refuses DESC REGEX CMD...: CMD fails and says something that matches REGEX.
refuses() {
	local desc=${1:-refuses} regex=${2:-} output status
	[ $# -ge 3 ] || misused "$desc" "there is no command" || return 0
	tells "$regex" || misused "$desc" "broken, or matches anything: '$regex'" || return 0
	shift 2
	try "$@"
	if [ "$status" -eq 0 ]; then
		not_ok "$desc" "succeeded: $*"$'\n'"$output"
	elif unrun "$status"; then
		not_ok "$desc" "could not be run, or was killed: $*"$'\n'"$output"
	elif ! grep -Eq -- "$regex" <<< "$output"; then
		not_ok "$desc" "failed, but did not say: $regex"$'\n'"$output"
	else
		pass "$desc"
	fi
}

# says DESC REGEX CMD...: CMD succeeds and says something that matches REGEX.
says() {
	local desc=${1:-says} regex=${2:-} output status
	[ $# -ge 3 ] || misused "$desc" "there is no command" || return 0
	tells "$regex" || misused "$desc" "broken, or matches anything: '$regex'" || return 0
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
	[ $# -eq 3 ] || misused "${1:-is}" "it compares $(($# - 1)) strings" || return 0
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		not_ok "$1" "$(diff -U0 --label want --label got <(echo "$3") <(echo "$2") |
			head -20)"
	fi
}

# gives DESC WANT CMD...: CMD succeeds, and says WANT and nothing else.  (Where "is" is asked
# about "$(CMD)", a CMD that fails has said "".)
gives() {
	local desc=$1 want=$2 output status
	shift 2
	try "$@"
	if [ "$status" -ne 0 ]; then
		not_ok "$desc" "failed, with status $status: $*"$'\n'"$output"
	else
		is "$desc" "$output" "$want"
	fi
}

# todo DESC WHY [MORE...]: something that is not so, but is no failure of ours.
todo() {
	tap_count=$((tap_count + 1))
	echo "not ok $tap_count - $1 # TODO $2"
	shift 2
	[ $# -eq 0 ] || diag "$@"
}

# skip DESC WHY: a test that cannot run here, and why.
skip() {
	[ -n "${2:-}" ] || misused "${1:-skip}" "skipped for no reason" || return 0
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# relay PREFIX CMD...: pass on the TAP of CMD, renumbered, each test named PREFIX:...;
# a CMD that fails without a failed test, or closes without its plan, is one more
# failed test, with the end of its stderr; so is one that has no test.
relay() {
	local prefix=${1:-relay} line plan="" seen=0 failed=$tap_failed status=0 dir child tee why
	[ $# -ge 2 ] || misused "$prefix" "there is no command" || return 0
	shift
	dir=$(mktemp -d)
	mkfifo "$dir/out" "$dir/err"
	tee "$dir/why" < "$dir/err" >&2 &
	tee=$!
	"$@" > "$dir/out" 2> "$dir/err" &
	child=$!
	while IFS= read -r line; do
		if [[ $line =~ ^ok\ [0-9]+\ -\ (.*)$ ]]; then
			pass "$prefix: ${BASH_REMATCH[1]}"
			seen=$((seen + 1))
		elif [[ $line =~ ^not\ ok\ [0-9]+\ -\ (.*)\ #\ TODO\ (.*)$ ]]; then
			todo "$prefix: ${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
			seen=$((seen + 1))
		elif [[ $line =~ ^not\ ok\ [0-9]+\ -\ (.*)$ ]]; then
			not_ok "$prefix: ${BASH_REMATCH[1]}"
			seen=$((seen + 1))
		elif [[ $line =~ ^1\.\.([0-9]+)$ ]]; then
			plan+=${BASH_REMATCH[1]}
		else
			diag "$line"
		fi
	done < "$dir/out"
	wait "$child" || status=$?
	wait "$tee" || true
	why=$'\n'$(tail -n 20 "$dir/why")
	rm -r "$dir"
	if [ "$plan" != "$seen" ] || [ "$seen" -eq 0 ]; then
		not_ok "$prefix: runs to its end" "ended after $seen tests: $*$why"
	elif [ "$status" -ne 0 ] && [ "$tap_failed" -eq "$failed" ]; then
		not_ok "$prefix: ends well" "exit status $status: $*$why"
	fi
}

# guest KERNEL "SCRIPT [ARGUMENT...]" [OPTIONS]: on the host, the tests of tests/guest/SCRIPT.sh in
# a guest that has two empty disks; if tests/check was asked for some tests only, those.
guest() {
	local kernel=$1 script only=" ${EXT4DIO_ONLY:-} "
	read -ra script <<< "$2"
	shift 2
	if [[ $only = *[![:space:]]* && $only != *" ${script[0]} "* &&
		$only != *" $(basename "$0" .t) "* ]]; then
		return
	fi
	relay "$kernel ${script[0]}" tests/lab/lab run "$kernel" --timeout 600 \
		--disk disk=512M --disk other=512M "$@" \
		"tests/guest/${script[0]}.sh" "${script[@]:1}"
}

# need_kernels: on the host, ends a script that has no kernels to test.
need_kernels() {
	if [[ ${EXT4DIO_KERNELS:-} != *[![:space:]]* ]]; then
		not_ok "there are kernels to test" \
			"EXT4DIO_KERNELS names none: try EXT4DIO_KERNELS=7.2, or make check"
		done_testing
		exit 1
	fi
}

# in_full KERNEL: on the host, shall all be tested with it, also what hardly depends on the kernel?
# With all but those that tests/check --default spares that.
in_full() {
	[[ " ${EXT4DIO_SPARED:-} " != *" $1 "* ]]
}

# done_testing: print the plan; the status says whether all passed, and there was one.
done_testing() {
	[ "$tap_count" -gt 0 ] || misused "there are tests" "there are none" || true
	echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ]
}
