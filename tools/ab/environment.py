# SPDX-License-Identifier: GPL-2.0
"""The machine that a result comes from, and the counters of ext4dio."""

import contextlib
import os
import platform
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


def idle_s():
    """Seconds that all CPUs together have had nothing to do since boot.

    The kernel knows this exactly, and prints hundredths.  Whatever it says of user, system and
    interrupts it has found by looking at each tick who was running.
    """
    fields = [int(n) for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (fields[3] + fields[4] + fields[7]) / os.sysconf("SC_CLK_TCK")


class CpuUse:
    """Samples how long all CPUs together have been busy, interrupts included, while a "with"
    lasts; what it costs itself is left out."""

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
        cpus = os.sysconf("SC_NPROCESSORS_ONLN")
        while True:
            last = self.over.is_set()
            busy = cpus * time.monotonic() - idle_s() - time.thread_time()
            self.samples.append((time.time(), busy))
            if last:
                return
            self.over.wait(self.EVERY_S)

    def total(self):
        """Busy seconds, all together."""
        return self.samples[-1][1] - self.samples[0][1]

    def rate(self, began, ended):
        """Busy CPUs (seconds a second) between two times of day, but for the ends: the slope of
        a straight line through the samples, as each is rounded to 10 ms.  None if they are too
        few."""
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
            if p.name not in ("policy", "reset")}


def counted(before, after):
    """What dio_counters() have counted in between.  The longest waits are those since the
    mount, if one became longer, else 0."""
    if before is None or after is None:
        return None
    return {name: (value if value > before.get(name, 0) else 0) if name.endswith("_max_ns")
            else value - before.get(name, 0) for name, value in after.items()}
