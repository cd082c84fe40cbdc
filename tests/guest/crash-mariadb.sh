#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: crash-mariadb.sh [CUTS [TRANSACTIONS [SEED]]]
#
# After a power cut MariaDB (InnoDB, O_DIRECT) recovers, its tables are sound, and every
# transaction is there that it had acknowledged as committed.  The server runs on ext4dio
# above dm-log-writes; each client marks in the log what it was told.  As in crash.sh the
# disk is made as it was at CUTS moments, within a flush and right after a mark in turn.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cuts=${1:-2}
transactions=${2:-40}
seed=${3:-$RANDOM}
clients=3
mb=160
mnt=/mnt/db
mkdir -p "$mnt"
modprobe brd rd_nr=4 rd_size=$((512 << 10))
past=/dev/ram0
disk=/dev/ram1
log=/dev/ram2
order=/dev/ram3
live=$(null_blk_new live $mb 500)
diag "seed $seed"
RANDOM=$seed
sql=(mariadb --no-defaults --socket=/tmp/socket --user=root --skip-column-names)

copy() {
	dd if="$1" of="$2" bs=1M count=$mb iflag=direct oflag=direct status=none
}

# The server on $mnt; small, and it writes pages as soon as it can.
start() {
	mariadbd --no-defaults --user=root --datadir="$mnt/db" --socket=/tmp/socket \
		--skip-networking --pid-file=/tmp/pid --innodb-flush-method=O_DIRECT \
		--innodb-buffer-pool-size=8M --innodb-log-file-size=4M \
		--innodb-max-dirty-pages-pct=0 --innodb-max-dirty-pages-pct-lwm=0 \
		>> "$OUT/server.txt" 2>&1 &
	server=$!
	for ((i = 0; i < 600; i++)); do
		! mariadb-admin --no-defaults --socket=/tmp/socket --user=root ping \
			> /dev/null 2>&1 || return 0
		kill -0 $server 2> /dev/null || break
		sleep 0.2
	done
	tail -n 5 "$OUT/server.txt"
	return 1
}
stop() {
	mariadb-admin --no-defaults --socket=/tmp/socket --user=root shutdown
	wait $server
}

# client N: transactions that each add a row and count it, and a mark for each.
client() {
	local i to from answer
	mkfifo "/tmp/to$1" "/tmp/from$1"
	"${sql[@]}" --unbuffered test < "/tmp/to$1" > "/tmp/from$1" &
	exec {to}> "/tmp/to$1" {from}< "/tmp/from$1"
	for ((i = 1; i <= transactions; i++)); do
		echo "begin; insert into line values ($1, $i, repeat(md5($1 * 1000000 + $i), 60));
			update total set added = added + 1 where client = $1; commit;
			select 'done $i';" >&"$to"
		read -r answer <&"$from"
		[ "$answer" = "done $i" ] || return 1
		dmsetup message logged 0 "mark ack-$1-$i"
	done
	exec {to}>&- {from}<&-
	wait
}

load() {
	local pids=() pid n
	for ((n = 1; n <= clients; n++)); do
		client $n &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || return 1
	done
}

# judge ENTRY: what is wrong, where the log was played up to that entry.
judge() {
	start || { echo "does not start"; return 0; }
	mariadb-check --no-defaults --socket=/tmp/socket --user=root --extended test \
		> /tmp/tables || echo "mariadb-check failed"
	grep -v ' OK$' /tmp/tables || true
	local n lines last right total acked
	for ((n = 1; n <= clients; n++)); do
		acked=$(awk -v entry="$1" -v n=$n '$1 < entry && $2 == "mark" &&
			split($7, word, "-") == 3 && word[2] == n { last = word[3] }
			END { print last + 0 }' "$OUT/list")
		read -r lines last right < <("${sql[@]}" test -e "select count(*),
			ifnull(max(n), 0),
			count(if(text = repeat(md5($n * 1000000 + n), 60), 1, null))
			from line where client = $n")
		total=$("${sql[@]}" test -e "select added from total where client = $n")
		echo "client $n: $acked acknowledged, $lines lines, $total counted" >> "$OUT/seen"
		complain "client $n" "$acked" "$lines" "$last" "$right" "$total"
	done
	stop
}

# complain CLIENT ACKED LINES LAST RIGHT TOTAL: if these do not fit.
complain() {
	if [ "$3 $3 $3" != "$4 $5 $6" ] || ! [ "$3" -ge "$2" ]; then
		echo "$1: $2 acknowledged; $3 lines to $4, $5 right, $6 counted"
	fi 2> /dev/null
}
gives "the judge sees a lost line" "a: 3 acknowledged; 2 lines to 2, 2 right, 2 counted" \
	complain a 3 2 2 2 2
gives "and no answer" "a: 0 acknowledged;  lines to ,  right,  counted" complain a 0 "" "" "" ""

mkfs.ext4 -qF -m 0 -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 "$live"
mount -t ext4dio "$live" "$mnt"
mkdir "$mnt/db"
mariadb-install-db --no-defaults --user=root --datadir="$mnt/db" --skip-test-db \
	--auth-root-authentication-method=normal --innodb-log-file-size=4M \
	> "$OUT/install.txt" 2>&1
start
"${sql[@]}" -e "create database test; use test;
	create table line (client int, n int, text text, primary key (client, n), key (text(60)));
	create table total (client int primary key, added int);
	insert into total values (1, 0), (2, 0), (3, 0)"
stop
umount "$mnt"
copy "$live" $past
mount -t ext4dio "$(log_writes_new "$live" $log $order)" "$mnt"
start
ok "the clients run" load
ok "nothing is missing in the logs" log_writes_whole
stop
umount "$mnt"
log_writes_del $log $order > "$OUT/list"

# Moments of the second half of the load.
awk -v n="$cuts" -v seed="$seed" '
	$2 == "mark" && $7 ~ /^ack/ { after[++a] = $1 + 1 " " $1 + 1; ends = w }
	$2 == "write" { writes++ }
	$2 != "write" {
		if ($2 == "flush" && writes)
			within[++w] = $1 - writes " " $1
		writes = 0
	}
	END {
		srand(seed)
		for (i = 0; i < n; i++)
			print i % 2 || !ends ? after[int((1 + rand()) * a / 2) + 1] :
				within[int((1 + rand()) * ends / 2) + 1]
	}' "$OUT/list" | sort -n > "$OUT/cuts"
diag "$(wc -l < "$OUT/list") entries; cuts: $(xargs < "$OUT/cuts")"
is "there are $cuts of them" "$(grep -cE '^[0-9]+ [0-9]+$' "$OUT/cuts")" "$cuts"
acks=$(awk '$2 == "mark" && $7 ~ /^ack/' "$OUT/list" | wc -l)
is "each transaction was marked" "$acks" $((clients * transactions))
done=0
while read -r from to; do
	./replay apply $log $past "$done" "$from" < "$OUT/list"
	done=$from
	copy $past $disk
	./replay apply $log $disk "$from" "$to" $RANDOM < "$OUT/list"
	gives "power cut at $from: MariaDB recovers what it acknowledged" "" \
		after_cut ext4dio $disk "$mnt" judge "$from"
done < "$OUT/cuts"
diag "$(cat "$OUT/seen")"
done_testing
