# SPDX-License-Identifier: GPL-2.0
"""The file that a benchmark leaves, the cells in it, and what may be claimed of them."""

import json
import math
import os
from pathlib import Path

from .stats import ALPHA, TOO_WIDE, Ratio, geometric_mean, holm, noise_floor
from .workload import Failure

FORMAT = 3

# What every result has; see ext4dio-ab(8).
FIELDS = {"kernel", "cpus", "cpu", "date", "fio", "device", "modules", "settings", "sides",
          "workloads", "runs", "complete"}

# What is asked about each side: the figure, its name, and what more or less of it is called.
MEASURES = {"iops": ("IOPS", "faster", "slower"), "p50_us": ("p50", "higher", "lower"),
            "p99_us": ("p99", "higher", "lower"), "cpu_us_per_io": ("CPU", "higher", "lower")}

PERCENTILES = ("p50_us", "p99_us", "p999_us")

# A shorter run, in seconds, says nothing: the start of the jobs is in it.
SHORTEST_S = 2
# A run may end this share earlier than asked for.
EARLY = 0.98
# Equal sides that differ by more than this factor make a figure a noisy one.
NOISY = 1.10
# A difference of no more than this factor is nobody's reason to do anything, however sure it is.
SAME = 1.01
# At a fixed rate: a side that does less than this share of it has not kept up; but the
# operations come at random, and their number may be so many standard deviations off.
KEPT_UP, DEVIATIONS = 0.98, 4


def upgraded(old):
    """A result of format 1 or 2 as one of today's.  What they say of the CPU is left out: the
    start of fio is in it, shared out among few operations on the slower side.  Format 1 has
    neither counters nor an A/A run in each round, and its --seconds were those of
    applications."""
    def without_cpu(run):
        application = Path(__file__).with_name(f"{run['workload']}.app").exists()
        return run if application else {**run, "cpu_us_per_io": None}
    old = {**old, "runs": [without_cpu(run) for run in old["runs"]]}
    if old["format"] > 1:
        return old
    workloads = {name: {"title": title, "operation": old["operations"][name], "shape": "", "io": ""}
                 for name, title in old["titles"].items()}
    runs = [{"load": "max", "counters": None, "ran_out": False, **run} for run in old["runs"]]
    return {**old, "workloads": workloads, "runs": runs, "complete": True,
            "settings": {**old["settings"], "seconds": SHORTEST_S}}


def check(result):
    """Raise one of the errors that load() knows, if the reports could not read @result."""
    if not FIELDS <= result.keys():
        raise KeyError
    for run in result["runs"]:
        figures = [run[f] for f in ("jobs", "round", "ios", "refused", "wall_s", "iops")]
        figures += [run[f] for f in (*PERCENTILES, "cpu_us_per_io") if run[f] is not None]
        if run.get("beside"):
            figures.append(run["beside"]["iops"])
            figures += [run["beside"][f] for f in PERCENTILES if run["beside"][f] is not None]
        if not all(isinstance(figure, (int, float)) for figure in figures):
            raise TypeError
    Analysis(result)


def load(path):
    """The result in the file @path."""
    try:
        result = json.loads(Path(path).read_text())
        if result["format"] not in range(1, FORMAT + 1):
            raise Failure(f"{path} has format {result['format']}, this tool knows 1 to {FORMAT}")
        if result["format"] < FORMAT:
            result = upgraded(result)
        check(result)
        return result
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Failure(f"{path} is no result of ext4dio-ab, or a damaged one") from None


def save(result, path):
    """Put @result into the file @path, all or nothing."""
    new = Path(f"{path}.new")
    with open(new, "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


class Cell:
    """One workload with one number of jobs at one load."""

    def __init__(self, result, key):
        self.key = key
        self.workload, self.jobs, self.load = key
        self.result = result
        self.runs = [r for r in result["runs"] if key_of(r) == key]
        self.base = self.sides[0]

    @property
    def facts(self):
        """The workload's title, operation, shape and io."""
        return self.result["workloads"][self.workload]

    @property
    def sides(self):
        """The names of its columns."""
        return ["device"] if self.workload == "device" else self.result["sides"]

    @property
    def rounds(self):
        """How many rounds have a run that counts."""
        return len({r["round"] for r in self.runs if r["kind"] == "ab"})

    def runs_of(self, side):
        """The runs of a side that count, by round; A/A runs are not among them."""
        return sorted((r for r in self.runs if r["kind"] == "ab" and r["side"] == side),
                      key=lambda r: r["round"])

    def values(self, side, field="iops"):
        """A figure by round; without the runs that do not have it."""
        return [r[field] for r in self.runs_of(side) if r[field] is not None]

    def beside(self, side, field="iops"):
        """A figure of what ran beside, by round; empty where nothing did."""
        found = [r["beside"][field] for r in self.runs_of(side) if r.get("beside")]
        return [figure for figure in found if figure is not None]

    def equal_pairs(self, field):
        """The figures of two runs of the first side, for each round that has them."""
        rounds = {}
        for run in self.runs:
            if run["kind"] == "aa" and run[field]:
                rounds.setdefault(run["round"], []).append(run[field])
        for run in self.runs_of(self.base):
            if len(rounds.get(run["round"], ())) == 1 and run[field]:
                rounds[run["round"]].append(run[field])
        return {number: pair for number, pair in rounds.items() if len(pair) == 2}

    def pairs(self, side, field="iops"):
        """(the first side's, @side's) figure for each round that has both.  Where the first
        side ran before and after the others it is the mean of the two, so that a drift
        during the round cancels out."""
        around = self.equal_pairs(field)
        alone = {r["round"] for r in self.runs if r["kind"] == "aa"}
        base = {}
        for run in self.runs_of(self.base):
            number = run["round"]
            # (In format 1 the A/A runs were pairs of their own, at another time.)
            ours = number in alone and self.result["format"] > 1
            if not ours:
                base[number] = run[field]
            elif number in around:
                base[number] = geometric_mean(around[number])
        return [(base[r["round"]], r[field]) for r in self.runs_of(side)
                if base.get(r["round"]) is not None and r[field] is not None]

    def ratio(self, side, field="iops"):
        """Of @side to the first side."""
        return Ratio(self.pairs(side, field))

    def floor(self, field="iops"):
        """The largest factor by which two equal sides differed here; without A/A runs here:
        elsewhere with as many jobs, else anywhere."""
        here = self.equal_pairs(field).values()
        if here:
            return noise_floor(here)
        others = [Cell(self.result, key) for key in
                  {key_of(r) for r in self.result["runs"] if r["kind"] == "aa"}]
        same = [c for c in others if c.jobs == self.jobs]
        return noise_floor(p for c in same or others for p in c.equal_pairs(field).values())

    def too_short(self):
        """Is a run shorter than it was to be, or than what says anything?"""
        least = max(SHORTEST_S, EARLY * self.result["settings"]["seconds"])
        return any(r["wall_s"] < least for r in self.runs if r["kind"] == "ab")

    def kept_up(self, side):
        """At a fixed rate: did the side do it?  True without one."""
        for run in self.runs_of(side):
            asked = run.get("asked", run.get("rate", 0) * run["wall_s"])
            if run["ios"] - run["refused"] < KEPT_UP * asked - DEVIATIONS * math.sqrt(asked):
                return False
        return True


def key_of(run):
    """The cell of a run."""
    return run["workload"], run["jobs"], run["load"]


class Verdict:
    """What may be claimed of one figure of one side against the first one's."""

    def __init__(self, cell, side, field):
        self.cell, self.side, self.field = cell, side, field
        self.ratio, self.floor = cell.ratio(side, field), max(cell.floor(field), SAME)
        self.chance = None
        if not cell.too_short():
            self.chance = self.ratio.chance(self.floor)
        # Set when all questions are known.
        self.believed = False

    @property
    def noisy(self):
        """Is it a figure that changes by itself?"""
        return self.floor > NOISY or (self.ratio.low is not None and self.ratio.width > TOO_WIDE)

    @property
    def word(self):
        """faster, slower, higher or lower; "" where nothing is claimed."""
        _, more, less = MEASURES[self.field]
        return (more if self.ratio.value > 1 else less) if self.believed else ""

    def text(self):
        """In words."""
        if math.isnan(self.ratio.value):
            if not self.ratio.count:
                return "too few samples" if self.field != "iops" else "not measured"
            return "one side did nothing"
        if self.cell.too_short():
            return "too short: no claim"
        if self.ratio.low is None:
            return "measured once: no claim"
        if self.word:
            return self.word
        if self.ratio.width > TOO_WIDE:
            return "spread too wide to conclude"
        if self.chance < ALPHA:
            return "not certain among so many questions"
        return "no difference shown"


class Analysis:
    """A result's cells, in the order of measuring, and the verdict about each figure.

    All questions of one result are one family (Holm): the more is asked, the more it
    takes to claim something.
    """

    def __init__(self, result):
        self.result = result
        keys = list(dict.fromkeys(key_of(r) for r in result["runs"] if r["kind"] == "ab"))
        self.cells = [Cell(result, key) for key in keys]
        self.verdicts = {}
        for cell in self.cells:
            for side in cell.sides[1:]:
                for field in MEASURES:
                    self.verdicts[cell.key, side, field] = Verdict(cell, side, field)
        asked = [v for v in self.verdicts.values() if v.chance is not None and not (
            # At a fixed rate the rate is no answer.
            v.field == "iops" and v.cell.load != "max")]
        for verdict, believed in zip(asked, holm([v.chance for v in asked])):
            verdict.believed = believed
        self.asked = len(asked)

    def shapes(self):
        """The cells by table: {title: [cell, ...]}."""
        tables = {}
        for cell in self.cells:
            name = cell.facts["shape"] or cell.workload
            tables.setdefault(name, []).append(cell)
        return {self.result["workloads"].get(name, cells[0].facts)["title"]: cells
                for name, cells in tables.items()}

    def verdict(self, cell, side, field="iops"):
        """The verdict about a figure of a side that is not the first."""
        return self.verdicts[cell.key, side, field]

    def at_full_speed(self, side):
        """The verdicts about the IOPS of a side, of the cells in which nothing is held back
        and that both sides did something in."""
        found = [self.verdicts.get((c.key, side, "iops")) for c in self.cells if c.load == "max"]
        return [v for v in found if v and not math.isnan(v.ratio.value)]

    def mean(self, side):
        """The geometric mean of the IOPS ratios of a side; None without any."""
        ratios = [v.ratio.value for v in self.at_full_speed(side)]
        return geometric_mean(ratios) if ratios else None


def locking(runs):
    """What the counters of some runs say together, or None where there are none:
    {"writes", "shared", "exclusive": {reason: n}, "refused", "lock_ms", "drain_ms"}."""
    counters = [r["counters"] for r in runs if r.get("counters")]
    if not counters:
        return None
    total = {}
    for counter in counters:
        for name, value in counter.items():
            total[name] = total.get(name, 0) + value

    def kind(prefix):
        return {name[len(prefix):]: n for name, n in total.items() if name.startswith(prefix) and n}
    again = sum(kind("again_").values())
    exclusive = kind("exclusive_")
    # Those that extend or zero are counted by themselves.
    shared = total.get("shared", 0) + sum(kind("shared_").values())
    # Every write is counted once, in one of these.
    writes = shared + total.get("buffered", 0) + total.get("failed", 0) + again + sum(
        exclusive.values())
    return {"writes": writes, "shared": shared, "exclusive": exclusive,
            "buffered": total.get("buffered", 0), "refused": again,
            "lock_ms": total.get("lock_wait_ns", 0) / 1e6 / len(counters),
            "drain_ms": total.get("drain_wait_ns", 0) / 1e6 / len(counters)}
