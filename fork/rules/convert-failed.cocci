// SPDX-License-Identifier: GPL-2.0
// rule: convert-failed
// file: page-io.c
// sites: 2
// present: * #include "zeroout\.h"
// present: ext4_end_io_end ext4dio_data_lost
//
// A conversion that fails leaves zeroes where data was written; stock ext4 only says so in
// the log.  The error is recorded before the pages are no longer under writeback, so that
// whoever waits for them finds it.

@@
@@
 #include "ext4_jbd2.h"
+#include "zeroout.h"

@@
identifier inode, ret;
expression io_end;
@@
 ext4_end_io_end(...)
 {
	...
	struct inode *inode = ...;
	...
	int ret = 0;
	...
+	ext4dio_data_lost(inode, ret);
	ext4_clear_io_unwritten_flag(io_end);
	...
 }
