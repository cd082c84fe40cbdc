#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# title: raw sparse disk image behind a loop device with direct I/O: random 4 KiB, libaio
# unit: writes
# room: 300
# needs: losetup mount
#
# usage: image.app FOLDER JOBS SECONDS SEED CACHE
#
# The loop driver hands each write to the image's file system asynchronously.  It ends
# with fio's verification of every block; SECONDS stand for 8 MiB each.
set -euo pipefail
# shellcheck source=tools/ab/app.sh
. "$(dirname "$0")/app.sh"

truncate -s $((8 * seconds))M "$folder/image.raw"
modprobe -q loop || true
device=$(losetup --show --find --direct-io=on "$folder/image.raw") ||
	die "no loop device with direct I/O; it needs root and the loop module"
trap 'losetup -d "$device"' EXIT
[ "$(losetup -nO DIO "$device" | tr -d ' ')" = 1 ] || die "$device does not do direct I/O"
share=$((8 * seconds * 1024 / jobs / 4 * 4))k
fio --name=image --filename="$device" --direct=1 --ioengine=libaio --iodepth=8 --thread \
	--rw=randwrite --bs=4k --numjobs="$jobs" --size="$share" --offset_increment="$share" \
	--randseed="$seed" --verify=crc32c --verify_fatal=1 --group_reporting \
	--output-format=json --output="$cache/run.json" ||
	die "fio: $(grep -m 1 -i verify "$cache/run.json")"
# (fio puts its notes before its JSON.)
sed -n '/^{/,$p' "$cache/run.json" | python3 -c '
import json, sys
write = json.load(sys.stdin)["jobs"][0]["write"]
share = write["clat_ns"]["percentile"]
print("operations", write["total_ios"])
print("seconds", write["runtime"] / 1000)
print("p50_us", share["50.000000"] / 1000)
print("p99_us", share["99.000000"] / 1000)
print("p999_us", share["99.900000"] / 1000)'
