// SPDX-License-Identifier: GPL-2.0
// rule: drain-failed
// file: dio_write.c
// sites: 1
// present: dio_write_extending \b0 && ret < 0
//
// Control: an extending write that failed truncates while other direct I/O is in flight.

@@
identifier ret;
expression inode;
@@
 dio_write_extending(...)
 {
 	<...
-	if (ret < 0)
+	if (0 && ret < 0)
 		dio_drain(inode);
 	...>
 }
