// SPDX-License-Identifier: GPL-2.0
// rule: readahead
// file: readpage.c
// sites: 2
// present: ext4_mpage_readpages ext4dio_readahead_refused
//
// No readahead while a direct write is in flight: in a large folio it would make one of
// pages that are stale and pages that are stored to; see dio_announce() in dio_write.c.
// What is not read is thrown out again, and comes page by page.

@@
@@
 #include "ext4.h"
+#include "dio_write.h"

@@
identifier inode, rac;
type T;
@@
 ext4_mpage_readpages(struct inode *inode, ..., struct readahead_control *rac, ...)
 {
	...
+	if (rac && ext4dio_readahead_refused(inode))
+		return 0;
	for (...; ...; ...) { ... }
	...
 }
