# SPDX-License-Identifier: GPL-2.0
"""The command ext4dio-ab, in a folder, with a made-up fio and filefrag."""

import importlib.machinery
import importlib.util
import json
import os
import signal
import subprocess
import tempfile
import time
import types
import unittest
from pathlib import Path
from unittest import mock

import made

TOP = Path(__file__).resolve().parent.parent.parent
COMMAND = TOP / "tools/ext4dio-ab"

# Says that each of the jobs has made 100 writes in 5 s; does what $MADE_UP says.
FIO = r'''#!/usr/bin/python3
import json, os, sys, time
if "--version" in sys.argv:
    print("fio-made-up")
    sys.exit()
text = sys.stdin.read()
jobs = int(text.split("numjobs=")[1].split()[0])
how = os.environ.get("MADE_UP", "")
count = Path = None
with open(os.environ["COUNT"], "a") as file:
    file.write("x")
count = os.path.getsize(os.environ["COUNT"])
if how == "hang" and count == 3:
    open(os.environ["COUNT"] + ".hangs", "w").close()
    time.sleep(100)
if how == "fail" and count == 3:
    sys.exit("fio: it broke")
ios = {"nothing": 0}.get(how, 1000)
refused = 1000 if how == "refused" else 0
write = {"total_ios": ios, "lat_ns": {"bins": {"2000000": ios} if ios else {}}}
job = {"jobname": "x", "job_start": 1, "job_runtime": 5000, "total_err": refused, "write": write,
       "read": {"total_ios": 0, "lat_ns": {}}}
print("a note")
print(json.dumps({"jobs": [job] * jobs}))
'''
FILEFRAG = r'''#!/bin/sh
echo "   0:        0..  999999:       0..  999999: 1000000:             eof"
'''


class Command(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "bin").mkdir()
        (self.folder / "data").mkdir()
        for name, text in (("fio", FIO), ("filefrag", FILEFRAG)):
            (self.folder / "bin" / name).write_text(text)
            (self.folder / "bin" / name).chmod(0o755)
        self.out = self.folder / "out"

    def environment(self, how):
        return {**os.environ, "MADE_UP": how, "COUNT": str(self.folder / "count"),
                "PATH": f"{self.folder}/bin:{os.environ['PATH']}"}

    def command(self, *arguments, how=""):
        """Run it; (status, what it prints)."""
        done = subprocess.run([str(COMMAND), *map(str, arguments)], env=self.environment(how),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def options(self, *more):
        """Those of a run."""
        return ("run", "--dir", self.folder / "data", "--out", self.out, "--workloads",
                "overwrite", "--jobs", "1,2", "--warm-up", "0", *more)

    def result(self):
        return json.loads((self.out / "result.json").read_text())

    def write(self, name, result):
        """A result file; its path."""
        (self.folder / name).write_text(json.dumps(result))
        return self.folder / name


class Default(unittest.TestCase):
    def test_left_out(self):
        """by default what a device with blocks of 4 KiB cannot do is left out, and that is told"""
        loader = importlib.machinery.SourceFileLoader("ext4dio_ab", str(COMMAND))
        command = importlib.util.module_from_spec(importlib.util.spec_from_loader(
            "ext4dio_ab", loader))
        loader.exec_module(command)
        said = []
        args = types.SimpleNamespace(workloads=None)
        with mock.patch.object(command, "say", said.append):
            for block, left_out in ((512, []), (4096, ["stripe", "zeroing", "zeroing-512"])):
                target = types.SimpleNamespace(logical_block=block, path="/made-up")
                wanted = [n for n in command.DEFAULT if n not in ("device", *left_out)]
                self.assertEqual(command.workloads_of(args, target), wanted)
        self.assertEqual(said, ["left out: stripe, zeroing, zeroing-512: they write parts of the "
                                "logical blocks of /made-up, 4096 B"])
        args.workloads = ["stripe"]
        self.assertEqual(command.workloads_of(args, target), ["stripe"])


class Usage(Command):
    def refused(self, arguments, text, status=2):
        """It says @text, ends with @status, and has made nothing."""
        got, said = self.command(*arguments)
        self.assertEqual((got, self.out.exists()), (status, False), said)
        self.assertIn(text, said)

    def test_arguments(self):
        """wrong arguments are refused before anything is done"""
        for more, text in (
                (["--jobs", "4,4"], "'4' is in it more than once"),
                (["--workloads", "mixed,mixed"], "'mixed' is in it more than once"),
                (["--warm-up", "-1"], "'-1' is no whole number from 0 on"),
                (["--rounds", "5-3"], "at most 3 is less than at least 5"),
                (["--rounds", "0"], "'0' is no whole number from 1 on"),
                (["--seconds", "0"], "no number of seconds above 0"),
                (["--seconds", "nan"], "no number of seconds above 0"),
                (["--rate", "120%"], "more than the slower side can do"),
                (["--rate", "fast"], "'fast' is no whole number"),
                (["--rate", "50%,50%"], "'50%' is in it more than once"),
                (["--total", "\u00b2"], "is no size"),
                (["--jobs", "\u00b2"], "is no whole number"),
                (["--destroy"], "--destroy is for --device"),
                (["--sides", "ext4 xfs"], "--sides is for --device")):
            self.refused(self.options(*more), text)

    def test_sides(self):
        """duplicate sides are refused, before the device is looked at"""
        self.refused(("run", "--device", "/dev/none", "--out", self.out, "--sides",
                      "ext4 ext4dio ext4"), "'ext4' is in it more than once")

    def test_abbreviations(self):
        """no option can be shortened: --dest is not --destroy"""
        for option in ("--dest", "--de", "--work=mixed"):
            self.refused(("run", "--device", "/dev/none", "--out", self.out, option),
                         "unrecognized arguments")

    def test_names(self):
        """unknown workloads are named, also those of --aa"""
        self.refused(self.options("--workloads", "nothing"), "no workload 'nothing'", 1)
        self.refused(self.options("--aa", "nothing"), "no workload 'nothing'", 1)
        self.refused(self.options("--aa", "none,mixed"), "no workload 'none'", 1)
        self.refused(self.options("--workloads", "device"), "need --device", 1)

    def test_version(self):
        """--version is that of the release"""
        version = (TOP / "dkms.conf").read_text().split('PACKAGE_VERSION="')[1].split('"')[0]
        for tool in ("ext4dio-ab", "ext4dio", "fsck.ext4dio", "mkfs.ext4dio"):
            done = subprocess.run([TOP / "tools" / tool, "--version"], capture_output=True,
                                  text=True)
            self.assertEqual(done.stdout, f"{tool} {version}\n")

    def test_old_files(self):
        """a folder that holds a result, or fio's files of one, is left alone"""
        for name in ("result.json", "fio"):
            (self.out / name).mkdir(parents=True)
            status, said = self.command(*self.options())
            self.assertEqual(status, 1)
            self.assertIn("holds a result already", said)
            (self.out / name).rmdir()


class Run(Command):
    def test_whole(self):
        """a run leaves result, table, CSV, page, pictures and fio's files"""
        status, said = self.command(*self.options("--rounds", "2"))
        self.assertEqual(status, 0, said)
        self.assertTrue(self.result()["complete"])
        self.assertEqual(len(self.result()["runs"]), 8)
        self.assertEqual(self.result()["fio"], "fio-made-up")
        names = {p.name for p in self.out.iterdir()}
        self.assertLessEqual({"result.json", "result.csv", "result.html", "overwrite-iops.svg",
                              "fio"}, names)
        self.assertEqual(len(list((self.out / "fio").glob("*.json"))), 8)
        self.assertIn("numjobs=2", (self.out / "fio/0008-overwrite.fio").read_text())
        self.assertIn("pure overwrite", said)
        self.assertEqual(list((self.folder / "data").iterdir()), [])

    def test_environment(self):
        """the result tells the machine"""
        self.command(*self.options("--rounds", "1"))
        result = self.result()
        self.assertEqual(result["kernel"], os.uname().release)
        self.assertEqual(result["environment"]["command_line"],
                         Path("/proc/cmdline").read_text().strip())
        for field in ("governors", "mitigations", "numa_nodes", "transparent_hugepages"):
            self.assertIn(field, result["environment"])
        side, = result["sides"]
        self.assertIn("r", result["mounted_as"][side])

    def test_refused(self):
        """a run in which everything is refused, or nothing was done, is a result"""
        for how in ("refused", "nothing"):
            status, said = self.command(*self.options("--rounds", "1"), how=how)
            self.assertEqual(status, 0, said)
            self.assertEqual({r["iops"] for r in self.result()["runs"]}, {0})
            self.assertTrue(self.result()["complete"])
            subprocess.run(["rm", "-r", self.out], check=True)

    def test_failing(self):
        """a run that fails ends it, and what was measured is kept and read"""
        status, said = self.command(*self.options("--rounds", "2"), how="fail")
        self.assertEqual(status, 1)
        self.assertIn("what was measured, 2 runs, is kept", said)
        self.assertIn("fio: it broke", said)
        self.assertEqual(len(self.result()["runs"]), 2)
        status, said = self.command("report", self.out / "result.json")
        self.assertEqual(status, 0, said)
        self.assertIn("INCOMPLETE: overwrite: fio: fio: it broke", said)

    def test_stopped(self):
        """so it is at Ctrl-C, SIGTERM and SIGHUP, and nothing is left behind"""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # A background process of a script ignores SIGINT unless told otherwise.
            child = subprocess.Popen(["env", "--default-signal=INT", COMMAND, *self.options()],
                                     text=True, env=self.environment("hang"),
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.addCleanup(child.kill)
            hangs = self.folder / "count.hangs"
            for _ in range(300):
                if hangs.exists():
                    break
                time.sleep(0.1)
            child.send_signal(number)
            said = child.communicate(timeout=60)[0]
            self.assertEqual(child.returncode, 1, said)
            self.assertIn("stopped; nothing is left mounted", said)
            self.assertEqual(len(self.result()["runs"]), 2)
            self.assertEqual(self.result()["ended"], "interrupted")
            self.assertEqual(list((self.folder / "data").iterdir()), [])
            for name in ("out", "count", "count.hangs"):
                subprocess.run(["rm", "-r", self.folder / name], check=True)


class Compare(Command):
    def test_status(self):
        """compare ends with 0, with 3 if something became worse, with 1 without anything"""
        good = self.write("good", made.result(made.rounds([100, 101], [200, 201], [100, 101])))
        bad = self.write("bad", made.result(made.rounds([100, 101], [150, 151], [100, 101])))
        other = self.write("other", made.result(made.rounds([1], [1], jobs=77)))
        self.assertEqual(self.command("compare", good, good)[0], 0)
        self.assertEqual(self.command("compare", bad, good)[0], 0)
        status, said = self.command("compare", good, bad)
        self.assertEqual(status, 3)
        self.assertIn("0.75x worse", said)
        self.assertEqual(self.command("compare", good, other)[0], 1)
        self.assertEqual(self.command("compare", good, self.folder / "none")[0], 1)

    def test_afterwards(self):
        """run --compare ends with that status too"""
        self.command(*self.options("--rounds", "2"))
        old = self.result()
        for run in old["runs"]:
            run["iops"] *= 2
        path = self.write("old", old)
        subprocess.run(["rm", "-r", self.out], check=True)
        status, said = self.command(*self.options("--rounds", "2", "--compare", path))
        self.assertEqual(status, 3, said)
        self.assertIn("0.50x worse", said)

    def test_markdown(self):
        """report --markdown takes several results, report alone one"""
        good = self.write("good", made.result(made.rounds([100, 101], [200, 201])))
        more = self.write("more", made.result(made.rounds([100, 101], [200, 201]), kernel="6.1"))
        status, said = self.command("report", "--markdown", good, more)
        self.assertEqual(status, 0)
        self.assertIn("7.2 ext4 | ext4dio | ratio | 6.1 ext4", said)
        self.assertEqual(self.command("report", good, more)[0], 2)
