# SPDX-License-Identifier: GPL-2.0
"""The machine that a result comes from, and the counters of ext4dio."""

import contextlib
import os
import platform
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path
from statistics import linear_regression

TOOLS = Path(__file__).resolve().parent.parent


def version():
    """Of these tools: installed, from the file beside them; in a checkout, from dkms.conf."""
    with contextlib.suppress(OSError):
        return (TOOLS / "version").read_text().strip()
    with contextlib.suppress(OSError):
        for line in (TOOLS.parent / "dkms.conf").read_text().splitlines():
            if line.startswith("PACKAGE_VERSION="):
                return line.split('"')[1]
    return "unknown"


def read(path):
    """The text of a file of sysfs or procfs; "" where there is none."""
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def output(*command):
    """What a command prints; "" if it is not there or fails."""
    if not shutil.which(command[0]):
        return ""
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def chosen(text):
    """Of "a [b] c", as sysfs shows a choice: b."""
    return text[text.index("[") + 1:text.index("]")] if "[" in text else text


def module_facts(name):
    """Version and origin of the module that is loaded, as modinfo tells them."""
    facts = {field: output("modinfo", "-F", field, name) for field in ("version", "forked_from")}
    # modinfo may know one that was installed since.
    facts["srcversion"] = (read(f"/sys/module/{name}/srcversion")
                           or output("modinfo", "-F", "srcversion", name))
    return {field: text for field, text in facts.items() if text}


def machine():
    """What a reader has to know of the machine."""
    cpu = Path("/sys/devices/system/cpu")
    return {
        "tool": version(), "fio": output("fio", "--version"), "kernel": platform.release(),
        "machine": platform.machine(), "cpus": os.cpu_count(),
        "cpu": next((line.split(":", 1)[1].strip() for line in read("/proc/cpuinfo").splitlines()
                     if line.startswith("model name")), ""),
        "virtual": output("systemd-detect-virt"),
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "environment": {
            "command_line": read("/proc/cmdline"),
            "governors": sorted({read(p) for p in cpu.glob("cpu*/cpufreq/scaling_governor")}),
            "mitigations": {p.name: read(p) for p in sorted(cpu.glob("vulnerabilities/*"))},
            "numa_nodes": len(list(Path("/sys/devices/system/node").glob("node[0-9]*"))),
            "transparent_hugepages": chosen(read("/sys/kernel/mm/transparent_hugepage/enabled")),
            "memory_kib": int(read("/proc/meminfo").split()[1]),
        },
    }


def busy_s():
    """Seconds that all CPUs together have run tasks since boot, or None where the kernel does not
    tell.

    The scheduler counts each task's ns.  /proc/stat will not do: what it says of user and system
    is found by looking at each tick who runs, and idle and iowait can be more than all time
    together (7.2: by 18% where one task waits for I/O).  What is left out are interrupts that
    come while a CPU is idle.
    """
    lines = read("/proc/schedstat").splitlines()
    found = [int(line.split()[7]) for line in lines if re.match(r"cpu\d", line)]
    return sum(found) / 1e9 if found else None


class CpuUse:
    """Samples for how long all CPUs together have run tasks, while a "with" lasts; what it costs
    itself is left out."""

    # Between samples, in seconds, and how many it takes to tell a rate.
    EVERY_S, ENOUGH = 0.1, 10
    # Shares of a run at its ends that are not looked at: jobs start and end there.
    ENDS = 0.05

    def __init__(self):
        self.samples = []
        self.over = threading.Event()
        self.sampler = threading.Thread(target=self.sample, daemon=True)

    def __enter__(self):
        self.sampler.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.sampler.join()

    def sample(self):
        """The thread: (time of day, busy seconds) at the start, ever again, and at the end."""
        while True:
            last = self.over.is_set()
            busy = busy_s()
            if busy is None:
                return
            self.samples.append((time.time(), busy - time.thread_time()))
            if last:
                return
            self.over.wait(self.EVERY_S)

    def total(self):
        """Busy seconds, all together; None where they cannot be told."""
        return self.samples[-1][1] - self.samples[0][1] if self.samples else None

    def rate(self, began, ended):
        """Busy CPUs (seconds a second) between two times of day, but for the ends: the slope of
        a straight line through the samples, as a task's time is told when it ends its turn.
        None if they are too few."""
        edge = self.ENDS * (ended - began)
        inside = [s for s in self.samples if began + edge <= s[0] <= ended - edge]
        if len(inside) < self.ENOUGH:
            return None
        return linear_regression(*zip(*inside)).slope


def dio_counters(path):
    """The counters of the ext4dio mount that @path is on; None if it is on another type."""
    number = os.stat(path).st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve().name
    folder = Path("/sys/fs/ext4dio") / device / "dio"
    if not folder.is_dir():
        return None
    return {p.name: int(p.read_text()) for p in sorted(folder.iterdir())
            if p.name not in ("policy", "reset", "ahead_kib")}


def counted(before, after):
    """What dio_counters() have counted in between.  The longest waits are those since the
    mount, if one became longer, else 0."""
    if before is None or after is None:
        return None
    return {name: (value if value > before.get(name, 0) else 0) if name.endswith("_max_ns")
            else value - before.get(name, 0) for name, value in after.items()}
