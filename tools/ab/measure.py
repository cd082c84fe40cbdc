# SPDX-License-Identifier: GPL-2.0
"""The runs of a benchmark: how long, in which order, how many."""

import os
import tempfile
import time

from . import fio
from .environment import CpuUse, counted, dio_counters, machine, module_facts
from .result import FORMAT, Cell, save
from .stats import Ratio
from .target import Side
from .workload import Failure, workload as find_workload

# A run that only finds out how fast a side is, in seconds at most.
CALIBRATION_S = 1
# The file has room for so much more than a run is expected to write.
SLACK = 1.3
# A run at a fixed rate is no longer than this for the sake of its p99, in seconds.
AT_RATE_S = 60
# Rounds are added until the interval of each side's ratio is narrower than this, as a factor
# from end to end: of the IOPS, or at a fixed rate of the p99, which spreads more.
NARROW = {"iops": 1.10, "p99_us": 1.25}


def run_application(workload, folder, jobs, seconds, seed, cache):
    """One run of an application, told in the terms of fio.measured(); its IOPS are its own
    operations a second."""
    got = workload.run(folder, jobs, seconds, seed, cache)
    return {
        "ios": int(got["operations"]), "refused": 0, "wall_s": got["seconds"],
        "iops": got["operations"] / got["seconds"],
        **{name: got.get(name) if got["operations"] >= least else None
           for name, (_, least) in fio.PERCENTILES.items()},
        "ran_out": False, "beside": None,
    }


def schedule(sides, number, twice):
    """The (kind, side) of round @number (0, 1, ...), the other way round in every second one,
    so that a drift meets both.  @twice: the first side runs again at the end: A B A."""
    order = [("ab", side) for side in sides] + ([("aa", sides[0])] if twice else [])
    return order if number % 2 == 0 else order[::-1]


class Benchmark:
    """All runs of a benchmark on one target; what is measured so far is always in @folder.

    kind of a run: "ab" counts; "aa" is the first side again, for the noise floor;
    "warm-up" and "calibration" are thrown away.
    """

    def __init__(self, target, sides, options, folder, say):
        self.target, self.sides, self.options, self.say = target, sides, options, say
        self.folder = folder
        self.workloads = [find_workload(name) for name in options["workloads"]]
        # What applications keep from run to run.
        self.cache = None
        self.done, self.started = 0, None
        self.result = {
            "format": FORMAT, "complete": False, "ended": "", **machine(),
            "device": target.facts(),
            "modules": {side.type: module_facts(side.type) for side in sides
                        if isinstance(side, Side)},
            "settings": options, "sides": [side.name for side in sides],
            "workloads": {w.name: {"title": w.title, "operation": w.operation, "shape": w.shape,
                                   "io": w.io} for w in self.workloads},
            "mounted_as": target.mounted_as, "cells": [], "runs": [],
        }
        self.require_aligned()
        self.require_room()

    def require_aligned(self):
        """Fail if a workload writes parts of the device's blocks; before anything is done."""
        block = self.target.logical_block
        parts = [w.name for w in self.workloads if not w.fits(block)]
        if parts:
            raise Failure(f"the logical blocks of {self.target.path} have {block} B, no part of "
                          f"which direct I/O can write; leave out: {', '.join(parts)}")

    # --- room ------------------------------------------------------------------

    def least_units(self, workload, jobs):
        """Units of each job's region as asked for, at least one."""
        wanted = self.options["region"] or self.options["total"] // jobs
        return max(wanted // workload.unit, 1)

    def most_units(self, workload, jobs):
        """Units of each job's region that the target has room for."""
        return (self.target.room() - workload.front) // (workload.unit * jobs)

    def require_room(self):
        """Fail if what is asked for does not fit; before anything is done."""
        for workload in self.workloads:
            if workload.application:
                workload.require()
            for jobs in self.options["jobs"]:
                room = self.target.room()
                need = workload.room if workload.application else (
                    workload.front + self.least_units(workload, jobs) * workload.unit * jobs)
                if need > room:
                    raise Failure(f"{workload.name} with {jobs} jobs needs {need >> 20} MiB, but "
                                  f"only {room >> 20} MiB are there; choose a smaller --region "
                                  "or --total, or fewer jobs")

    # --- one run ---------------------------------------------------------------

    def one(self, workload, jobs, side, units, seconds, *, rate=0, seed=1, keep=None):
        """Lay out, check, measure, check again; what was measured."""
        if workload.on_device:
            job = workload.job_file(self.target.path, jobs, units, seconds, seed, rate)
            with CpuUse() as use:
                run = fio.run(workload.name, job, seconds, workload.again, keep, rate)
            return self.with_cpu(run, use, None)
        with self.target.mounted(side) as path:
            if not workload.application:
                workload.lay_out(path, units * jobs)
                inode = os.stat(path).st_ino
                job = workload.job_file(path, jobs, units, seconds, seed, rate)
            counters = dio_counters(path.parent)
            with CpuUse() as use:
                if workload.application:
                    run = run_application(workload, path, jobs, seconds, seed, self.cache)
                else:
                    run = fio.run(workload.name, job, seconds, workload.again, keep, rate)
            run = self.with_cpu(run, use, counted(counters, dio_counters(path.parent)))
            if workload.application:
                return run
            if os.stat(path).st_ino != inode:
                raise Failure("fio has laid the file out anew; the run does not count")
            if not workload.again:
                workload.check_written(path, units * jobs, run["ios"] - run["refused"])
            return run

    @staticmethod
    def with_cpu(run, use, counters):
        """@run with what it cost, by @use, CpuUse around it.  The start of fio is no part of
        that; the start of an application, which does not say when it was over, is."""
        cost = use.total()
        if "began" in run:
            rate = run["began"] and use.rate(run["began"], run["began"] + run["wall_s"])
            cost = None if rate is None else rate * run["wall_s"]
        ios = run["ios"] + (run["beside"]["ios"] if run["beside"] else 0)
        return {**run, "counters": counters,
                "cpu_us_per_io": None if cost is None or not ios else cost * 1e6 / ios}

    # --- a cell ----------------------------------------------------------------

    def calibrate(self, workload, jobs, sides):
        """How many units each job's region must have, and the operations a second of the
        slowest side; a short run of each side tells."""
        most, units = self.most_units(workload, jobs), self.least_units(workload, jobs)
        seconds = min(CALIBRATION_S, self.options["seconds"])
        rates = []
        for side in sides:
            while True:
                run = self.one(workload, jobs, side, units, seconds)
                # Half the time will do; less is mostly the start of the jobs.
                if not run["ran_out"] or run["wall_s"] > seconds / 2 or units >= most:
                    break
                units = min(units * 4, most)
            rates.append(run["iops"])
        self.say(f"{workload.name}, {jobs} {count(jobs, 'job')}, calibration: "
                 + ", ".join(f"{side.name} {rate:,.0f}/s" for side, rate in zip(sides, rates)))
        return self.units_for(workload, jobs, max(rates)), min(rates)

    def units_for(self, workload, jobs, rate, seconds=None, slack=SLACK):
        """The region of each job, in units, for @rate operations a second and @slack times
        @seconds (default: a run's)."""
        least = self.least_units(workload, jobs)
        if workload.again or workload.application:
            return least
        seconds = seconds or self.options["seconds"]
        wanted = int(rate * seconds * slack / (jobs * workload.writes)) + 1
        return min(max(wanted, least), self.most_units(workload, jobs))

    def measure(self, workload, jobs):
        """All cells of one workload and number of jobs."""
        sides = [type("Raw", (), {"name": "device"})] if workload.on_device else self.sides
        full = slowest = None
        for load in self.options["rate"]:
            rate, units = 0, self.least_units(workload, jobs) if not workload.application else 1
            seconds = self.options["seconds"]
            calibrated = load == "max" and not workload.again or load.endswith("%")
            if calibrated and not workload.application:
                if full is None:
                    full, slowest = self.calibrate(workload, jobs, sides)
                units = full
            if load != "max":
                if workload.application:
                    continue
                rate = int(slowest * int(load[:-1]) / 100) if load.endswith("%") else int(load)
                # Each job does a whole number a second.
                rate = max(round(rate / jobs), 1) * jobs
                # The jobs differ in how much they do.
                seconds = self.seconds_at(rate)
                units = self.units_for(workload, jobs, rate, seconds, 2)
            self.cell(workload, jobs, load, rate, sides, units, seconds)

    def seconds_at(self, rate):
        """How long a run at a fixed rate has to be to tell the p99, which it is for; within
        reason."""
        enough = 1.2 * fio.PERCENTILES["p99_us"][1]
        return max(self.options["seconds"], min(enough / rate, AT_RATE_S))

    def cell(self, workload, jobs, load, rate, sides, units, seconds):
        """The rounds of one cell, of runs of @seconds: as many as it takes, within the
        limits."""
        key = workload.name, jobs, load
        least, limit = self.options["rounds"]
        twice = workload.name in self.options["aa"]
        facts = {"workload": workload.name, "jobs": jobs, "load": load, "rate": rate,
                 "stopped": ""}
        self.result["cells"].append(facts)
        number = 0
        while number < limit:
            runs = []
            for kind, side in schedule(sides, number, twice):
                self.done += 1
                keep = self.folder / "fio" / f"{self.done:04}-{workload.name}"
                run = self.one(workload, jobs, side, units, seconds, rate=rate,
                               seed=self.options["seed"] + number, keep=keep)
                runs.append({"kind": kind, "workload": workload.name, "jobs": jobs, "load": load,
                             "rate": rate, "round": number, "side": side.name, "units": units,
                             "raw": keep.name, **run})
                self.keep(runs)
                self.tell(workload, runs[-1], limit)
            most = self.most_units(workload, jobs) if not workload.application else units
            if any(r["ran_out"] for r in runs) and units < most:
                # Faster than the calibration: the round again, with a larger file.
                self.result["runs"] = [r for r in self.result["runs"] if r not in runs]
                units = min(units * 2, most)
                continue
            number += 1
            if number >= least and narrow(Cell(self.result, key)):
                break
        facts["rounds"] = number
        facts["stopped"] = "narrow" if narrow(Cell(self.result, key)) else "limit"
        self.keep([])

    def keep(self, runs):
        """Put what was measured, and the last of @runs, into the file."""
        self.result["runs"] += runs[-1:]
        save(self.result, self.folder / "result.json")

    def tell(self, workload, run, limit):
        """Progress."""
        note = " again, for the noise" if run["kind"] == "aa" else ""
        load = "" if run["load"] == "max" else f", {run['rate']}/s asked for"
        self.say(f"{run['workload']}, {run['jobs']} {count(run['jobs'], 'job')}{load}, round "
                 f"{run['round'] + 1} of at most {limit}, {run['side']}{note}: {run['iops']:,.0f} "
                 f"{workload.operation}/s, {self.left()}")

    def left(self):
        """The time that the rest will take at most, at the pace so far."""
        runs = 0
        for workload in self.workloads:
            sides = 1 if workload.on_device else len(self.sides)
            loads = 1 if workload.application else len(self.options["rate"])
            runs += (len(self.options["jobs"]) * loads * self.options["rounds"][1]
                     * (sides + (workload.name in self.options["aa"])))
        # (Not those of a round that is made again.)
        done = len(self.result["runs"])
        seconds = (time.monotonic() - self.started) / done * (runs - done)
        return f"at most {seconds / 60:.0f} min left" if seconds > 90 else (
            f"at most {seconds:.0f} s left")

    # --- all -------------------------------------------------------------------

    def run(self):
        """Make all runs; the result, which is in the folder too, also if it ends early."""
        self.started = time.monotonic()
        last = self.workloads[-1]
        try:
            with tempfile.TemporaryDirectory(prefix="ext4dio-ab-cache.") as self.cache:
                for _ in range(self.options["warm_up"]):
                    jobs = self.options["jobs"][-1]
                    units = 1 if last.application else self.least_units(last, jobs)
                    for side in self.sides:
                        self.one(last, jobs, side, units, self.options["seconds"])
                for workload in self.workloads:
                    for jobs in self.options["jobs"]:
                        self.measure(workload, jobs)
        except BaseException as error:
            self.result["ended"] = str(error) or "interrupted"
            if self.result["runs"]:
                save(self.result, self.folder / "result.json")
            raise
        self.result["complete"] = True
        save(self.result, self.folder / "result.json")
        return self.result


def count(number, word):
    """"1 job", "2 jobs" without the number."""
    return word if number == 1 else word + "s"


def narrow(cell):
    """Is the interval of the ratio of every side narrow enough?  True with one side, of
    which there is no ratio."""
    field = "iops" if cell.load == "max" else "p99_us"
    ratios = [Ratio(cell.pairs(side, field)) for side in cell.sides[1:]]
    # A side that does nothing, or has too few samples, will not with more rounds.
    return all(r.width <= NARROW[field] for r in ratios if r.low is not None or r.count == 1)
