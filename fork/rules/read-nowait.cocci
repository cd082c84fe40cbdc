// SPDX-License-Identifier: GPL-2.0
// rule: read-nowait
// file: file.c
// sites: 3
// present: * #include "dio_map\.h"
// present: ext4_dio_read_iter ext4dio_map_cached
// present: ext4_dio_read_iter iomap_dio_rw\([^;]*, iocb,\s*0\)
//
// A direct read that must not wait is refused as a whole, before its first bio, or it
// completes.  If iomap_begin() refused the second mapping, the first would be on its way to
// the disk, and -EAGAIN come out of its completion: io_uring, which first tries every read
// so, hands that on 6.1 and 6.12 to an application which did not ask for it.  So all of the
// range is looked for in the cache first, and iomap_begin(), which learns from the kiocb
// where the read began, sleeps for a later mapping that reclaim has thrown out since.

@@
@@
 #include "truncate.h"
+#include "dio_map.h"

@@
identifier iocb, to, inode;
@@
 ext4_dio_read_iter(struct kiocb *iocb, struct iov_iter *to)
 {
 	...
 	struct inode *inode = file_inode(iocb->ki_filp);
 	...
 	if (!ext4_should_use_dio(iocb, to)) {
 		...
 	}
+	if ((iocb->ki_flags & IOCB_NOWAIT) &&
+	    !ext4dio_map_cached(inode, iocb->ki_pos, iov_iter_count(to), false)) {
+		inode_unlock_shared(inode);
+		return -EAGAIN;
+	}
 	...
 }

@@
identifier iocb, to;
expression ops;
@@
 ext4_dio_read_iter(struct kiocb *iocb, struct iov_iter *to)
 {
 	<...
-	iomap_dio_rw(iocb, to, ops, NULL, 0, NULL, 0)
+	iomap_dio_rw(iocb, to, ops, NULL, 0, iocb, 0)
 	...>
 }
