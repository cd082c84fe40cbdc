// SPDX-License-Identifier: GPL-2.0
/*
 * What this module is: for modinfo, and once for the kernel log.
 *
 * origin.h is written by fork/fork: EXT4DIO_VERSION comes from dkms.conf,
 * EXT4DIO_ORIGIN names the kernel source that was forked.
 */
#include <linux/module.h>
#include <linux/printk.h>
#include "ident.h"
#include "origin.h"

#define EXT4DIO_DESCRIPTION "ext4 with concurrent direct I/O writes"

/**
 * ext4dio_announce - say once, at the first mount, what is mounted here, and what speaks against it
 *
 * Context: process context, after a mount that succeeded; does not sleep.
 */
void ext4dio_announce(void)
{
	pr_info_once("EXT4DIO-fs: version " EXT4DIO_VERSION ": " EXT4DIO_DESCRIPTION
		     ", forked from " EXT4DIO_ORIGIN "\n");
#ifdef EXT4DIO_CAVEAT
	pr_warn_once("EXT4DIO-fs: caution: " EXT4DIO_CAVEAT "\n");
#endif
}

MODULE_DESCRIPTION(EXT4DIO_DESCRIPTION);
MODULE_VERSION(EXT4DIO_VERSION);
MODULE_INFO(forked_from, EXT4DIO_ORIGIN);
#ifdef EXT4DIO_CAVEAT
MODULE_INFO(caveat, EXT4DIO_CAVEAT);
#endif
