/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The timestamps of a write.
 */
#ifndef EXT4DIO_LAZY_TIME_H
#define EXT4DIO_LAZY_TIME_H

#include <linux/fs.h>

int ext4dio_write_modified(struct kiocb *iocb);

#endif
