// SPDX-License-Identifier: GPL-2.0
// rule: no-iomap-end
// file: inode.c
// sites: 3
// present: * ext4_iomap_ops = \{ \.iomap_(begin|next) = ext4_iomap_(begin|next), \}
// result: * !\bext4_iomap_end\b
//
// Where the end of one mapping has nothing written, kernels before 7.0 ask iomap to wait for
// what was submitted and to fall back to the page cache.  It comes to that only where an
// earlier part of the same read or write has failed already, so there is no fallback; and
// the wait may be for a bio that only this task would poll for, once it is back.

@@
identifier ops, begin;
@@
 const struct iomap_ops ops = {
 	.iomap_begin = begin,
-	.iomap_end = ext4_iomap_end,
 };

@@
type T;
@@
-static T ext4_iomap_end(...) { ... }
