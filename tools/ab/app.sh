# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the application workloads (*.app) share.  Each gets
#
#	FOLDER JOBS SECONDS SEED CACHE
#
# FOLDER is new, empty, and on the file system to be measured; CACHE is elsewhere and
# kept from run to run.  It prints "operations N", "seconds S" and, as far as it knows
# them, "p50_us", "p99_us" and "p999_us"; it fails, with one line that says why, also if
# the application's own check finds its data wrong.
#
# In its head: title; unit, what an operation is; room, the MiB that it needs; needs, a
# line for each command, with its Debian package.
folder=$1
jobs=$2
seconds=$3
seed=$4
cache=$5

die() {
	echo "$*" >&2
	exit 1
}
: "$folder $jobs $seconds $seed $cache"
