// SPDX-License-Identifier: GPL-2.0
// rule: no-ext2-ext3
// file: super.c
// sites: 8
// present: * #define IS_EXT3_SB\(\w+\) \(0\)
// result: * !register_as_ext[23]|ext[23]_fs_type|"ext[23]"
//
// Stock ext4 also serves the types "ext3" and (where no ext2 driver is
// configured) "ext2", under their module aliases.  Those names belong to the
// stock driver that is loaded beside us, so registration, types and aliases go;
// no super block can be of such a type then, and IS_EXT2_SB() and IS_EXT3_SB()
// say so.

@@
declarer name MODULE_ALIAS_FS;
@@
(
- MODULE_ALIAS_FS("ext2");
|
- MODULE_ALIAS_FS("ext3");
)

@@
declarer name MODULE_ALIAS;
@@
(
- MODULE_ALIAS("ext2");
|
- MODULE_ALIAS("ext3");
)

@@
identifier call = {register_as_ext2, unregister_as_ext2,
		   register_as_ext3, unregister_as_ext3};
@@
- call();

@@
identifier fn = {register_as_ext2, unregister_as_ext2,
		 register_as_ext3, unregister_as_ext3};
@@
- static inline void fn(void) { ... }

@@
identifier type = {ext2_fs_type, ext3_fs_type};
@@
- static struct file_system_type type = { ... };

@@
identifier sb;
expression holder;
identifier type = {ext2_fs_type, ext3_fs_type};
@@
(
- #define IS_EXT2_SB(sb) (holder == &type)
+ #define IS_EXT2_SB(sb) (0)
|
- #define IS_EXT3_SB(sb) (holder == &type)
+ #define IS_EXT3_SB(sb) (0)
)
