// SPDX-License-Identifier: GPL-2.0
// rule: eof-wait
// file: dio_write.c
// sites: 1
// present: dio_facts \b0 && dio_eof
//
// Control: a write to the block that the end of the file lies in is not waited for.  So it is
// in flight when the file becomes larger, or a failed write beyond EOF is truncated.

@@
identifier inode, pos, len;
@@
-	dio_eof(inode, pos, len)
+	0 && dio_eof(inode, pos, len)
