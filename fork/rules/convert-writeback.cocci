// SPDX-License-Identifier: GPL-2.0
// rule: convert-writeback
// file: extents.c
// sites: 2
// present: * #include "zeroout\.h"
// present: ext4_convert_unwritten_io_end_vec ext4dio_convert_after_writeback
//
// A conversion after writeback that cannot be made because of direct I/O in flight waits
// a little for that.

@@
@@
 #include "ext4_jbd2.h"
+#include "zeroout.h"

@@
@@
 ext4_convert_unwritten_io_end_vec(...)
 {
	<...
-	ext4_convert_unwritten_extents
+	ext4dio_convert_after_writeback
	(...)
	...>
 }
