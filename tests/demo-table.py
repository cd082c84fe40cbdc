#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Print the demo's table from fio's JSON files in the folder given."""

import json
import sys
from pathlib import Path

SHAPES = {
    "mixed": "aligned 8 KiB over [written][unwritten]",
    "stripe": "14,336 B at +512 of each 16 KiB [W][U][U][W]",
}


def iops(folder, shape, jobs, fstype):
    """Writes a second of one run: all writes over the wall time of the job group."""
    job, = json.loads((folder / f"{shape}-{jobs}-{fstype}.json").read_text())["jobs"]
    if job["error"]:
        sys.exit(f"{shape}-{jobs}-{fstype}: fio reports error {job['error']}")
    return job["write"]["total_ios"] * 1000 / job["write"]["runtime"]


def main():
    folder = Path(sys.argv[1])
    fact = {name: (folder / name).read_text().strip()
            for name in ("kernel", "device", "version", "origin")}
    print(f"\nkernel  {fact['kernel']}\ndevice  {fact['device']}")
    print(f"module  ext4dio {fact['version']}, forked from {fact['origin']}")
    print("direct writes to one file, psync, each block once; IOPS")
    for shape, text in SHAPES.items():
        print(f"\n{text}\n{'jobs':>6}{'ext4':>10}{'ext4dio':>10}{'ratio':>8}")
        for jobs in (1, 8, 32):
            stock, ours = (iops(folder, shape, jobs, fs) for fs in ("ext4", "ext4dio"))
            print(f"{jobs:>6}{stock:>10,.0f}{ours:>10,.0f}{ours / stock:>7.2f}x")
    print(f"\nraw fio JSON: {folder}/*.json")


if __name__ == "__main__":
    main()
