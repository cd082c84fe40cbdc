// SPDX-License-Identifier: GPL-2.0
// rule: times-sync
// file: super.c
// sites: 3
// present: * #include "modified\.h"
// present: ext4_sync_fs flush_workqueue\([^;]*\); ext4dio_times_flush\(sb\);
// result: * !\bkill_block_super\b
//
// Nor does sync, or unmount, leave a timestamp behind that a NOWAIT write has left to a worker;
// see modified.c.

@@
@@
 #include "ext4_jbd2.h"
+#include "modified.h"

@@
identifier sb;
expression wq;
@@
 ext4_sync_fs(struct super_block *sb, ...)
 {
 	...
 	flush_workqueue(wq);
+	ext4dio_times_flush(sb);
 	...
 }

@@
@@
-kill_block_super
+ext4dio_kill_block_super
