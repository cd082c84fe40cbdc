# SPDX-License-Identifier: GPL-2.0
"""A workload: a fio job file of this folder, and the file that it wants to find."""

import os
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
BLOCK = 4096
CHUNK = 1 << 20


class Failure(Exception):
    """Something that ends the benchmark, in words for the user."""


class Workload:
    """What the head of a job file promises.

    ; title: TEXT
    ; layout: LETTERS   of one unit, a letter per 4 KiB block: Written, Unwritten, Hole;
                        A: the file is empty and the writes Append; "device": no file
    ; once: yes|no      each unit is written once, so every block is written afterwards
    """

    def __init__(self, name):
        self.name = name
        self.path = HERE / f"{name}.fio"
        if not self.path.exists():
            raise Failure(f"there is no workload '{name}'; there are: {', '.join(names())}")
        text = self.path.read_text()
        head = dict(re.findall(r"^; (title|layout|once): *(.*)$", text, re.M))
        self.title, self.layout = head["title"], head["layout"]
        self.once = head["once"] == "yes"
        self.on_device = self.layout == "device"
        self.unit = 2 * BLOCK if self.on_device else len(self.layout) * BLOCK

    def environment(self, path, jobs, region, seed):
        """The variables of the job file; @region: bytes of one job, whole units."""
        block = 2 * BLOCK
        return {
            "FILE": str(path), "JOBS": str(jobs), "SEED": str(seed),
            "REGION": str(region), "REGION_LESS_512": str(region - 512),
            "IOS": str(region // self.unit),
            "STRIDE_LESS_BS": str((jobs - 1) * block), "STRIDE_SIZE": str(region * jobs),
        }

    def lay_out(self, path, units):
        """Make the file anew, on disk, and check by FIEMAP that it is as wanted."""
        size = units * self.unit
        data = os.urandom(CHUNK)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            if self.layout[0] != "A":
                os.ftruncate(fd, size)
            if "U" in self.layout:
                os.posix_fallocate(fd, 0, size)
            if set(self.layout) == {"W"}:
                for pos in range(0, size, CHUNK):
                    os.pwrite(fd, data[:size - pos], pos)
            elif "W" in self.layout:
                places = [i * BLOCK for i, letter in enumerate(self.layout) if letter == "W"]
                for pos in range(0, size, self.unit):
                    for place in places:
                        os.pwrite(fd, data[:BLOCK], pos + place)
            os.fsync(fd)
            # The cache must not hold pages that direct writes would have to push out.
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError as error:
            raise Failure(f"cannot lay out {path}, {size >> 20} MiB: {error.strerror}") from None
        finally:
            os.close(fd)
        wanted = "" if self.layout[0] == "A" else self.layout * units
        if blocks_of(path, size) != wanted.rstrip("H" if set(wanted) == {"H"} else ""):
            raise Failure(f"{path} is not laid out as {self.layout}; the file system does not "
                          "keep such a layout, so nothing can be measured on it")

    def check_written(self, path, units):
        """After a run of a once-workload: every block is written, none missing."""
        left = blocks_of(path, units * self.unit).count("W")
        if left != units * len(self.layout):
            raise Failure(f"{path}: {units * len(self.layout) - left} blocks were not written; "
                          "the run does not count")


def names():
    """All workloads, the device first."""
    found = sorted(p.stem for p in HERE.glob("*.fio") if p.stem != "common")
    order = ["device", "overwrite", "mixed", "stripe", "hole", "zeroing", "append"]
    return order + [name for name in found if name not in order]


def blocks_of(path, size):
    """The first @size bytes of a file as FIEMAP tells them: a letter per 4 KiB block."""
    done = subprocess.run(["filefrag", "-v", f"-b{BLOCK}", str(path)],
                          capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"filefrag {path}: {done.stderr.strip()}")
    parts, next_block = [], 0
    for line in done.stdout.splitlines():
        found = re.match(r" *\d+: +(\d+)\.\. *(\d+): ", line)
        if not found:
            continue
        first, last = int(found.group(1)), int(found.group(2))
        parts.append("H" * (first - next_block))
        parts.append(("U" if "unwritten" in line else "W") * (last + 1 - first))
        next_block = last + 1
    return "".join(parts)[:size // BLOCK]
