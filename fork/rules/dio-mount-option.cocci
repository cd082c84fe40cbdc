// SPDX-License-Identifier: GPL-2.0
// rule: dio-mount-option
// file: super.c
// sites: 6
// present: * #include "dio_mount\.h"
// present: * struct ext4_fs_context \{[^}]* struct dio_options \w+;
// present: ext4_parse_param ext4dio_own_option_parse\(
// present: ext4_apply_options ext4dio_own_options_apply\(
// present: ext4_reconfigure ext4dio_own_options_revert\(
// present: _ext4_show_options ext4dio_own_options_show\(
//
// The mount option dio_policy=, parsed, applied, shown, and taken back where a
// remount fails; see dio_mount.c.

@@
@@
 #include "ext4_jbd2.h"
+#include "dio_mount.h"

@@
@@
 struct ext4_fs_context {
	...
	unsigned int spec;
+	struct dio_options dio;
	...
 };

@@
identifier fc, param, ctx, specs = {ext4_param_specs};
expression token, result;
@@
 ext4_parse_param(struct fs_context *fc, struct fs_parameter *param)
 {
	...
	struct ext4_fs_context *ctx = fc->fs_private;
	...
+	if (ext4dio_own_option_parse(fc, param, &ctx->dio, &token))
+		return token;
	token = fs_parse(fc, specs, param, result);
	...
 }

@@
identifier fc, sb, ctx;
@@
 ext4_apply_options(struct fs_context *fc, struct super_block *sb)
 {
	struct ext4_fs_context *ctx = fc->fs_private;
	...
+	ext4dio_own_options_apply(sb, &ctx->dio);
	ext4_apply_quota_options(fc, sb);
	...
 }

@@
identifier fc, sb, ret;
@@
 ext4_reconfigure(struct fs_context *fc)
 {
	...
	ret = __ext4_remount(fc, sb);
+	if (ret < 0)
+		ext4dio_own_options_revert(sb,
+				&((struct ext4_fs_context *)fc->fs_private)->dio);
	if (ret < 0)
		return ret;
	...
 }

@@
identifier seq, sb, nodefs;
@@
 _ext4_show_options(struct seq_file *seq, struct super_block *sb, int nodefs)
 {
	...
	ext4_show_quota_options(seq, sb);
+	ext4dio_own_options_show(seq, sb, nodefs);
	...
 }
