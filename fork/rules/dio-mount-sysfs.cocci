// SPDX-License-Identifier: GPL-2.0
// rule: dio-mount-sysfs
// file: sysfs.c
// sites: 3
// present: * #include "dio_mount\.h"
// present: ext4_register_sysfs return ext4dio_mount_add\(
// present: ext4_unregister_sysfs ext4dio_mount_del\(
//
// The folder "dio" comes last into a mount's sysfs folder and goes first.

@@
@@
 #include "ext4_jbd2.h"
+#include "dio_mount.h"

@@
identifier sb;
@@
 int ext4_register_sysfs(struct super_block *sb)
 {
	...
-	return 0;
+	return ext4dio_mount_add(sb);
 }

@@
identifier sb, sbi;
@@
 void ext4_unregister_sysfs(struct super_block *sb)
 {
	struct ext4_sb_info *sbi = EXT4_SB(sb);
+	ext4dio_mount_del(sb);
	...
 }
