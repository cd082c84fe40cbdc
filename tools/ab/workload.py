# SPDX-License-Identifier: GPL-2.0
"""A workload: a fio job file of this folder with the file that it wants to find, or an
application."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
BLOCK = 4096
CHUNK = 1 << 20


class Failure(Exception):
    """Something that ends the benchmark, in words for the user."""


# No run should come near it; a hang ends with an error instead of a night's waiting.
RUN_LIMIT_S = 3600


class Workload:
    """A job file, and what its head promises.

    ; title: TEXT
    ; layout: LETTERS   of one unit, a letter per 4 KiB block: Written, Unwritten, Hole;
                        A: the file is empty and the writes Append; "device": no file
    ; once: yes|no      each unit is written once, so every block is written afterwards
    """

    application = False
    operation = "IO"

    def __init__(self, name):
        self.name = name
        self.path = HERE / f"{name}.fio"
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


class Application:
    """A script that runs an application; see app.sh."""

    application = True
    on_device = False

    def __init__(self, name):
        self.name = name
        self.path = HERE / f"{name}.app"
        head = re.findall(r"^# (title|unit|room|needs): *(.*)$", self.path.read_text(), re.M)
        fields = dict(head)
        self.title, self.operation = fields["title"], fields["unit"]
        self.room = int(fields["room"]) << 20
        self.needs = [value.split() for key, value in head if key == "needs"]

    def require(self):
        """The commands that it needs are there."""
        for command, package in self.needs:
            if not shutil.which(command):
                raise Failure(f"{self.name} needs {command}: apt-get install {package}")

    def run(self, folder, jobs, seconds, seed, cache):
        """One run in @folder, which is made; what it measured."""
        os.mkdir(folder)
        command = [str(a) for a in (self.path, folder, jobs, seconds, seed, cache)]
        # A process group of its own: Ctrl-C comes to us, and we end all of it.
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True, start_new_session=True)
        try:
            output, errors = child.communicate(timeout=RUN_LIMIT_S)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)
            child.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise Failure(f"{self.name} did not end within {RUN_LIMIT_S} s") from None
            raise
        if child.returncode:
            lines = errors.strip().splitlines() or [f"status {child.returncode}"]
            raise Failure(f"{self.name}: {lines[-1]}")
        got = {key: float(value) for key, value in
               (line.split() for line in output.splitlines())}
        if not got.get("operations") or not got.get("seconds"):
            raise Failure(f"{self.name} did nothing that could be measured")
        return got


def names():
    """All workloads: the device first, applications last."""
    found = sorted(p.stem for p in HERE.glob("*.fio") if p.stem != "common")
    order = ["device", "overwrite", "mixed", "stripe", "hole", "zeroing", "append"]
    return (order + [name for name in found if name not in order]
            + sorted(p.stem for p in HERE.glob("*.app")))


def workload(name):
    """The workload called @name."""
    if name not in names():
        raise Failure(f"there is no workload '{name}'; there are: {', '.join(names())}")
    return Application(name) if (HERE / f"{name}.app").exists() else Workload(name)


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
