# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For the commands that a person types: sourced first, it prints the comment at their head if
# --help is asked for.

usage_of=$(realpath "$0")

# usage: that comment.
usage() {
	sed -n '4,/^[^#]/s/^# \{0,1\}//p' "$usage_of"
}

# misused [TEXT...]: ends with status 2 and, if there is no more to say, the comment.
misused() {
	if [ $# -gt 0 ]; then
		echo "$(basename "$usage_of"): $*; see $usage_of --help" >&2
	else
		usage >&2
	fi
	exit 2
}

case ${1:-} in
--help | -h)
	usage
	exit
	;;
esac
