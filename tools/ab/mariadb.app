#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# title: MariaDB: InnoDB with O_DIRECT, sysbench oltp_write_only
# unit: transactions
# room: 300
# needs: mariadbd mariadb-server
# needs: sysbench sysbench
#
# usage: mariadb.app FOLDER JOBS SECONDS SEED CACHE
#
# The buffer pool is smaller than the tables, so that the run writes pages.  It ends
# with the server's own check of every table and of every page's checksum.
set -euo pipefail
# shellcheck source=tools/ab/app.sh
. "$(dirname "$0")/app.sh"

db=$folder/db
tables=4
rows=20000
connect=(--db-driver=mysql --mysql-socket="$cache/socket" --mysql-user=root --mysql-db=sbtest
	--tables="$tables" --table-size="$rows" --rand-seed="$seed")

# start DATADIR
start() {
	mariadbd --no-defaults --user="$(id -un)" --datadir="$1" --socket="$cache/socket" \
		--pid-file="$cache/pid" --skip-networking --innodb-flush-method=O_DIRECT \
		--innodb-buffer-pool-size=12M --innodb-log-file-size=16M \
		>> "$cache/mariadb.log" 2>&1 &
	server=$!
	for ((i = 0; i < 600; i++)); do
		! mariadb-admin --no-defaults -S "$cache/socket" -u root ping > /dev/null 2>&1 ||
			return 0
		kill -0 $server 2> /dev/null || break
		sleep 0.2
	done
	tail -n 3 "$cache/mariadb.log" >&2
	die "MariaDB does not start"
}
stop() {
	mariadb-admin --no-defaults -S "$cache/socket" -u root shutdown
	wait $server
}
trap '[ -z "${server:-}" ] || kill -KILL $server 2> /dev/null || true; wait' EXIT

# Making the tables takes longer than the run: once for all runs.
if [ ! -d "$cache/mariadb" ]; then
	mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$cache/new" \
		--auth-root-authentication-method=normal --skip-test-db \
		>> "$cache/mariadb.log" 2>&1 || die "mariadb-install-db failed: $(tail -n 1 \
		"$cache/mariadb.log")"
	start "$cache/new"
	mariadb-admin --no-defaults -S "$cache/socket" -u root create sbtest
	sysbench oltp_write_only "${connect[@]}" prepare > "$cache/prepare.txt" ||
		die "sysbench: $(tail -n 1 "$cache/prepare.txt")"
	stop
	mv "$cache/new" "$cache/mariadb"
fi
cp -a "$cache/mariadb" "$db"
sync -f "$db"

start "$db"
sysbench oltp_write_only "${connect[@]}" --threads="$jobs" --time="$seconds" --histogram=on \
	run > "$cache/run.txt" || die "sysbench: $(grep -m 1 FATAL "$cache/run.txt")"
awk '/transactions:/ { print "operations", $2 }
	/total time:/ { sub("s", "", $3); print "seconds", $3 }
	/^ *[0-9.]+ \|/ { ms[++n] = $1; count[n] = $NF; all += $NF }
	END {
		split("0.5 0.99 0.999", share); split("p50_us p99_us p999_us", name)
		for (i = 1; i <= n; i++) {
			sum += count[i]
			for (j = 1; j <= 3; j++)
				if (!done[j] && sum >= share[j] * all) {
					print name[j], ms[i] * 1000
					done[j] = 1
				}
		}
	}' "$cache/run.txt"

mariadb-check --no-defaults -S "$cache/socket" -u root --extended sbtest \
	> "$cache/check.txt" 2>&1 ||
	die "mariadb-check: $(tail -n 1 "$cache/check.txt")"
bad=$(grep -v ' OK$' "$cache/check.txt" || true)
[ -z "$bad" ] || die "CHECK TABLE: $bad"
stop
# (Not of ibdata1: its doublewrite area holds pages of other files.)
for file in "$db"/sbtest/*.ibd; do
	innochecksum "$file" > "$cache/check.txt" 2>&1 ||
		die "$file is damaged: $(tail -n 1 "$cache/check.txt")"
done
