# SPDX-License-Identifier: GPL-2.0
"""The runs of a benchmark: in which order, how each is made, what is kept of it."""

import json
import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path

from .target import Side, tool
from .workload import RUN_LIMIT_S, Failure, workload as find_workload


def cpu_busy_s():
    """Seconds that all CPUs together were busy since boot, interrupts included."""
    user, nice, system, _idle, _wait, irq, softirq = (
        int(n) for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def run_application(workload, folder, jobs, seconds, seed, cache):
    """One run of an application, told in the terms of run_fio(); its IOPS are its own
    operations a second."""
    busy = cpu_busy_s()
    got = workload.run(folder, jobs, seconds, seed, cache)
    busy = cpu_busy_s() - busy
    return {
        "ios": int(got["operations"]), "refused": 0, "wall_s": got["seconds"],
        "iops": got["operations"] / got["seconds"],
        **{key: got.get(key, 0.0) for key in ("p50_us", "p99_us", "p999_us")},
        "cpu_us_per_io": busy * 1e6 / got["operations"],
    }


def run_fio(workload, path, jobs, region, seed, raw):
    """One run of a job file; a dictionary of what it measured.  @raw: where fio's own
    JSON is kept."""
    environment = dict(os.environ, **workload.environment(path, jobs, region, seed))
    busy = cpu_busy_s()
    try:
        done = subprocess.run(["fio", "--output-format=json", workload.path.name],
                              cwd=workload.path.parent, env=environment, timeout=RUN_LIMIT_S,
                              capture_output=True, text=True)
    except FileNotFoundError:
        raise Failure("fio is missing: apt-get install fio") from None
    except subprocess.TimeoutExpired:
        raise Failure(f"{workload.name}: fio did not end within {RUN_LIMIT_S} s") from None
    busy = cpu_busy_s() - busy
    start = done.stdout.find("{")
    if done.returncode or start < 0:
        # With a job group each job says what went wrong.
        lines = (done.stderr + done.stdout[:max(start, 0)]).strip().splitlines()
        raise Failure(f"{workload.name}: fio: {lines[-1] if lines else done.returncode}")
    raw.write_text(done.stdout[start:])
    job, = json.loads(done.stdout[start:])["jobs"]
    refused = job.get("total_err", 0)
    kinds = [job[kind] for kind in ("read", "write") if job[kind]["total_ios"]]
    ios = sum(kind["total_ios"] for kind in kinds)
    main = max(kinds, key=lambda kind: kind["total_ios"])
    # In whole ms; a run whose writes are all refused at once takes none.
    seconds = max(max(kind["runtime"] for kind in kinds), 1) / 1000
    latency = main["clat_ns"].get("percentile", {})
    return {
        "ios": ios, "refused": refused, "wall_s": seconds, "iops": (ios - refused) / seconds,
        "p50_us": latency.get("50.000000", 0) / 1000,
        "p99_us": latency.get("99.000000", 0) / 1000,
        "p999_us": latency.get("99.900000", 0) / 1000,
        "cpu_us_per_io": busy * 1e6 / ios,
    }


def schedule(sides, rounds):
    """The order of one cell: A B, then B A, and so on, so that a drift meets both."""
    for number in range(rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            yield number, side


class Benchmark:
    """All runs of a benchmark on one target.

    kind of a run: "ab" counts; "aa" is the first side against itself, the noise
    floor; "warm-up" is thrown away.
    """

    def __init__(self, target, sides, options, say):
        self.target, self.sides, self.options, self.say = target, sides, options, say
        self.workloads = [find_workload(name) for name in options["workloads"]]
        # What applications keep from run to run.
        self.cache = None
        self.plan = list(self.planned())
        self.started = None

    def planned(self):
        """(kind, workload, jobs, round, side) of every run, in order."""
        counted, alone = self.options["rounds"], self.sides[0]
        for _ in range(self.options["warm_up"]):
            for side in self.sides:
                yield "warm-up", self.workloads[-1], self.options["jobs"][-1], 0, side
        for workload in self.workloads:
            for jobs in self.options["jobs"]:
                if workload.on_device:
                    for number in range(counted):
                        yield "ab", workload, jobs, number, None
                    continue
                if workload.name in self.options["aa"] and len(self.sides) > 1:
                    for number, _ in schedule([alone, alone], counted):
                        yield "aa", workload, jobs, number, alone
                for number, side in schedule(self.sides, counted):
                    yield "ab", workload, jobs, number, side

    def region(self, workload, jobs):
        """Bytes of one job's region: as asked for, down to whole units, at least one."""
        wanted = self.options["region"] or self.options["total"] // jobs
        region = max(wanted // workload.unit, 1) * workload.unit
        if region * jobs > self.target.room():
            raise Failure(f"{workload.name} with {jobs} jobs needs {region * jobs >> 20} MiB, "
                          f"but only {self.target.room() >> 20} MiB are there; "
                          "choose a smaller --region or --total, or fewer jobs")
        return region

    def require_room(self, workload, jobs):
        """Fail if a run would not fit."""
        if not workload.application:
            self.region(workload, jobs)
        elif workload.room > self.target.room():
            raise Failure(f"{workload.name} needs {workload.room >> 20} MiB, but only "
                          f"{self.target.room() >> 20} MiB are there")

    def one(self, workload, jobs, side, raw):
        """Lay out, check, measure, check again."""
        if workload.application:
            with self.target.mounted(side) as path:
                return run_application(workload, path, jobs, self.options["seconds"],
                                       self.options["seed"], self.cache)
        region = self.region(workload, jobs)
        units = region // workload.unit * jobs
        seed = self.options["seed"]
        if workload.on_device:
            return run_fio(workload, self.target.path, jobs, region, seed, raw)
        with self.target.mounted(side) as path:
            workload.lay_out(path, units)
            inode = os.stat(path).st_ino
            result = run_fio(workload, path, jobs, region, seed, raw)
            if os.stat(path).st_ino != inode:
                raise Failure("fio has laid the file out anew; the run does not count")
            if workload.once:
                if result["ios"] != units:
                    raise Failure(f"{workload.name}: fio made {result['ios']} writes instead of "
                                  f"{units}; the run does not count")
                workload.check_written(path, units)
            return result

    def left(self, done):
        """The time that the rest will take, at the pace so far."""
        seconds = (time.monotonic() - self.started) / done * (len(self.plan) - done)
        return f"{seconds / 60:.0f} min left" if seconds > 90 else f"{seconds:.0f} s left"

    def measure(self, folder):
        """Make all runs; the list of those that are kept, fio's JSON in @folder."""
        runs = []
        folder.mkdir(parents=True, exist_ok=True)
        # Everything that is asked for has to fit before anything is done.
        for _kind, workload, jobs, _number, _side in self.plan:
            self.require_room(workload, jobs)
        for workload in self.workloads:
            if workload.application:
                workload.require()
        self.started = time.monotonic()
        for done, (kind, workload, jobs, number, side) in enumerate(self.plan, 1):
            name = side.name if side else "device"
            result = self.one(workload, jobs, side, folder / f"{done:04}-{workload.name}.json")
            note = "" if kind == "ab" else f" ({kind})"
            self.say(f"[{done}/{len(self.plan)}] {workload.name}, {jobs} jobs, {name}{note}: "
                     f"{result['iops']:,.0f} {workload.operation}/s, {self.left(done)}")
            if kind != "warm-up":
                runs.append({"kind": kind, "workload": workload.name, "jobs": jobs,
                             "round": number, "side": name, **result})
        return runs

    def result(self, folder):
        """Measure, and put down everything that a reader has to know."""
        facts = {
            "kernel": platform.release(), "machine": platform.machine(),
            "cpus": os.cpu_count(), "fio": tool("fio", "--version", why="fio").strip(),
            "virtual": subprocess.run(["systemd-detect-virt"], capture_output=True, text=True)
                       .stdout.strip() if Path("/usr/bin/systemd-detect-virt").exists() else "",
            "cpu": next((line.split(":", 1)[1].strip()
                         for line in Path("/proc/cpuinfo").read_text().splitlines()
                         if line.startswith("model name")), ""),
            "date": time.strftime("%Y-%m-%d %H:%M:%S %z"), "device": self.target.facts(),
            "modules": {side.type: module_facts(side.type) for side in self.sides
                        if isinstance(side, Side)},
        }
        with tempfile.TemporaryDirectory(prefix="ext4dio-ab-cache.") as self.cache:
            runs = self.measure(folder / "fio")
        return {
            "format": 1, **facts, "settings": self.options,
            "sides": [side.name for side in self.sides],
            "titles": {w.name: w.title for w in self.workloads},
            "operations": {w.name: w.operation for w in self.workloads}, "runs": runs,
        }


def module_facts(name):
    """Version and origin of a module, as modinfo tells them."""
    facts = {}
    for field in ("version", "forked_from", "srcversion"):
        done = subprocess.run(["modinfo", "-F", field, name], capture_output=True, text=True)
        if done.returncode == 0 and done.stdout.strip():
            facts[field] = done.stdout.strip()
    return facts
