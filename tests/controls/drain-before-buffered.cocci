// SPDX-License-Identifier: GPL-2.0
// rule: drain-before-buffered
// file: file.c
// sites: 1
// present: ext4_buffered_write_iter \bcond_resched\s*\(\s*\)
//
// Control: a buffered write does not wait for direct I/O in flight.  All kernels that are
// tested have that wait themselves, so the rule of this name has nothing to do.

@@
identifier inode;
@@
 ext4_buffered_write_iter(...)
 {
 	<...
-	inode_dio_wait(inode);
+	cond_resched();
 	...>
 }
