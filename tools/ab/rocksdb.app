#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# title: RocksDB: db_bench fillrandom, direct flush and compaction
# unit: operations
# room: 300
# needs: db_bench rocksdb-tools
#
# usage: rocksdb.app FOLDER JOBS SECONDS SEED CACHE
#
# Small write buffers, so that memory tables are flushed and compacted all the time.
# It ends with RocksDB's own check of its files and of every block's checksum.
set -euo pipefail
# shellcheck source=tools/ab/app.sh
. "$(dirname "$0")/app.sh"

db_bench --db="$folder" --benchmarks=fillrandom --threads="$jobs" --duration="$seconds" \
	--seed="$seed" --num=200000 --value_size=400 --compression_type=none --histogram=1 \
	--write_buffer_size=1048576 --target_file_size_base=1048576 --disable_wal=0 \
	--max_bytes_for_level_base=4194304 --max_background_jobs=4 --use_direct_reads=1 \
	--use_direct_io_for_flush_and_compaction=1 > "$cache/run.txt" 2>&1 ||
	die "db_bench: $(tail -n 1 "$cache/run.txt")"
tr '\r' '\n' < "$cache/run.txt" | awk '
	$1 == "fillrandom" {
		for (i = 2; i <= NF; i++) {
			if ($i == "seconds") print "seconds", $(i - 1)
			if ($i ~ /^operations/) print "operations", $(i - 1)
		}
	}
	$1 == "Percentiles:" { print "p50_us", $3; print "p99_us", $7; print "p999_us", $9 }'

ldb --db="$folder" checkconsistency > "$cache/check.txt" 2>&1 ||
	die "ldb checkconsistency: $(tail -n 1 "$cache/check.txt")"
for file in "$folder"/*.sst; do
	sst_dump --file="$file" --command=verify --verify_checksum > "$cache/check.txt" 2>&1 ||
		die "sst_dump: $file: $(tail -n 1 "$cache/check.txt")"
	! grep -qi corruption "$cache/check.txt" ||
		die "sst_dump: $file: $(grep -im 1 corruption "$cache/check.txt")"
done
