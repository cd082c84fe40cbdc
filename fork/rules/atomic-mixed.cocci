// SPDX-License-Identifier: GPL-2.0
// rule: atomic-mixed
// file: inode.c
// sites: 2
// present: ext4_iomap_begin ext4dio_atomic_refused
//
// An atomic write (RWF_ATOMIC) to more than one extent has what is not written zeroed on
// disk before it.  Under the shared lock other writes may be in flight to those blocks, so
// there it is refused, and the write comes again with the lock exclusively; see
// dio_mixed() in dio_write.c.

@@
@@
 #include "ext4_jbd2.h"
+#include "dio_write.h"

@@
identifier inode, map, ret, flags;
@@
 ext4_iomap_begin(struct inode *inode, ..., unsigned flags, ...)
 {
 	<...
+	if (ext4dio_atomic_refused(flags))
+		return -EAGAIN;
 	ret = ext4_iomap_alloc(inode, &map, flags);
 	...>
 }
