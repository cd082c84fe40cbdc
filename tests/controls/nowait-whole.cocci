// SPDX-License-Identifier: GPL-2.0
// rule: nowait-whole
// file: dio_write.c
// sites: 1
// present: dio_facts \b0 && !ext4dio_map_cached
//
// Control: a NOWAIT write begins without a look at all of its range.

@@
identifier inode, pos, len;
@@
-	!ext4dio_map_cached(inode, pos, len, true)
+	0 && !ext4dio_map_cached(inode, pos, len, true)
