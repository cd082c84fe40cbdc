// SPDX-License-Identifier: GPL-2.0
// rule: nofail-quota
// file: mballoc.c
// sites: 1
// present: ext4_mb_new_blocks EXT4_MB_USE_ROOT_BLOCKS\s*\|\s*EXT4_MB_USE_RESERVED
//
// A block for the extent tree that must not fail, because data is on disk already that
// it is to make visible, may come from the reserved ones; it must not fail for the
// user's quota either.

@@
identifier ar;
@@
 ext4_mb_new_blocks(..., struct ext4_allocation_request *ar, ...)
 {
	<...
-	if (ar->flags & EXT4_MB_USE_ROOT_BLOCKS)
+	if (ar->flags & (EXT4_MB_USE_ROOT_BLOCKS | EXT4_MB_USE_RESERVED))
	{ ... }
	else { ... }
	...>
 }
