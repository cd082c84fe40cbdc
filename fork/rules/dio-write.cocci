// SPDX-License-Identifier: GPL-2.0
// rule: dio-write
// file: file.c
// sites: 7
// present: * #include "dio_write\.h"
// result: * !\bext4_(unaligned_io|extending_io|overwrite_io|dio_needs_zeroing)\(
// result: * !\bext4_(dio_write_checks\(|dio_write_iter\([^;]*\{)
//
// The direct write path is our own, dio_write.c: the stock entry point, its
// checks and the helpers that only those used go.  What both use stays where it
// is and becomes visible to our file.

@@
@@
 #include "ext4_jbd2.h"
+#include "dio_write.h"

@@
identifier fn = {ext4_unaligned_io, ext4_extending_io, ext4_overwrite_io,
		 ext4_dio_needs_zeroing};
type T;
@@
- static T fn(...) { ... }

@@
identifier fn = {ext4_dio_write_checks, ext4_dio_write_iter};
type T;
@@
- static T fn(...) { ... }

@@
identifier fn = {ext4_should_use_dio, ext4_generic_write_checks, ext4_buffered_write_iter,
		 ext4_inode_extension_cleanup, ext4_dio_write_end_io};
type T;
@@
- static
 T fn(...) { ... }

@@
identifier ops = {ext4_dio_write_ops};
@@
- static const struct iomap_dio_ops ops = { ... };
