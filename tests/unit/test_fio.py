# SPDX-License-Identifier: GPL-2.0
"""What fio is given, and what is read from it."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from ab.fio import measured
from ab.workload import WORKLOADS, Failure, workload


def job(ios, start, runtime, bins, **more):
    """A job in fio's JSON."""
    nothing = {"total_ios": 0, "lat_ns": {}}
    return {"jobname": "x", "job_start": start, "job_runtime": runtime, "read": nothing,
            "write": {"total_ios": ios, "lat_ns": {"bins": bins}}, **more}


class Measured(unittest.TestCase):
    def test_time(self):
        """the time is from the start of the first job to the end of the last"""
        jobs = [job(1000, 100000, 5000, {"1000": 1000}), job(1000, 100040, 5003, {"1000": 1000})]
        got = measured({"jobs": jobs}, 5, False)
        self.assertEqual((got["began"], got["wall_s"]), (100, 5.043))
        self.assertAlmostEqual(got["iops"], 2000 / 5.043)
        self.assertFalse(got["ran_out"])

    def test_fixed_rate(self):
        """the time of jobs that do not begin together is that of one, on average"""
        jobs = [job(20, 100000, 5000, {"1000": 20}), job(30, 101000, 6000, {"1000": 30})]
        got = measured({"jobs": jobs}, 5, False, 8)
        self.assertEqual((got["wall_s"], got["iops"], got["asked"]), (7, 50 / 5.5, 8 * 5.5))
        self.assertEqual(measured({"jobs": jobs}, 5, False)["asked"], 0)

    def test_old_fio(self):
        """an fio that does not tell starts: the longest job"""
        jobs = [job(10, 0, 5000, {"1": 10}), job(10, 0, 5003, {"1": 10})]
        for one in jobs:
            del one["job_start"]
        got = measured({"jobs": jobs}, 5, False)
        self.assertEqual((got["began"], got["wall_s"]), (None, 5.003))

    def test_ran_out(self):
        """a job that ended before its time had nothing left to write"""
        jobs = [job(10, 0, 5000, {"1": 10}), job(10, 0, 3000, {"1": 10})]
        self.assertTrue(measured({"jobs": jobs}, 5, False)["ran_out"])
        self.assertFalse(measured({"jobs": jobs}, 5, True)["ran_out"])

    def test_percentiles(self):
        """a percentile is told from so many samples on that ten lie beyond it"""
        def got(count):
            bins = {"1000": count - 20, "5000": 15, "9000": 5}
            return measured({"jobs": [job(count, 0, 5000, bins)]}, 5, False)
        self.assertEqual((got(9999)["p50_us"], got(9999)["p999_us"]), (1, None))
        self.assertEqual(got(10000)["p999_us"], 5)
        self.assertIsNone(got(999)["p99_us"])
        self.assertEqual(got(1000)["p99_us"], 5)

    def test_refused(self):
        """a run in which everything is refused is a result"""
        got = measured({"jobs": [job(500, 0, 5000, {"1": 500}, total_err=500)]}, 5, True)
        self.assertEqual((got["refused"], got["iops"]), (500, 0))
        got = measured({"jobs": [job(0, 0, 0, {}, total_err=500)]}, 5, True)
        self.assertEqual((got["ios"], got["iops"], got["p50_us"]), (0, 0, None))


    def test_beside(self):
        """what ran beside is in no figure but its own"""
        reads = {"read": {"total_ios": 9000, "lat_ns": {"bins": {"7000": 9000}}},
                 "write": {"total_ios": 0, "lat_ns": {}}}
        jobs = [{**job(0, 99000, 9000, {}), "jobname": "beside", **reads},
                {**job(0, 99000, 2000, {}), "jobname": "beside", **reads},
                {**job(1000, 100000, 5000, {"3000": 1000}), "jobname": "tail"}]
        got = measured({"jobs": jobs}, 5, False)
        self.assertEqual((got["ios"], got["wall_s"], got["iops"]), (1000, 5, 200))
        self.assertEqual((got["p50_us"], got["p999_us"], got["ran_out"]), (3, None, False))
        self.assertEqual((got["beside"]["ios"], got["beside"]["iops"]), (18000, 2000))
        self.assertEqual((got["beside"]["p50_us"], got["beside"]["p999_us"]), (7, 7))
        self.assertIsNone(measured({"jobs": jobs[2:]}, 5, False)["beside"])

    def test_beside_refused(self):
        """nor is what is refused there"""
        beside = {**job(70, 0, 5000, {"1": 70}, total_err=70), "jobname": "beside"}
        got = measured({"jobs": [beside, job(30, 0, 5000, {"1": 30}, total_err=3)]}, 5, False)
        self.assertEqual((got["refused"], got["beside"]["refused"]), (3, 70))
        self.assertEqual((got["iops"], got["beside"]["iops"]), (27 / 5, 0))


class JobFile(unittest.TestCase):
    def lines(self, name, **more):
        """The job file of two jobs with 100 units."""
        options = {"path": "/f", "jobs": 2, "units": 100, "seconds": 5, "seed": 7, **more}
        return workload(name).job_file(**options).splitlines()

    def test_stripe(self):
        """what lies between the writes is skipped, and the last one ends in the region"""
        lines = self.lines("stripe")
        for line in ("rw=write:2048", "bs=14336", "offset=512", f"size={100 * 16384 - 512}",
                     f"offset_increment={100 * 16384}", "number_ios=100", "runtime=5000ms",
                     "ioengine=psync", "randseed=7", "numjobs=2", "filename=/f"):
            self.assertIn(line, lines)
        self.assertNotIn("time_based", lines)

    def test_append(self):
        """the jobs' appends alternate"""
        lines = self.lines("append")
        for line in ("rw=write:8192", "offset=0", "offset_increment=8192", "number_ios=100",
                     f"size={2 * 100 * 8192}"):
            self.assertIn(line, lines)
        self.assertIn("rw=write", self.lines("append", jobs=1))

    def test_pieces(self):
        """where eight writes fill a block, all of them are inside the file"""
        lines = self.lines("zeroing-512")
        for line in ("rw=write:512", "bs=512", "offset=0", "offset_increment=512",
                     "number_ios=800", f"size={2 * 100 * 4096}"):
            self.assertIn(line, lines)
        self.assertIn("rw=write", self.lines("zeroing-512", jobs=1))
        lines = self.lines("vm-512")
        for line in ("rw=randwrite", "bs=512", "offset=0", f"offset_increment={100 * 4096}",
                     "number_ios=800", f"size={100 * 4096}", "ioengine=libaio", "iodepth=16"):
            self.assertIn(line, lines)

    def test_tail(self):
        """one thread makes all appends, behind what as many threads as jobs read"""
        text = "\n".join(self.lines("tail", rate=300))
        shared, beside, tail = (part.split("\n") for part in text.split("\n\n"))
        self.assertEqual([x for x in shared if x.startswith(("numjobs", "rate", "rw", "bs"))], [])
        self.assertEqual(beside, ["[beside]", "numjobs=2", "rw=randread", "bs=8192",
                                  "size=1048576", "time_based"])
        self.assertEqual(tail, ["[tail]", "numjobs=1", "rw=write", "bs=8192", "offset=1048576",
                                f"size={200 * 8192}", "offset_increment=8192", "number_ios=200",
                                "rate_iops=300,300", "rate_process=poisson"])

    def test_again(self):
        """overwrites go on until the time is over"""
        lines = self.lines("overwrite")
        self.assertIn("time_based", lines)
        self.assertFalse([x for x in lines if x.startswith("number_ios")])

    def test_rate(self):
        """a rate is divided among the jobs, which write at random intervals and do not begin
        together"""
        lines = self.lines("mixed", rate=300)
        self.assertIn("rate_iops=150,150", lines)
        self.assertIn("rate_process=poisson", lines)
        self.assertIn("startdelay=0ms-2000ms", lines)
        self.assertFalse([x for x in self.lines("mixed") if x.startswith(("rate", "startdelay"))])
        alone = self.lines("mixed", jobs=1, rate=300)
        self.assertFalse([x for x in alone if x.startswith("startdelay")])

    def test_queued(self):
        """mixed by io_uring differs by the engine alone"""
        lines = [x for x in self.lines("mixed-uring") if x not in self.lines("mixed")]
        self.assertEqual(lines, ["ioengine=io_uring", "iodepth=32", "[mixed-uring]"])

    def test_names(self):
        """every name is there once, and every shape is a workload"""
        names = [w.name for w in WORKLOADS]
        self.assertEqual(len(names), len(set(names)))
        self.assertLessEqual({w.shape for w in WORKLOADS}, {"", *names})


class Laid(unittest.TestCase):
    def test_pieces(self):
        """a file for writes smaller than a block is one hole of whole blocks"""
        with tempfile.TemporaryDirectory() as folder:
            for name in ("zeroing-512", "vm-512"):
                path = Path(folder) / name
                with mock.patch("ab.workload.blocks_of", lambda path, size: ""):
                    workload(name).lay_out(path, 3)
                self.assertEqual(path.stat().st_size, 3 * 4096)
                with mock.patch("ab.workload.blocks_of", lambda path, size: "HW"), \
                        self.assertRaisesRegex(Failure, "not laid out as H"):
                    workload(name).lay_out(path, 3)


    def test_front(self):
        """a file that is appended to ends with what is read, which is on disk"""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tail"
            asked = []

            def blocks_of(_, size):
                asked.append(size)
                return "W" * 256
            with mock.patch("ab.workload.blocks_of", blocks_of):
                workload("tail").lay_out(path, 3)
            self.assertEqual(path.stat().st_size, 1 << 20)
            self.assertEqual(asked, [(1 << 20) + 3 * 8192])
            for blocks in ("W" * 255, "W" * 255 + "U", "W" * 257):
                with mock.patch("ab.workload.blocks_of", lambda path, size: blocks), \
                        self.assertRaisesRegex(Failure, "not laid out as AA"):
                    workload("tail").lay_out(path, 3)
            with mock.patch("ab.workload.blocks_of", lambda path, size: ""):
                workload("append").lay_out(path, 3)
            self.assertEqual(path.stat().st_size, 0)


class Written(unittest.TestCase):
    def check(self, name, units, written, blocks, path="/f"):
        """check_written(), where FIEMAP tells @blocks."""
        with mock.patch("ab.workload.blocks_of", lambda path, size: blocks[:size // 4096]):
            workload(name).check_written(path, units, written)

    def test_all_there(self):
        """after a run that time has ended, what was written is there"""
        self.check("mixed", 3, 2, "WWWWWU")
        self.check("stripe", 2, 1, "WWWWWUUW")
        self.check("append", 4, 2, "WWHHWW")
        self.check("append-prealloc", 4, 2, "WWWWUUUU")
        self.check("tail", 4, 2, "W" * 256 + "WWWWHHHH")
        # More was zeroed than was asked for.
        self.check("zeroing", 4, 1, "WWWW")

    def test_missing(self):
        """a block that is not there fails the run"""
        for name, units, written, blocks in (
                ("mixed", 3, 3, "WWWWWU"), ("stripe", 2, 2, "WWWWWUUW"),
                ("append", 4, 2, "WWHHWU"),
                ("tail", 4, 2, "W" * 256 + "WWWU"), ("zeroing", 4, 2, "WUUU")):
            with self.assertRaisesRegex(Failure, "blocks were not written", msg=name):
                self.check(name, units, written, blocks)

    def test_pieces(self):
        """so does a write of part of a block that is not there, whether its block is or not"""
        with tempfile.NamedTemporaryFile() as file:
            # Three blocks, the second a hole: 8 and 3 writes.
            file.write(b"x" * 4096 + bytes(4096) + (b"x" + bytes(511)) * 3 + bytes(2560))
            file.flush()
            for name in ("zeroing-512", "vm-512"):
                for written in (0, 1, 8, 9, 11):
                    self.check(name, 3, written, "WHW", file.name)
                with self.assertRaisesRegex(Failure, "1 writes of 512 B have left zeros"):
                    self.check(name, 3, 12, "WHW", file.name)
                with self.assertRaisesRegex(Failure, "1 blocks were not written"):
                    self.check(name, 3, 17, "WHW", file.name)
