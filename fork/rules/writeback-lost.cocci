// SPDX-License-Identifier: GPL-2.0
// rule: writeback-lost
// file: inode.c
// sites: 2
// present: * #include "zeroout\.h"
// present: mpage_map_and_submit_extent ext4dio_data_lost
//
// Writeback that finds no block throws the pages away.  Stock ext4 tells whoever called for
// that writeback, which most often is the kernel itself, and fsync later finds nothing wrong.

@@
@@
 #include "ext4_jbd2.h"
+#include "zeroout.h"

@@
symbol true;
identifier inode, err, give_up_on_write;
@@
 mpage_map_and_submit_extent(..., bool *give_up_on_write)
 {
	...
	struct inode *inode = ...;
	...
	int err;
	<...
	*give_up_on_write = true;
+	ext4dio_data_lost(inode, err);
	...>
 }
