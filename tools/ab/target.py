# SPDX-License-Identifier: GPL-2.0
"""Where a benchmark runs: a block device that it may destroy, or a folder."""

import contextlib
import fcntl
import os
import re
import shutil
import stat
import struct
import subprocess
import tempfile
from pathlib import Path

from .environment import chosen, read
from .workload import Failure

BLKGETSIZE64 = 0x80081272
DEVICES = Path("/sys/dev/block")


def tool(*command, why):
    """Run a tool; a failure is told with what it printed last."""
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    except FileNotFoundError:
        raise Failure(f"{why}: the program {command[0]} is missing") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
        raise Failure(f"{why}: {command[0]}: {lines[-1]}")
    return done.stdout


def have_type(name):
    """Is file system type @name registered, or can it be loaded?"""
    def registered():
        return re.search(rf"\b{re.escape(name)}$", Path("/proc/filesystems").read_text(), re.M)
    if not registered():
        subprocess.run(["modprobe", f"fs-{name}"], capture_output=True)
    return bool(registered())


def queue_of(number):
    """Where sysfs tells of the block device @number, MAJOR:MINOR; of a partition its disk."""
    queue = DEVICES / number / "queue"
    return queue if queue.exists() else queue.parent.resolve().parent / "queue"


def logical_block(number):
    """Bytes of the blocks of a device, no part of which direct I/O can write; 1 if it is not
    known, as that of a file system without a device."""
    return int(read(queue_of(number) / "logical_block_size") or 1)


class Side:
    """One column: a file system type and, after a colon, its mount options."""

    def __init__(self, text):
        self.name = text
        self.type, _, self.options = text.partition(":")
        if not have_type(self.type):
            hint = "; install it (make dkms-install)" if self.type == "ext4dio" else ""
            raise Failure(f"the kernel has no file system type '{self.type}' and none can be "
                          f"loaded{hint}")
        if not self.is_ext4 and not shutil.which(f"mkfs.{self.type}"):
            raise Failure(f"the program mkfs.{self.type} is missing; install what makes a file "
                          f"system of type '{self.type}'")

    @property
    def is_ext4(self):
        """Is it one of those that mkfs.ext4 makes?"""
        return self.type.startswith("ext4")


class Device:
    """A block device that the benchmark formats anew for every run."""

    def __init__(self, path, destroy):
        self.path = Path(path)
        try:
            mode = self.path.stat()
        except OSError as error:
            raise Failure(f"{path}: {error.strerror}") from None
        if not stat.S_ISBLK(mode.st_mode):
            raise Failure(f"{path} is no block device; to measure in a folder use --dir")
        self.number = f"{os.major(mode.st_rdev)}:{os.minor(mode.st_rdev)}"
        self.logical_block = logical_block(self.number)
        self.refuse_in_use()
        content = self.content()
        if content and not destroy:
            raise Failure(f"{path} is not empty: it has {content}. Nothing was changed. "
                          "To have all of it destroyed add --destroy")
        self.folder = None
        # As they were mounted, by side.
        self.mounted_as = {}

    def refuse_in_use(self):
        """Mounted, swap, held by dm or md, a partition of it mounted: not ours."""
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            fields = line.split()
            if fields[2] == self.number:
                raise Failure(f"{self.path} is mounted on {fields[4]}; unmount it first")
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_EXCL)
        except OSError as error:
            raise Failure(f"{self.path} cannot be opened for exclusive use: {error.strerror}; "
                          "it is mounted, swap, or part of another device") from None
        self.size = struct.unpack("Q", fcntl.ioctl(fd, BLKGETSIZE64, b"\0" * 8))[0]
        os.close(fd)

    def content(self):
        """What is on it, by libblkid; empty if it bears no signature."""
        done = subprocess.run(["blkid", "-p", "-o", "export", str(self.path)],
                              capture_output=True, text=True)
        if done.returncode == 2:
            return ""
        if done.returncode not in (0, 8):
            raise Failure(f"blkid cannot read {self.path}: {done.stderr.strip()}")
        tags = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        kind = tags.get("TYPE") or tags.get("PTTYPE")
        name = tags.get("LABEL") or tags.get("UUID") or tags.get("PTUUID")
        if done.returncode == 8:
            return "several signatures"
        if not kind:
            return ""
        return f"a signature of {kind}" + (f" ({name})" if name else "")

    def facts(self):
        """What a reader of the result has to know of it."""
        queue = queue_of(self.number)
        return {
            "path": str(self.path), "size": self.size,
            "model": read(queue.parent / "device/model"),
            "scheduler": chosen(read(queue / "scheduler")),
            **{name: read(queue / name) for name in
               ("logical_block_size", "rotational", "write_cache", "nr_requests")},
        }

    def room(self):
        """Bytes that a file may have on it, leaving the file system its own."""
        return self.size * 8 // 10

    @contextlib.contextmanager
    def mounted(self, side):
        """A fresh file system of @side; a file's path on it.  Checked when left."""
        if side.is_ext4:
            make = ["mkfs.ext4", "-qF", "-b4096", "-Elazy_itable_init=0,lazy_journal_init=0"]
            check = ["e2fsck", "-fn", self.path]
        elif side.type == "xfs":
            make, check = ["mkfs.xfs", "-qf"], ["xfs_repair", "-n", self.path]
        else:
            make, check = [f"mkfs.{side.type}"], [f"fsck.{side.type}", "-n", self.path]
        tool(*make, self.path, why=f"cannot format {self.path} for {side.name}")
        self.folder = Path(tempfile.mkdtemp(prefix="ext4dio-ab."))
        mount = ["mount", "-t", side.type]
        if side.options:
            mount += ["-o", side.options]
        try:
            tool(*mount, self.path, self.folder, why=f"cannot mount {side.name}")
            self.mounted_as[side.name] = tool("findmnt", "-no", "OPTIONS", self.folder,
                                              why="cannot tell the mount options").strip()
            yield self.folder / "file"
            tool("umount", self.folder, why=f"cannot unmount {side.name}")
            tool(*check, why=f"{side.name} left {self.path} damaged")
        finally:
            self.clean_up()

    def clean_up(self):
        """Unmount what is mounted and remove the mount point; safe at any time."""
        if not self.folder:
            return
        if os.path.ismount(self.folder):
            subprocess.run(["umount", str(self.folder)], capture_output=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()
        self.folder = None


class Folder:
    """A folder of an existing mount: one side only, whatever is mounted there."""

    def __init__(self, path):
        self.path = Path(path)
        if not self.path.is_dir():
            raise Failure(f"{path} is no folder")
        self.file = self.path / "ext4dio-ab.tmp"
        if self.file.exists():
            raise Failure(f"{self.file} is there already; remove it if nobody uses it")
        line = tool("findmnt", "-no", "FSTYPE,SOURCE,OPTIONS", "-T", self.path,
                    why=f"cannot tell what is mounted at {path}").split()
        self.type, self.source = line[0], line[1]
        self.mounted_as = {self.type: line[2]}
        number = os.stat(self.path).st_dev
        self.logical_block = logical_block(f"{os.major(number)}:{os.minor(number)}")

    def facts(self):
        """What a reader of the result has to know of it."""
        return {"path": str(self.path), "source": self.source}

    def room(self):
        """Bytes that a file may have here."""
        state = os.statvfs(self.path)
        return state.f_bavail * state.f_frsize * 9 // 10

    @contextlib.contextmanager
    def mounted(self, _side):
        """The path of the file that is measured."""
        try:
            yield self.file
        finally:
            self.clean_up()

    def clean_up(self):
        """Remove what the benchmark has left; safe at any time."""
        if self.file.is_dir():
            shutil.rmtree(self.file)
        self.file.unlink(missing_ok=True)
