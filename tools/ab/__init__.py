# SPDX-License-Identifier: GPL-2.0
"""What the command ext4dio-ab is made of.

workload     what is measured: the table of fio workloads, and the applications
target       where: a device that is formatted for each run, or a folder
fio          one run of fio, and what it measured
environment  the machine, and the counters of ext4dio
measure      which runs, in which order
result       the file that is kept, the cells in it, what may be claimed of them
report       table, Markdown, CSV, HTML, comparison
plot         SVG
stats        the statistics
"""
