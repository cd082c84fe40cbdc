// SPDX-License-Identifier: GPL-2.0
// rule: token-conflict
// file: dio_token.c
// sites: 1
// present: conflict \b0 && a
//
// Control: writes that zero part of a block do not wait for others to it.

@@
identifier a, b;
@@
 conflict(const struct dio_token *a, const struct dio_token *b)
 {
-	return a->blocks.zeroes || b->blocks.zeroes;
+	return 0 && a->blocks.zeroes;
 }
