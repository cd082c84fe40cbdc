/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Comes first in every file, see Kbuild: stock ext4's own unit tests are not built here, and
 * what it exports to them, or to anybody, is not exported a second time.  Two modules that
 * export the same name do not link, and not every name there has an "ext4" in it for the
 * rename to find.
 *
 * (The kernel's __DISABLE_EXPORTS would do the latter too, but takes sanitizer checks along.)
 */
#ifndef EXT4DIO_NO_EXPORTS_H
#define EXT4DIO_NO_EXPORTS_H

#include <linux/export.h>

#undef __EXPORT_SYMBOL
#define __EXPORT_SYMBOL(...)

#undef CONFIG_EXT4_KUNIT_TESTS
#undef CONFIG_EXT4_KUNIT_TESTS_MODULE

#endif
