# SPDX-License-Identifier: GPL-2.0
"""What is measured: the table of fio workloads, and applications (*.app)."""

import contextlib
import math
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
BLOCK = 4096
CHUNK = 1 << 20
# At a fixed rate the jobs begin within this time, at random.
STAGGER_MS = 2000
# fio's name for the jobs that are no part of the figures.
BESIDE = "beside"


class Failure(Exception):
    """Something that ends the benchmark, in words for the user."""


# No application should come near it, in seconds; a hang ends with an error instead of a
# night's waiting.
RUN_LIMIT_S = 3600


@dataclass(frozen=True)
class Workload:
    """Writes of one kind by fio, and the file that they want to find.

    Each job has a region of its own, one after the other, of whole units, and makes in each
    unit as many writes (or reads) as fit, mostly one; where the file grows, or in_turn says
    so, the jobs' writes alternate.
    """

    name: str
    title: str
    # Of one unit, a letter per 4 KiB block: Written, Unwritten, Hole.  "A...": the file is
    # empty and the writes append; "P...": into blocks preallocated beyond its end.  "":
    # the device itself.
    layout: str
    # Bytes of a write, and where in the unit it begins.
    size: int
    at: int = 0
    rw: str = "write"
    engine: str = "psync"
    depth: int = 1
    # The jobs' writes alternate.
    in_turn: bool = False
    # Bytes, written, in front of the units.  All writes are one more thread's; the jobs read
    # these meanwhile, at random, and are no part of the figures.
    front: int = 0
    # The same blocks may be written again, until the time is over.
    again: bool = False
    # More lines of the job file.
    more: tuple = ()
    # The workload whose table it stands in.
    shape: str = ""
    # What its figures are of.
    operation: str = "IO"

    application = False

    @property
    def on_device(self):
        return not self.layout

    def fits(self, block):
        """Does it write whole blocks of @block bytes only?"""
        return self.size % block == 0 and self.at % block == 0

    @property
    def alternates(self):
        return self.in_turn or self.layout[:1] in ("A", "P")

    @property
    def unit(self):
        """Bytes of a unit."""
        return len(self.layout) * BLOCK or self.size

    @property
    def writes(self):
        """How many a job makes in a unit."""
        return self.unit // self.size

    @property
    def io(self):
        """How a job makes its I/O, in words."""
        return self.engine if self.depth == 1 else f"{self.engine} {self.depth}"

    def job_file(self, path, jobs, units, seconds, seed, rate=0):
        """The text for fio.  @units: of each job; @rate: operations a second of all jobs
        together, in the long run, 0: as fast as it goes."""
        lines = [
            "[global]", f"filename={path}", "direct=1", f"ioengine={self.engine}",
            f"iodepth={self.depth}", "thread", f"randseed={seed}",
            # With create_on_open fio neither extends nor lays out the file beforehand.
            # (If it is shorter than a job's end, fio would unlink it.)
            "allow_file_create=0", "create_on_open=1", "fallocate=none",
            # From submission on: libaio can wait for a lock there.
            "lat_percentiles=1", "clat_percentiles=0",
            f"runtime={round(seconds * 1000)}ms", *self.more, "",
        ]
        if self.front:
            lines += [f"[{BESIDE}]", f"numjobs={jobs}", "rw=randread", f"bs={self.size}",
                      f"size={self.front}", "time_based", ""]
            jobs, units = 1, units * jobs
        region = units * self.unit
        step = self.unit // self.writes
        skip = step * (jobs if self.alternates else 1) - self.size
        lines += [
            f"[{self.name}]", f"numjobs={jobs}",
            f"rw={self.rw}" + (f":{skip}" if skip and self.rw == "write" else ""),
            f"bs={self.size}", f"offset={self.front + self.at}",
        ]
        if self.alternates:
            lines += [f"size={region * jobs}", f"offset_increment={step}"]
        else:
            lines += [f"size={region - self.at}", f"offset_increment={region}"]
        lines.append("time_based" if self.again else f"number_ios={units * self.writes}")
        if rate:
            # Jobs that write at even intervals, or begin together, would all write at the
            # same instants.
            share = rate // jobs
            lines += [f"rate_iops={share},{share}", "rate_process=poisson"]
            if jobs > 1:
                lines.append(f"startdelay=0ms-{STAGGER_MS}ms")
        return "\n".join(lines) + "\n"

    def lay_out(self, path, units):
        """Make the file anew, on disk, and check by FIEMAP that it is as wanted; @units: of
        all jobs."""
        size = self.front + units * self.unit
        written = size if set(self.layout) == {"W"} else self.front
        data = os.urandom(CHUNK)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            if self.layout[0] == "P":
                subprocess.run(["fallocate", "--keep-size", f"--length={size}", str(path)],
                               check=True, capture_output=True)
            else:
                os.ftruncate(fd, self.front if self.layout[0] == "A" else size)
            if "U" in self.layout:
                os.posix_fallocate(fd, 0, size)
            for pos in range(0, written, CHUNK):
                os.pwrite(fd, data[:written - pos], pos)
            if "W" in self.layout and not written:
                places = [i * BLOCK for i, letter in enumerate(self.layout) if letter == "W"]
                for pos in range(0, size, self.unit):
                    for place in places:
                        os.pwrite(fd, data[:BLOCK], pos + place)
            os.fsync(fd)
            # The cache must not hold pages that direct writes would have to push out.
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        except subprocess.CalledProcessError as error:
            raise Failure(f"cannot lay out {path}: {error.stderr.decode().strip()}") from None
        except OSError as error:
            raise Failure(f"cannot lay out {path}, {size >> 20} MiB: {error.strerror}") from None
        finally:
            os.close(fd)
        wanted = "W" * (self.front // BLOCK) + (
            self.layout * units).replace("A", "").replace("P", "U")
        if blocks_of(path, size) != wanted.rstrip("H" if set(wanted) == {"H"} else ""):
            raise Failure(f"{path} is not laid out as {self.layout}; the file system does not "
                          "keep such a layout, so nothing can be measured on it")

    def check_written(self, path, units, written):
        """After @written writes into @units fresh units: no block of them is missing, and
        where a block takes several writes none of those.  (More can be there: ext4 may zero
        the rest of a short unwritten extent.)"""
        fresh = len(self.layout) - self.layout.count("W")
        wanted = self.front // BLOCK + units * self.layout.count("W") + math.ceil(
            written * fresh / self.writes)
        blocks = blocks_of(path, self.front + units * self.unit)
        missing = wanted - blocks.count("W")
        if missing > 0:
            raise Failure(f"{path}: {missing} blocks were not written; the run does not count")
        if self.writes > 1:
            # What fio writes is random.
            lost = written - pieces_of_data(path, blocks, self.size)
            if lost > 0:
                raise Failure(f"{path}: {lost} writes of {self.size} B have left zeros; "
                              "the run does not count")


def queued(shape):
    """The workload @shape by one of the queueing interfaces, 32 writes at once a job."""
    return [replace(shape, name=f"{shape.name}-{name}", shape=shape.name, engine=engine, depth=32)
            for name, engine in (("libaio", "libaio"), ("uring", "io_uring"))]


# A write that would wait is refused, and fio goes on.
NOWAIT = ("nowait=1", "continue_on_error=write", "ignore_error=,EAGAIN")
MIXED = Workload("mixed", "test 1, mixed: aligned 8 KiB over [written][unwritten]", "WU", 8192)
STRIPE = Workload("stripe", "test 2, stripe: 14,336 B at +512 of each 16 KiB "
                  "[written][unwritten][unwritten][written]", "WUUW", 14336, at=512)
ZEROING = Workload("zeroing", "zeroing: 3,072 B at +512 of each unwritten 4 KiB block", "U", 3072,
                   at=512)
APPEND = Workload("append", "append: 8 KiB at the end of the file, the jobs in turn", "AA", 8192)

# In the order of measuring.
WORKLOADS = [
    Workload("device", "the device itself: aligned 8 KiB", "", 8192, again=True),
    Workload("overwrite", "pure overwrite: aligned 8 KiB over [written][written]", "WW", 8192,
             again=True),
    MIXED, *queued(MIXED),
    STRIPE, *queued(STRIPE),
    Workload("hole", "hole: aligned 8 KiB into a sparse file", "HH", 8192),
    ZEROING, *queued(ZEROING),
    Workload("zeroing-512", "zeroing-512: 512 B into a sparse file, the jobs in turn; eight fill "
             "a 4 KiB block", "H", 512, in_turn=True),
    APPEND, *queued(APPEND),
    Workload("append-prealloc", "append-prealloc: the same into blocks preallocated there", "PP",
             8192),
    Workload("append-dsync", "append-dsync: append, each write with O_DSYNC", "AA", 8192,
             more=("sync=dsync",)),
    Workload("tail", "tail: one thread appends 8 KiB, the jobs read at random what was there "
             "before; figures of the appends", "AA", 8192, front=1 << 20, operation="appends"),
    Workload("read", "random 4 KiB reads of a written file", "W", 4096, rw="randread",
             again=True),
    Workload("readwrite", "mixed reads and writes, 70/30: random 4 KiB of a written file", "W",
             4096, rw="randrw", again=True, more=("rwmixread=70",)),
    Workload("uring-nowait", "io_uring, depth 32, RWF_NOWAIT: 4 KiB overwrites; a refused write "
             "is not repeated", "W", 4096, engine="io_uring", depth=32, again=True, more=NOWAIT),
    Workload("uring-wu-nowait", "io_uring, depth 32, RWF_NOWAIT: aligned 8 KiB over "
             "[written][unwritten]; a refused write is not repeated", "WU", 8192,
             engine="io_uring", depth=32, more=NOWAIT),
    Workload("vm", "virtual machine image: random 4 KiB into a sparse file, libaio, depth 16",
             "H", 4096, rw="randwrite", engine="libaio", depth=16),
    Workload("vm-512", "virtual machine image: random 512 B into a sparse file, libaio, depth 16",
             "H", 512, rw="randwrite", engine="libaio", depth=16),
]
DEFAULT = ["device", "overwrite", "mixed", "stripe", "hole", "zeroing", "zeroing-512", "append",
           "append-prealloc"]


class Application:
    """A script that runs an application; see app.sh."""

    application = True
    on_device = False
    again = True
    io = shape = ""

    def fits(self, _block):
        """It asks the device how it can be written."""
        return True

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
        command = [str(a) for a in (self.path, folder, jobs, max(round(seconds), 1), seed, cache)]
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
    """All workloads, applications last."""
    return [w.name for w in WORKLOADS] + sorted(p.stem for p in HERE.glob("*.app"))


def workload(name):
    """The workload called @name."""
    for found in WORKLOADS:
        if found.name == name:
            return found
    if name not in names():
        raise Failure(f"there is no workload '{name}'; there are: {', '.join(names())}")
    return Application(name)


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


def pieces_of_data(path, blocks, size):
    """How many pieces of @size bytes are not all zeros; @blocks: blocks_of() the file."""
    found, zeros = 0, bytes(size)
    with open(path, "rb") as file:
        for part in re.finditer("W+", blocks):
            for pos in range(part.start() * BLOCK, part.end() * BLOCK, CHUNK):
                file.seek(pos)
                data = file.read(min(CHUNK, part.end() * BLOCK - pos))
                found += sum(data[i:i + size] != zeros for i in range(0, len(data), size))
    return found
