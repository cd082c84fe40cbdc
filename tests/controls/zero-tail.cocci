// SPDX-License-Identifier: GPL-2.0
// rule: zero-tail
// file: dio_write.c
// sites: 1
// present: dio_write_waited \b0 && dio_zero_tail
//
// Control: a write that begins behind the end of the file leaves what a store through mmap
// has put there.

@@
expression inode;
@@
-	dio_zero_tail(inode)
+	0 && dio_zero_tail(inode)
