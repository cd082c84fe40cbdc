/* SPDX-License-Identifier: GPL-2.0 */
#ifndef EXT4DIO_IDENT_H
#define EXT4DIO_IDENT_H

void ext4dio_announce(void);

#endif
