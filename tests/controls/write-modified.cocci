// SPDX-License-Identifier: GPL-2.0
// rule: write-modified
// file: dio_write.c
// sites: 1
// present: dio_prepare \bkiocb_modified\s*\(
//
// Control: a timestamp that is due refuses a NOWAIT write.  (The rule of this name is about DAX
// and the page cache; the direct write path is our own.)

@@
expression iocb;
@@
-	ext4dio_write_modified(iocb)
+	kiocb_modified(iocb)
