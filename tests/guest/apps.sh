#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The application workloads of tools/ext4dio-ab run, end with their own checks, and
# damage to their data fails a run.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

ab=tools/ext4dio-ab
apps=mariadb,rocksdb,image
dev=$(null_blk_new apps 768 200)

ok "MariaDB, RocksDB and a disk image run on both sides" "$ab" run --out "$OUT/apps" \
	--device "$dev" --workloads $apps --jobs 4 --rounds 1 --warm-up 0 --aa none --seconds 5
is "each once on each" "$(tail -n +2 "$OUT/apps/result.csv" | cut -d, -f2,5 | sort | xargs)" \
	"image,ext4 image,ext4dio mariadb,ext4 mariadb,ext4dio rocksdb,ext4 rocksdb,ext4dio"
diag "$("$ab" report "$OUT/apps/result.json")"

# Each check finds a byte that is turned over behind the application's back.
mnt=/mnt/apps
mkdir -p "$mnt" /tmp/cache
mkfs.ext4 -qF "$dev"
mount -t ext4dio "$dev" "$mnt"
mkdir -p /tmp/bin
cat > /tmp/bin/damage <<'END'
#!/bin/sh
[ -e "$1" ] || exit
printf '\377\000\377' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none &&
	echo "$1" >> /tmp/damaged
END
# An application's check, after somebody else's write.
cat > /tmp/bin/innochecksum <<'END'
#!/bin/sh
for file; do :; done
damage "$file" 20000
exec /usr/bin/innochecksum "$@"
END
cat > /tmp/bin/ldb <<'END'
#!/bin/sh
for file in "${1#--db=}"/*.sst; do :; done
damage "$file" 2000
exec /usr/bin/ldb "$@"
END
# fio checks at its end what it wrote: it is run twice, with that write between.
cat > /tmp/bin/fio <<'END'
#!/bin/sh
/usr/bin/fio "$@" --do_verify=0 || exit
for option; do
	[ "${option%%=*}" != --filename ] || damage "${option#*=}" 2000
done
exec /usr/bin/fio "$@" --verify_only
END
chmod +x /tmp/bin/*
for app in mariadb rocksdb image; do
	mkdir "$mnt/$app"
	: > /tmp/damaged
	refuses "$app: damage is found" \
		"is damaged|[Cc]orruption|mismatch|verify failed|verify: bad" \
		env PATH="/tmp/bin:$PATH" "tools/ab/$app.app" "$mnt/$app" 2 2 1 /tmp/cache
	is "$app: that was there" "$(wc -l < /tmp/damaged)" 1
done
umount "$mnt"
fsck_clean "$dev"
done_testing
