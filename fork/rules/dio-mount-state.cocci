// SPDX-License-Identifier: GPL-2.0
// rule: dio-mount-state
// file: ext4.h
// sites: 1
// present: * struct ext4_sb_info \{[^}]* struct dio_mount \*s_dio; unsigned int s_dio_policy;
// present: * unsigned int s_dio_ahead;
//
// A mount knows its policy, how far it allocates ahead, and has a place for the counters of its
// direct writes; see dio_mount.h.

@@
@@
 struct ext4_sb_info {
	...
	struct kobject s_kobj;
+	struct dio_mount *s_dio;
+	unsigned int s_dio_policy;
+	unsigned int s_dio_ahead;
	...
 };
