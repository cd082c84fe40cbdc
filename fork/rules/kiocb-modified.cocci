// SPDX-License-Identifier: GPL-2.0
// rule: kiocb-modified
// file: file.c
// sites: 1
// present: ext4_write_checks \b(kiocb|ext4dio_write)_modified\(
// result: ext4_write_checks !\bfile_modified\(
//
// The buffered and DAX write checks say to the timestamp update that the caller
// must not sleep: it returns -EAGAIN then instead of starting a journal handle.

@@
identifier iocb;
@@
 ext4_write_checks(struct kiocb *iocb, ...)
 {
 	<...
- file_modified(iocb->ki_filp)
+ kiocb_modified(iocb)
 	...>
 }
