# SPDX-License-Identifier: GPL-2.0
"""The result file, and what may be claimed of it."""

import json
import tempfile
import unittest
from pathlib import Path

import made
from ab.result import Analysis, load, locking, save
from ab.workload import Failure

KEY = ("mixed", 8, "max")


def word_of(runs, field="iops", **more):
    """What the verdict about ext4dio says."""
    analysis = Analysis(made.result(runs, **more))
    return analysis.verdict(analysis.cells[0], "ext4dio", field).text()


class File(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "result.json"
        self.addCleanup(self.folder.cleanup)

    def test_round_trip(self):
        """a result is read as it was written, and nothing else is left there"""
        result = made.result(made.rounds([100, 100], [200, 200]))
        save(result, self.path)
        self.assertEqual(load(self.path), result)
        self.assertEqual([p.name for p in self.path.parent.iterdir()], ["result.json"])

    def test_old(self):
        """a result of format 1 is read: its A/A pairs are the noise floor, not the base"""
        self.path.write_text(json.dumps(made.old_result()))
        analysis = Analysis(load(self.path))
        cell, = analysis.cells
        self.assertEqual(cell.key, ("overwrite", 4, "max"))
        self.assertEqual(cell.pairs("ext4dio"), [(1000.0, 2000.0)] * 2)
        self.assertAlmostEqual(cell.floor(), 1.05)
        self.assertEqual(analysis.verdict(cell, "ext4dio").text(), "faster")
        self.assertEqual(cell.values("ext4", "cpu_us_per_io"), [])

    def test_old_cpu(self):
        """what an older format says of the CPU is left out, but for applications"""
        runs = made.rounds([100, 100], [200, 200]) + [made.run("ext4", 9, workload="rocksdb")]
        self.path.write_text(json.dumps(made.result(runs, format=2)))
        found = [(r["workload"], r["cpu_us_per_io"]) for r in load(self.path)["runs"]]
        self.assertEqual(found, [("mixed", None)] * 4 + [("rocksdb", 100.0)])

    def test_damaged(self):
        """what is damaged, incomplete or of another kind is refused in a sentence"""
        whole = json.dumps(made.result(made.rounds([100], [200])))
        data = json.loads(whole)
        bad_run = {**data, "runs": [{"kind": "ab"}]}
        reads = {"iops": 1.0, "p50_us": 1.0, "p99_us": 1.0, "p999_us": None}
        beside = [json.dumps({**data, "runs": [{**data["runs"][0], "beside": part}]}) for part in
                  (reads, {**reads, "p99_us": "long"}, {**reads, "iops": None}, {"": 1})]
        self.path.write_text(beside[0])
        load(self.path)
        for text in (*beside[1:], "", whole[:-10], "[]", "{}", "7", '{"format": 3}', "null",
                     json.dumps(bad_run), json.dumps({**data, "sides": 3}),
                     json.dumps({**data, "runs": [{**data["runs"][0], "iops": "fast"}] * 2})):
            self.path.write_text(text)
            with self.assertRaisesRegex(Failure, "is no result of ext4dio-ab|damaged", msg=text):
                load(self.path)

    def test_newer(self):
        """a format of the future is named"""
        self.path.write_text(json.dumps(made.result([], format=9)))
        with self.assertRaisesRegex(Failure, "has format 9, this tool knows 1 to 3"):
            load(self.path)

    def test_missing(self):
        """a file that is not there is named"""
        with self.assertRaisesRegex(Failure, "nowhere: No such file"):
            load("/nowhere")


class Verdicts(unittest.TestCase):
    def test_faster_and_slower(self):
        """faster, slower, and the latencies and the CPU the other way round"""
        runs = made.rounds([100, 101, 99], [200, 201, 203], [100, 100, 100])
        self.assertEqual(word_of(runs), "faster")
        self.assertEqual(word_of(runs, "p50_us"), "lower")
        self.assertEqual(word_of(runs, "p99_us"), "lower")
        self.assertEqual(word_of(runs, "cpu_us_per_io"), "no difference shown")
        runs = made.rounds([100, 101, 99], [50, 51, 50], [100, 100, 100])
        self.assertEqual(word_of(runs), "slower")
        self.assertEqual(word_of(runs, "p99_us"), "higher")

    def test_none(self):
        """no difference, and one that is no larger than the noise"""
        self.assertEqual(word_of(made.rounds([100, 101, 99], [100, 100, 100])),
                         "no difference shown")
        noisy = made.rounds([100, 100, 100], [110, 111, 110], [115, 100, 101])
        self.assertEqual(word_of(noisy), "no difference shown")
        quiet = made.rounds([100, 100, 100], [110, 111, 110], [101, 100, 101])
        self.assertEqual(word_of(quiet), "faster")

    def test_wide(self):
        """an interval that is too wide concludes nothing"""
        self.assertEqual(word_of(made.rounds([100, 100, 100], [90, 300, 150])),
                         "spread too wide to conclude")

    def test_short(self):
        """a run that is too short claims nothing, whatever it shows"""
        runs = made.rounds([100, 101, 99], [200, 201, 203])
        runs[3]["wall_s"] = 4.5
        self.assertEqual(word_of(runs), "too short: no claim")
        runs = made.rounds([100, 101, 99], [200, 201, 203], wall_s=1.0)
        self.assertEqual(word_of(runs, settings={"seconds": 1.0}), "too short: no claim")

    def test_once(self):
        """neither does a single round"""
        self.assertEqual(word_of(made.rounds([100], [200])), "measured once: no claim")

    def test_nothing_done(self):
        """a side that did nothing is told so"""
        runs = made.rounds([100, 100], [200, 200])
        for run in runs:
            if run["side"] == "ext4dio":
                run.update(iops=0.0, ios=0, p50_us=None, p99_us=None, cpu_us_per_io=None)
        self.assertEqual(word_of(runs), "one side did nothing")
        self.assertEqual(word_of(runs, "p99_us"), "too few samples")

    def test_family(self):
        """what one question would have shown is not claimed among many"""
        # By itself p = 0.02; in a family of 41 that takes less than 0.0013.
        one = made.rounds([100, 100, 100], [120, 130, 125])
        for run in one:
            run.update(p50_us=None, p99_us=None, cpu_us_per_io=None)
        self.assertEqual(word_of(one), "faster")
        many = list(one)
        for jobs in range(10, 20):
            many += made.rounds([100, 101, 99], [100, 99, 101], jobs=jobs)
        self.assertEqual(word_of(many), "not certain among so many questions")

    def test_fixed_rate(self):
        """at a fixed rate the rate itself is no claim, the latency is"""
        runs = made.rounds([100, 100, 100], [100, 100, 100], [100, 100, 100], load="50%", rate=100)
        for run in runs:
            run["p99_us"] = {"ext4": 9000.0, "ext4dio": 3000.0}[run["side"]] + run["round"]
        analysis = Analysis(made.result(runs))
        cell, = analysis.cells
        self.assertEqual(analysis.verdict(cell, "ext4dio", "p99_us").text(), "lower")
        self.assertEqual(analysis.asked, 3)
        self.assertEqual(analysis.at_full_speed("ext4dio"), [])
        self.assertTrue(cell.kept_up("ext4dio"))
        # 500 are to be expected, 4 times their root fewer may come.
        runs[1]["ios"] = 402
        self.assertTrue(Analysis(made.result(runs)).cells[0].kept_up("ext4dio"))
        runs[1]["ios"] = 399
        self.assertFalse(Analysis(made.result(runs)).cells[0].kept_up("ext4dio"))
        runs[1]["asked"] = 495
        self.assertTrue(Analysis(made.result(runs)).cells[0].kept_up("ext4dio"))


class Pairs(unittest.TestCase):
    def test_around(self):
        """the first side before and after the others: its mean is what they are compared with"""
        cell = Analysis(made.result(made.rounds([100, 400], [200, 200], [400, 100]))).cells[0]
        for pair in cell.pairs("ext4dio"):
            self.assertAlmostEqual(pair[0], 200)
        self.assertEqual(cell.floor(), 4)

    def test_cut_short(self):
        """a round that was cut short does not count"""
        runs = made.rounds([100, 100], [200, 200])[:-1]
        cell = Analysis(made.result(runs, complete=False)).cells[0]
        self.assertEqual(cell.pairs("ext4dio"), [(100, 200)])
        # The same with the A/A run missing: the base is not whole.
        runs = [r for r in made.rounds([100, 100], [200, 200], [100, 100])]
        del runs[3]
        cell = Analysis(made.result(runs, complete=False)).cells[0]
        self.assertEqual(len(cell.pairs("ext4dio")), 1)

    def test_floor_elsewhere(self):
        """without A/A runs of its own a cell has the floor of others with as many jobs"""
        runs = made.rounds([100], [200]) + made.rounds([100], [100], [130], workload="overwrite")
        runs += made.rounds([100], [100], [200], workload="overwrite", jobs=2)
        cell = Analysis(made.result(runs)).cells[0]
        self.assertEqual(cell.key, KEY)
        self.assertAlmostEqual(cell.floor(), 1.3)

    def test_mean(self):
        """the geometric mean is over all cells at full speed"""
        runs = made.rounds([100, 100], [100, 100]) + made.rounds([100, 100], [400, 400], jobs=2)
        runs += made.rounds([100, 100], [9000, 9000], jobs=4, load="50%", rate=100)
        self.assertAlmostEqual(Analysis(made.result(runs)).mean("ext4dio"), 2)


class Locks(unittest.TestCase):
    def test_counters(self):
        """the counters of several runs: sums of writes, means of waits"""
        found = locking([{"counters": made.LOCKED}, {"counters": made.SHARED}])
        self.assertEqual(found["writes"], 2000)
        self.assertEqual(found["shared"], 990)
        self.assertEqual(found["exclusive"], {"extend": 910, "zeroing": 100})
        self.assertAlmostEqual(found["lock_ms"], 2501)
        self.assertAlmostEqual(found["drain_ms"], 500)
        self.assertIsNone(locking([{"counters": None}, {}]))

    def test_shared_kinds(self):
        found = locking([{"counters": {"shared": 5, "shared_extend": 3, "shared_zeroing": 2,
                                       "exclusive_zeroing": 1}}])
        self.assertEqual((found["writes"], found["shared"]), (11, 10))
