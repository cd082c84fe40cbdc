#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# tests/tap.sh and tests/check: what tests nothing, or tells nothing, fails.  All other tests rest
# on them, so this one uses neither.
set -u
cd "$(dirname "$0")/.." || exit
top=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
bad=0

# result DESC WHETHER [OUTPUT]
result() {
	number=$((number + 1))
	if [ "$2" = yes ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		echo "${3:-}" | sed 's/^/# /'
		bad=$((bad + 1))
	fi
}

# tap DESC WANT REGEX <<< SCRIPT: a script of tests ends with WANT and says REGEX.
tap() {
	local output status=0 yes=no
	output=$(bash -c ". '$top/tests/tap.sh'"$'\n'"$(cat)"$'\n'done_testing 2>&1) || status=$?
	if [ "$status" -eq "$2" ] && grep -qE "$3" <<< "$output"; then
		yes=yes
	fi
	result "$1" $yes "status $status"$'\n'"$output"
}

# What passes.
tap "ok" 0 '^ok 1 - x$' <<< 'ok x true'
tap "fails" 0 '^ok 1 - x$' <<< 'fails x false'
tap "refuses" 0 '^ok 1 - x$' <<< 'refuses x "no.$" eval "echo no.; false"'
tap "says" 0 '^ok 1 - x$' <<< 'says x "^y" echo yes'
tap "is" 0 '^ok 1 - x$' <<< 'is x "" ""'
tap "skip" 0 '^ok 1 - x # SKIP why$' <<< 'skip x why'
tap "relay" 0 '^ok 2 - y: x$' <<< 'pass a; relay y printf "ok 1 - x\n1..1\n"'

tap "relay of one that ends badly tells why" 1 '^# because$' \
	<<< 'relay y eval "printf \"ok 1 - x\n1..1\n\"; echo because >&2; exit 3"'
tap "relay of one that does not end tells why" 1 '^# because$' \
	<<< 'relay y eval "echo ok 1 - x; echo because >&2"'

# What fails.
while read -r call; do
	tap "fails: $call" 1 '^not ok [12] - ' <<< "$call"
done << 'END'
ok x false
ok x
ok
pass x true
pass
fails x true
fails x
fails x no-such-command
fails x /etc
fails x sh -c 'kill -9 $$'
refuses x no true
refuses x no false
refuses x '' eval 'echo no; false'
refuses x '(' eval 'echo no; false'
refuses x 'no|' eval 'echo no; false'
refuses x 'found' no-such-command
refuses x no
refuses x
says x yes false
says x yes echo no
says x '' echo yes
says x 'z*' echo yes
says x '(yes' echo yes
says x yes
is x a b
is x a
is x
skip x
skip x ''
skip
relay y
relay
relay y true
relay y echo 1..0
relay y printf 'ok 1 - x\n'
relay y printf 'ok 1 - x\n1..2\n'
relay y printf 'not ok 1 - x\n1..1\n'
relay y printf 'ok 1 - x\nBail out!\n'
relay y no-such-command
relay y eval 'printf "ok 1 - x\n1..1\n"; exit 3'
END
tap "a script without a test fails" 1 '^not ok 1 - there are tests$' <<< 'true'
for kernels in "" " "; do
	tap "a script for kernels fails without one, and says so" 1 \
		'EXT4DIO_KERNELS names none' <<< "EXT4DIO_KERNELS='$kernels'; need_kernels; pass x"
done
tap "and goes on with one" 0 '^ok 1 - x$' <<< "EXT4DIO_KERNELS=7.2; need_kernels; pass x"

# A file for kernels that does not ask for them would pass without.
for file in $(grep -l EXT4DIO_KERNELS tests/*.t | grep -vF "$0"); do
	output=$(env -u EXT4DIO_KERNELS "$file" 2>&1)
	status=$?
	yes=no
	if [ "$status" -eq 1 ] && grep -q '^# EXT4DIO_KERNELS names none' <<< "$output"; then
		yes=yes
	fi
	result "$file does nothing without kernels" $yes "status $status"$'\n'"$output"
done

# --- tests/check --------------------------------------------------------------------------

mkdir -p "$work/tests/lab"
mkdir "$work/scripts"
cp scripts/usage.sh "$work/scripts/"
cp tests/check "$work/tests/"
touch "$work/tests/tags"
unset TESTS TAGS EXT4DIO_ONLY
cat > "$work/tests/lab/lab" << 'END'
#!/bin/sh
case "$*" in
*--all*--missing) echo 5.9; echo 5.10 ;;
*--missing) echo 5.10 ;;
*) echo 6.0; echo 6.3 ;;
esac
END
chmod +x "$work/tests/lab/lab"

# checks DESC WANT REGEX ARGUMENTS... : tests/check, of the files that are in $work/tests, ends with
# WANT and says REGEX.
checks() {
	local desc=$1 want=$2 regex=$3 output status=0 yes=no
	shift 3
	output=$(TESTS="${TESTS:-}" TAGS="${TAGS:-}" timeout 60 "$work/tests/check" "$@" 2>&1) ||
		status=$?
	if [ "$status" -eq "$want" ] && grep -qE -- "$regex" <<< "$output"; then
		yes=yes
	fi
	result "check: $desc" $yes "status $status"$'\n'"$output"
}
# file NAME <<< SHELL: a test file.
file() {
	{ printf '%s\n' '#!/bin/sh' && cat; } > "$work/tests/$1.t"
	chmod +x "$work/tests/$1.t"
}

if [ "$(id -u)" -ne 0 ]; then
	result "check: says that it needs root" \
		"$("$work/tests/check" 6.0 2>&1 | grep -q 'needs root' && echo yes)"
	echo "1..$number"
	exit $((bad > 0))
fi
checks "no argument is wrong usage" 2 '^usage:'
checks "so is an unknown option" 2 '^usage:' --bogus
checks "no file of tests" 1 '^check: 0 passed, 1 failed' 6.0
file good <<< 'printf "ok 1 - x\nok 2 - y # SKIP no\n1..2\n"'
checks "counts what passed" 0 '^check: 1 passed, 0 failed, 1 skipped$' 6.0
file kernels <<< 'echo "ok 1 - on $EXT4DIO_KERNELS"; echo 1..1'
checks "gives the files the kernels by name" 0 '^ok 1 - on 6.0 6.1$' 6.0 6.1
checks "those that are there by default" 0 '^ok 1 - on 6.0 6.3$' --default
file kernels <<< '. tests/tap.sh; in_full 6.0 && not_ok 6.0; in_full 6.3 && pass 6.3; echo 1..1'
cp tests/tap.sh "$work/tests/"
sed -i 's,^#!/bin/sh,#!/bin/bash,' "$work/tests/kernels.t"
checks "of those all but the last are spared something, and the last line says so" 0 \
	'^check: 2 passed, 0 failed, 1 skipped; not all of 6.0, see make check-all' --default
file kernels <<< '. tests/tap.sh; in_full 6.0 && pass 6.0; in_full 6.3 && pass 6.3; echo 1..2'
sed -i 's,^#!/bin/sh,#!/bin/bash,' "$work/tests/kernels.t"
checks "those that are named are not" 0 '^check: 3 passed, 0 failed, 1 skipped$' 6.0 6.3
checks "nor are those of all" 0 '^check: 3 passed, 0 failed, 1 skipped; not tested' --all
file kernels <<< 'echo "ok 1 - on $EXT4DIO_KERNELS"; echo 1..1'
checks "the last line names one that no suite has" 0 \
	'^check: 2 passed, .*; not tested, as no suite has them any more: 5.10$' --default
checks "and others of all" 0 'any more: 5.9 5.10$' --all
cat > "$work/tests/tags" << 'END'
# A remark.
fast	good kernels
one	zeroing
extend	zeroing extend
END
file guests << 'END'
. tests/tap.sh
relay() { pass "$1"; }
for kernel in $EXT4DIO_KERNELS; do
	guest "$kernel" "extend 1" --with options
	guest "$kernel" zeroing
done
done_testing
END
sed -i 's,^#!/bin/sh,#!/bin/bash,' "$work/tests/guests.t"
TESTS="kernels tests/guests.t" checks "files that are named are those that run" 0 \
	'^check: 3 passed, 0 failed, 0 skipped; only kernels tests/guests.t$' 6.0
TESTS=zeroing checks "so are a guest's scripts" 0 \
	'^check: 1 passed, 0 failed, 0 skipped; only zeroing$' 6.0
TAGS=extend checks "a tag may have the name of one of its scripts" 0 \
	'^check: 2 passed, 0 failed, 0 skipped; only extend$' 6.0
TAGS="fast one" checks "and tags" 0 '^check: 3 passed, 0 failed, 1 skipped; only fast one$' 6.0
TESTS=extent checks "a name that nothing has is wrong usage" 2 "no test 'extent'" 6.0
TESTS=exten checks "so is a part of one" 2 "no test 'exten'" 6.0
TESTS='.*' checks "so is a pattern" 2 "no test '\.\*'" 6.0
rm "$work/tests/guests.t"
file todo <<< 'printf "not ok 1 - x # TODO theirs\n1..1\n"'
checks "counts what is to do apart" 0 '^check: 2 passed, 0 failed, 1 skipped, 1 to do$' 6.0
rm "$work"/tests/{todo,kernels}.t

while IFS='|' read -r desc script; do
	file bad <<< "$script"
	checks "$desc fails" 1 '^check: .* [1-9][0-9]* failed' 6.0
done << 'END'
a failed test|printf 'not ok 1 - x\n1..1\n'; exit 1
a failed test with exit status 0|printf 'not ok 1 - x\n1..1\n'
a bail out|echo 'ok 1 - x'; echo 'Bail out!'
a file that skips itself|echo '1..0 # SKIP why'
a plan of nothing|echo 1..0
a file that says nothing|true
a file without a plan|echo 'ok 1 - x'
a file that ends too early|printf 'ok 1 - x\n1..2\n'
a file that fails after its tests|printf 'ok 1 - x\n1..1\n'; exit 3
a test out of sequence|printf 'ok 1 - x\nok 1 - y\n1..2\n'
a test without a name|printf 'ok 1\n1..1\n'
END
# Once more at the end, with its reason, and not with what belongs to others.
file bad <<< 'printf "not ok 1 - x\n# why\nok 2 - y\n# not this\nnot ok 3 - z # TODO\n1..3\n"'
result "check: a failed test is said once more, right before the last line" "$(
	TESTS='' "$work/tests/check" 6.0 2>&1 | tail -4 | head -3 | xargs | grep -qx \
		'not ok 1 - x # why see build/logs/check.tap and the log that .*' && echo yes)"
rm "$work/tests/bad.t"
file good <<< 'printf "ok 1 - y # SKIP no\n1..1\n"'
checks "nothing but skipped tests fails" 1 'no test has passed' 6.0

echo "1..$number"
exit $((bad > 0))
