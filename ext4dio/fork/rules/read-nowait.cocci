// SPDX-License-Identifier: GPL-2.0
// rule: read-nowait
// file: file.c
// sites: 2
// present: ext4_dio_read_iter ext4dio_map_cached
//
// A direct read that must not wait is refused before its first bio (or, should reclaim
// come in between, as before).  Where iomap_begin() refuses the second mapping, the first
// is on its way to the disk, and -EAGAIN comes out of its completion: io_uring, which
// first tries every read so, hands that on 6.1 and 6.12 to an application which did not
// ask for it; later it reads anew.

@@
@@
 #include "truncate.h"
+#include "map_nowait.h"

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
