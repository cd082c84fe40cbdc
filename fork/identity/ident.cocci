// SPDX-License-Identifier: GPL-2.0
// rule: ident
// file: super.c
// sites: 3
// present: * #include "ident\.h"
// present: ext4_fill_super ext4dio_announce
// result: * !\bMODULE_DESCRIPTION\(
//
// The module says what it is: ident.c holds description, version and origin for
// modinfo, and prints them once, after the first mount that succeeded.  The
// super block is complete there and no error exit follows.

@@
@@
 #include "ext4_jbd2.h"
+#include "ident.h"

@@
identifier sb;
@@
 ext4_fill_super(struct super_block *sb, ...)
 {
 	<...
+	ext4dio_announce();
 	ext4_update_overhead(sb, ...);
 	...>
 }

@@
declarer name MODULE_DESCRIPTION;
expression text;
@@
- MODULE_DESCRIPTION(text);
