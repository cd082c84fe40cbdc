# SPDX-License-Identifier: GPL-2.0
"""Which runs are made, with a made-up fio and a target that is none."""

import contextlib
import json
import os
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from ab import measure
from ab.environment import CpuUse, busy_s, counted
from ab.measure import Benchmark, schedule
from ab.workload import Application, Failure, Workload


class Target:
    """A folder that has room for 1 GiB; the side mounted last is the last of mounted_as."""

    path = "/made-up"
    logical_block = 512

    def __init__(self, folder):
        self.file = Path(folder) / "file"
        self.file.touch()
        self.mounted_as = {}

    def facts(self):
        return {"path": self.path}

    def room(self):
        return 1 << 30

    @contextlib.contextmanager
    def mounted(self, side):
        self.mounted_as.pop(side.name, None)
        self.mounted_as[side.name] = "rw"
        yield self.file


class Side:
    def __init__(self, name):
        self.name = name


class Bench(unittest.TestCase):
    """Runs Benchmark; self.rate(job file's text, number of run) is what a side does."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.calls, self.said = [], []
        self.rates = {"a": 100.0, "b": 200.0}
        self.beside = None
        self.began = 1e9
        self.target = Target(self.folder)
        for name in ("lay_out", "check_written"):
            patch = mock.patch.object(Workload, name, lambda *_: None)
            patch.start()
            self.addCleanup(patch.stop)
        patch = mock.patch.object(measure.fio, "run", self.fio)
        patch.start()
        self.addCleanup(patch.stop)

    def fio(self, name, text, seconds, again, keep, asked=0):
        """A side does what self.rates says, until its file is full."""
        side = list(self.target.mounted_as)[-1] if name != "device" else "device"
        rate = self.rates[side]
        rate = rate(len(self.calls)) if callable(rate) else rate
        self.calls.append((side, text, seconds))
        lines = dict(x.split("=", 1) for x in text.splitlines() if "=" in x)
        if "rate_iops" in lines:
            self.assertEqual(int(lines["rate_iops"].split(",")[0]) * int(lines["numjobs"]), asked)
            rate = min(rate, asked)
        ios = rate * seconds
        full = int(lines["number_ios"]) * int(lines["numjobs"]) if not again else ios
        return {"ios": int(min(ios, full)), "refused": 0, "began": self.began,
                "wall_s": min(ios, full) / rate, "iops": rate, "p50_us": 1.0, "p99_us": 2.0,
                "p999_us": None,
                "ran_out": full < ios, "beside": self.beside}

    def bench(self, workloads=("mixed",), jobs=(1,), rounds=(3, 6), sides=("a", "b"), **more):
        """A finished benchmark's result."""
        options = {"workloads": list(workloads), "jobs": list(jobs), "rounds": list(rounds),
                   "rate": ["max"], "region": None, "total": 1 << 20, "warm_up": 0,
                   "seconds": 5.0, "aa": list(workloads), "seed": 1, "device_note": "", **more}
        return Benchmark(self.target, [Side(s) for s in sides], options, self.folder,
                         self.said.append).run()

    def saved(self):
        """What is in the file."""
        return json.loads((self.folder / "result.json").read_text())


class Plan(Bench):
    def test_schedule(self):
        """a round is A B A, the next the other way round"""
        self.assertEqual(schedule("AB", 0, True), [("ab", "A"), ("ab", "B"), ("aa", "A")])
        self.assertEqual(schedule("AB", 1, True), [("aa", "A"), ("ab", "B"), ("ab", "A")])
        self.assertEqual(schedule("ABC", 1, False), [("ab", "C"), ("ab", "B"), ("ab", "A")])

    def test_size(self):
        """the file is made for the faster side, and both sides get the same"""
        result = self.bench()
        self.assertEqual({r["units"] for r in result["runs"]}, {int(200 * 5 * 1.3) + 1})
        self.assertTrue(all(r["wall_s"] == 5 for r in result["runs"]))

    def test_calibration(self):
        """a side that is through at once is tried again with a larger file"""
        self.rates["b"] = 5000.0
        self.bench()
        tries = [text for side, text, seconds in self.calls if seconds == 1 and side == "b"]
        self.assertEqual([t for text in tries for t in text.splitlines() if "number_ios" in t],
                         ["number_ios=128", "number_ios=512", "number_ios=2048",
                          "number_ios=8192"][:len(tries)])
        self.assertGreater(len(tries), 2)

    def test_pieces(self):
        """a file that takes eight writes a block has room for them all, and is no larger"""
        for name in ("zeroing-512", "vm-512"):
            self.rates = {"a": 1000.0, "b": 20000.0}
            result = self.bench(workloads=(name,), jobs=(2,))
            self.assertEqual({r["units"] for r in result["runs"]},
                             {int(20000 * 5 * 1.3 / 2 / 8) + 1}, name)
            self.assertFalse(any(r["ran_out"] for r in result["runs"]))

    def test_tail(self):
        """the file of tail has room for the appends of its one thread, behind what is read"""
        self.rates = {"a": 1000.0, "b": 2000.0}
        result = self.bench(workloads=("tail",), jobs=(4,))
        self.assertEqual({r["units"] for r in result["runs"]}, {int(2000 * 5 * 1.3 / 4) + 1})
        self.assertFalse(any(r["ran_out"] for r in result["runs"]))
        self.bench(workloads=("tail",), total=(1 << 30) - (1 << 20), rounds=(1, 1))
        with self.assertRaisesRegex(Failure, "needs 1024 MiB, but only 1024 MiB are there"):
            self.bench(workloads=("tail",), total=(1 << 30) - (1 << 20) + 8192)
        self.rates["b"] = 1e6
        result = self.bench(workloads=("tail",), rounds=(1, 1))
        self.assertEqual({r["units"] for r in result["runs"]}, {(1 << 17) - (1 << 7)})

    def test_cost(self):
        """what a run cost is that of each operation, of those beside it too"""
        self.began = 1000.0
        with mock.patch.object(CpuUse, "rate", lambda _, began, ended: (ended - began) / 10):
            result = self.bench(workloads=("tail",), sides=("a",), rounds=(1, 1), aa=[])
            self.assertEqual([r["cpu_us_per_io"] for r in result["runs"]], [5 * 0.5e6 / 500])
            self.beside = {"ios": 1500}
            result = self.bench(workloads=("tail",), sides=("a",), rounds=(1, 1), aa=[])
        self.assertEqual([r["cpu_us_per_io"] for r in result["runs"]], [5 * 0.5e6 / 2000])
        result = self.bench(sides=("a",), rounds=(1, 1))
        self.assertEqual({r["cpu_us_per_io"] for r in result["runs"]}, {None})
        self.began = None
        result = self.bench(sides=("a",), rounds=(1, 1))
        self.assertEqual({r["cpu_us_per_io"] for r in result["runs"]}, {None})

    def test_busy(self):
        """busy CPUs are told by the samples within a run, of which there must be enough"""
        use = CpuUse()
        # Three CPUs until fio's jobs start at 100, half a one for 5 s, each rounded to 10 ms.
        use.samples = [(99 + i / 10, round(100 + 3 * i / 10, 2)) for i in range(10)]
        use.samples += [(100 + i / 10, round(103 + i / 20, 2)) for i in range(50)]
        use.samples += [(105 + i / 10, round(105.5 + i / 10, 2)) for i in range(10)]
        self.assertAlmostEqual(use.rate(100, 105), 0.5, delta=0.002)
        self.assertIsNone(use.rate(100, 101))
        self.assertIsNone(use.rate(500, 505))
        self.assertAlmostEqual(use.total(), 6.4)

    def test_busy_here(self):
        """of this machine, busy or not: a number of CPUs that it has"""
        began = time.time()
        with CpuUse() as use:
            time.sleep(1.6)
        if Path("/proc/schedstat").exists():
            found = use.rate(began, time.time())
            self.assertGreaterEqual(found, -0.05)
            self.assertLessEqual(found, os.cpu_count() * 1.05)

    def test_busy_told(self):
        """the scheduler's count of all CPUs is what is read; without one nothing is told"""
        text = ("version 17\ntimestamp 4295\ncpu0 0 0 5 6 7 8 1500000000 3 4\n"
                "domain0 SMT 3 1 2 3 4 5 6 7 8\ncpu11 0 0 5 6 7 8 250000000 3 4\n")
        with mock.patch.object(Path, "read_text", lambda _: text):
            self.assertEqual(busy_s(), 1.75)
        with mock.patch.object(Path, "read_text", lambda _: ""):
            self.assertIsNone(busy_s())
            with CpuUse() as use:
                pass
            self.assertEqual((use.total(), use.rate(0, 1e10)), (None, None))

    def test_faster_than_calibrated(self):
        """a round in which a file was too small is made again with a larger one"""
        self.rates["b"] = lambda call: 200.0 if call < 2 else 400.0
        result = self.bench()
        self.assertEqual(len({r["units"] for r in result["runs"]}), 1)
        self.assertFalse(any(r["ran_out"] for r in result["runs"]))
        self.assertEqual(result, self.saved())

    def test_no_room(self):
        """where there is no room the run is short, and says so"""
        self.rates["b"] = 1e6
        result = self.bench(rounds=(1, 1))
        self.assertTrue(any(r["ran_out"] and r["wall_s"] < 5 for r in result["runs"]))
        with self.assertRaisesRegex(Failure, "needs 2048 MiB, but only 1024 MiB are there"):
            self.bench(total=1 << 31)

    def test_blocks(self):
        """writes of parts of the device's blocks are refused, all of them, before anything"""
        asked = ("device", "mixed", "stripe", "zeroing", "zeroing-512", "append", "vm-512")
        self.target.logical_block = 4096
        with self.assertRaisesRegex(Failure, "of /made-up have 4096 B.*leave out: "
                                             "stripe, zeroing, zeroing-512, vm-512$"):
            self.bench(workloads=asked)
        with mock.patch.object(measure, "find_workload",
                               lambda name: Workload(name, "", "WW", 4096, at=512)), \
                self.assertRaisesRegex(Failure, "leave out: shifted$"):
            self.bench(workloads=("shifted",))
        self.assertEqual((self.calls, [p.name for p in self.folder.iterdir()]), ([], ["file"]))
        self.target.logical_block = 512
        self.rates["device"] = 300.0
        self.bench(workloads=asked, rounds=(1, 1))
        self.target.logical_block = 4096
        self.bench(workloads=("device", "mixed", "append"), rounds=(1, 1))
        # Nobody knows it.
        self.target.logical_block = 1
        self.bench(workloads=("stripe", "vm-512"), rounds=(1, 1))

    def test_rounds(self):
        """rounds end at the least of them where the interval is narrow"""
        result = self.bench()
        self.assertEqual(result["cells"][0]["rounds"], 3)
        self.assertEqual(result["cells"][0]["stopped"], "narrow")
        self.assertTrue(result["complete"])

    def test_limit(self):
        """and at the most of them where it is not"""
        self.rates["b"] = lambda call: 200.0 + 90 * (call % 3)
        result = self.bench(sides=("a", "b"), aa=[])
        self.assertEqual(result["cells"][0]["rounds"], 6)
        self.assertEqual(result["cells"][0]["stopped"], "limit")

    def test_twice(self):
        """every workload has its A/A runs, the device too"""
        self.rates["device"] = 300.0
        result = self.bench(workloads=("device", "overwrite", "mixed"), rounds=(2, 2))
        for name in ("device", "overwrite", "mixed"):
            kinds = [r["kind"] for r in result["runs"] if r["workload"] == name]
            self.assertEqual(kinds.count("aa"), 2, name)

    def test_application(self):
        """an application runs as long as asked for, without calibration, at full speed only"""
        asked = []

        def run(_app, _folder, jobs, seconds, seed, _cache):
            asked.append((jobs, seconds, seed))
            return {"operations": 1500.0, "seconds": 5.0, "p99_us": 7.0, "p999_us": 9.0}
        with mock.patch.object(Application, "run", run), \
                mock.patch.object(Application, "require", lambda _: None):
            result = self.bench(workloads=("rocksdb",), jobs=(2,), rounds=(2, 2),
                                rate=["max", "50%"], warm_up=1)
        self.assertEqual(asked, [(2, 5.0, 1)] * 5 + [(2, 5.0, 2)] * 3)
        self.assertEqual({r["iops"] for r in result["runs"]}, {300.0})
        self.assertEqual(result["runs"][0]["p99_us"], 7.0)
        self.assertIsNone(result["runs"][0]["p999_us"])
        self.assertEqual(result["workloads"]["rocksdb"]["operation"], "operations")

    def test_rate(self):
        """a share is one of what the slower side can do, the same for both"""
        result = self.bench(jobs=(2,), rate=["max", "50%", "70"], rounds=(1, 1))
        self.assertEqual({(r["load"], r["rate"]) for r in result["runs"]},
                         {("max", 0), ("50%", 50), ("70", 70)})
        texts = [text for _, text, seconds in self.calls if "rate_iops=25,25" in text]
        self.assertEqual(len(texts), 3)
        result = self.bench(jobs=(3,), rate=["100", "1"], rounds=(1, 1))
        self.assertEqual({r["rate"] for r in result["runs"]}, {99, 3})
        result = self.bench(jobs=(3,), rate=["10", "11"], rounds=(1, 1))
        self.assertEqual({r["rate"] for r in result["runs"]}, {9, 12})

    def test_rate_is_long_enough(self):
        """a run at a fixed rate is as long as its p99 takes, and no longer than a minute"""
        for rate, seconds in (("1", 60), ("60", 20), ("80", 15), ("250", 5)):
            self.calls.clear()
            self.bench(rate=[rate], rounds=(1, 1))
            self.assertEqual({s for _, _, s in self.calls}, {seconds})
            units = max(int(rate) * seconds * 2 + 1, 128)
            self.assertIn(f"number_ios={units}\n", self.calls[0][1])


class Robust(Bench):
    def test_interrupted(self):
        """what was measured before Ctrl-C is in the file"""
        def rate(_):
            if len(self.calls) == 6:
                raise KeyboardInterrupt
            return 200.0
        self.rates["b"] = rate
        with self.assertRaises(KeyboardInterrupt):
            self.bench(jobs=(1, 2))
        self.assertEqual(len(self.saved()["runs"]), 4)
        self.assertEqual((self.saved()["complete"], self.saved()["ended"]), (False, "interrupted"))

    def test_failing(self):
        """so it is when a run fails, and why"""
        def rate(call):
            if call > 6:
                raise Failure("it broke")
            return 200.0
        self.rates["b"] = rate
        with self.assertRaisesRegex(Failure, "it broke"):
            self.bench(jobs=(1, 2))
        self.assertEqual(self.saved()["ended"], "it broke")
        self.assertGreater(len(self.saved()["runs"]), 2)

    def test_written_each_time(self):
        """the file is there, and incomplete, after each run"""
        seen = []

        def rate(_):
            if (self.folder / "result.json").exists():
                seen.append((self.saved()["complete"], len(self.saved()["runs"])))
            return 200.0
        self.rates["a"] = rate
        self.bench(rounds=(2, 2))
        self.assertEqual(seen, [(False, 2), (False, 3), (False, 5)])

    def test_counted(self):
        """counters: what happened during the run; the longest wait, if it is of the run"""
        before = {"shared": 10, "lock_wait_ns": 5, "lock_wait_max_ns": 5, "drain_wait_max_ns": 3}
        after = {"shared": 25, "lock_wait_ns": 9, "lock_wait_max_ns": 7, "drain_wait_max_ns": 3}
        self.assertEqual(counted(before, after), {"shared": 15, "lock_wait_ns": 4,
                                                  "lock_wait_max_ns": 7, "drain_wait_max_ns": 0})
        self.assertIsNone(counted(None, after))
