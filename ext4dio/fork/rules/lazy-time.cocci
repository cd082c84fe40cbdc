// SPDX-License-Identifier: GPL-2.0
// rule: lazy-time
// file: file.c
// sites: 2
// present: * #include "lazy_time\.h"
// present: ext4_write_checks ext4dio_write_modified
// result: ext4_write_checks !\b(file|kiocb)_modified\(
//
// With lazytime a timestamp that is due does not refuse a NOWAIT write to DAX either.
// (It comes after kiocb-modified; the direct path calls the same.)

@@
@@
 #include "ext4_jbd2.h"
+#include "lazy_time.h"

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
