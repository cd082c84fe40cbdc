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
# An application's check, after somebody else's write.
cat > /tmp/bin/innochecksum <<'END'
#!/bin/sh
for file; do :; done
printf '\377\000\377' | dd of="$file" bs=1 seek=20000 conv=notrunc status=none
exec /usr/bin/innochecksum "$@"
END
cat > /tmp/bin/ldb <<'END'
#!/bin/sh
for file in "${1#--db=}"/*.sst; do :; done
printf '\377\000\377' | dd of="$file" bs=1 seek=2000 conv=notrunc status=none
exec /usr/bin/ldb "$@"
END
chmod +x /tmp/bin/*
for app in mariadb rocksdb; do
	mkdir "$mnt/$app"
	refuses "$app: damage is found" "is damaged|[Cc]orruption|mismatch" \
		env PATH="/tmp/bin:$PATH" "tools/ab/$app.app" "$mnt/$app" 2 2 1 /tmp/cache
done
umount "$mnt"
fsck_clean "$dev"
done_testing
