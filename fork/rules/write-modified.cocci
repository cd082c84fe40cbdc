// SPDX-License-Identifier: GPL-2.0
// rule: write-modified
// file: file.c
// sites: 2
// present: * #include "modified\.h"
// present: ext4_write_checks ext4dio_write_modified
// result: ext4_write_checks !\b(file|kiocb)_modified\(
//
// A timestamp that is due does not refuse a buffered NOWAIT write or one to DAX either.
// (It comes after kiocb-modified; the direct path calls the same.)

@@
@@
 #include "ext4_jbd2.h"
+#include "modified.h"

@@
identifier iocb;
@@
 ext4_write_checks(struct kiocb *iocb, ...)
 {
 	<...
- kiocb_modified(iocb)
+ ext4dio_write_modified(iocb)
 	...>
 }
