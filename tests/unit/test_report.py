# SPDX-License-Identifier: GPL-2.0
"""What is written about a result: table, Markdown, CSV, plots, page, comparison."""

import csv
import io
import tempfile
import unittest
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import made
from ab import plot, report
from ab.workload import Failure

SVG = "{http://www.w3.org/2000/svg}"


def good(**more):
    """A result in which ext4dio is twice as fast."""
    return made.result(made.rounds([100, 101, 99], [200, 201, 203], [100, 101, 100]), **more)


def line_with(lines, text):
    """The one line that has @text in it."""
    found, = [line for line in lines if text in line]
    return found


class Table(unittest.TestCase):
    def test_claims(self):
        """the table has medians, ratio, claims and what the counters say"""
        lines = report.table(good())
        self.assertIn("201 (200-203)", line_with(lines, "201 (200-203)"))
        claim = line_with(lines, "CPU 1.00x")
        self.assertRegex(claim, r"2\.01x \(1\.\d\d-2\.\d\d\) faster; p50 0\.50x lower; "
                                r"p99 0\.50x lower; CPU 1\.00x$")
        self.assertIn("99.0% shared, 1.0% exclusive (extend); waited 2 ms for the lock, 0 ms",
                      line_with(lines, "shared"))
        self.assertIn("3 interleaved rounds of 5 s", line_with(lines, "method"))

    def test_conclusion(self):
        """its last lines say what is claimed, and the geometric mean"""
        lines = report.table(good())
        self.assertRegex(lines[-2], r"^ext4dio: faster than ext4 in 1 of 1 cells by 2\.01x "
                                    r"\(1\.\d\d-2\.\d\d\) \(mixed with 8 jobs\)\.$")
        self.assertEqual(lines[-1], "ext4dio: geometric mean of 1 ratio to ext4: 2.01x")
        runs = made.rounds([100, 101, 99], [100, 100, 101], [100, 101, 100], jobs=1)
        lines = report.table(made.result(runs))
        self.assertEqual(lines[-2], "ext4dio: no difference shown in 1.")
        self.assertNotRegex("\n".join(lines), "1 jobs|1 rounds")

    def test_noisy(self):
        """a figure that changes by itself is marked"""
        runs = made.rounds([100, 101, 99], [200, 201, 203], [100, 120, 100])
        lines = report.table(made.result(runs))
        self.assertIn("~", line_with(lines, "faster; "))
        self.assertIn("18.8%", line_with(lines, "noise"))
        self.assertNotIn("~", line_with(report.table(good()), "faster; "))

    def test_samples(self):
        """a percentile without enough samples is a dash"""
        row = line_with(report.table(good()), "201 (200-203)")
        self.assertRegex(row, r"5\.0ms +10\.0ms +- +100us$")

    def test_beside(self):
        """what ran beside has a line of its own"""
        reads = {"ios": 9, "iops": 1234.5, "p50_us": 3100.0, "p99_us": 4200.0, "p999_us": None}
        runs = made.rounds([100, 101, 99], [200, 201, 203], [100, 101, 100], beside=reads)
        lines = report.table(made.result(runs))
        where = [i for i, line in enumerate(lines) if "reads/s beside" in line]
        self.assertEqual([lines[i - 1].split()[2] for i in where], ["ext4", "ext4dio"])
        self.assertRegex(lines[where[0]], r"^ +reads/s beside +1,234 +3\.1ms +4\.2ms +-$")
        self.assertEqual(lines[where[0]].index("1,234"), lines[where[0] - 1].index("-101)"))
        self.assertNotIn("beside", "\n".join(report.table(good())))

    def test_refused(self):
        """a side whose writes were all refused is in the table"""
        result = good()
        for run in result["runs"]:
            if run["side"] == "ext4dio":
                run.update(iops=0.0, refused=run["ios"], p50_us=None, p99_us=None,
                           cpu_us_per_io=None)
        lines = report.table(result)
        self.assertTrue(any("100% refused" in x for x in lines))
        self.assertTrue(any("one side did nothing" in x for x in lines))
        for run in result["runs"]:
            run.update(ios=0, iops=0.0, refused=0)
        report.table(result)
        report.plots(result)

    def test_incomplete(self):
        """a result that was cut short says so first; an empty one says that alone"""
        self.assertEqual(report.table(good(complete=False, ended="interrupted"))[0],
                         "INCOMPLETE: interrupted")
        empty = made.result([], complete=False, ended="it broke")
        self.assertEqual(report.table(empty), ["nothing was measured: it broke"])
        self.assertEqual(report.plots(empty), {})

    def test_limit(self):
        """what ended the rounds is told where it was the limit"""
        cells = [{"workload": "mixed", "jobs": 8, "load": "max", "stopped": "limit"}]
        self.assertIn("limit of 3 rounds reached", "\n".join(report.table(good(cells=cells))))
        cells[0]["stopped"] = "narrow"
        self.assertNotIn("limit of", "\n".join(report.table(good(cells=cells))))

    def test_rate(self):
        """at a fixed rate there is equal load or a side that did not keep up"""
        runs = made.rounds([100] * 3, [100] * 3, [100] * 3, load="50%", rate=100)
        lines = report.table(made.result(runs))
        self.assertIn("at 100/s, about 50%", "\n".join(lines))
        self.assertIn("equal load; p50 1.00x", line_with(lines, "equal load"))
        runs = made.rounds([60] * 3, [100] * 3, [60] * 3, load="100", rate=100)
        self.assertIn("did not keep up: ext4;", "\n".join(report.table(made.result(runs))))

    def test_queued(self):
        """what one shape does by io_uring stands in its table"""
        runs = made.rounds([100, 101], [200, 201])
        runs += made.rounds([300, 300], [301, 300], workload="mixed-uring", jobs=1)
        lines = report.table(made.result(runs))
        self.assertEqual(sum(line == "test 1, mixed" for line in lines), 1)
        self.assertIn("300", line_with(lines, "io_uring 32 ext4   "))

    def test_old(self):
        """a result of the first format has a table too"""
        from ab.result import upgraded
        lines = report.table(upgraded(made.old_result()))
        self.assertIn("2.00x (2.00-2.00) faster", "\n".join(lines))


class Markdown(unittest.TestCase):
    def test_columns(self):
        """results of several kernels stand side by side, with what was published"""
        old = made.result(made.rounds([50, 50, 51], [51, 50, 50], [50, 50, 50]),
                          kernel="6.12.9-y")
        lines = report.markdown([old, good()])
        self.assertEqual(lines[0], "test 1, mixed:")
        self.assertEqual(lines[2], "| jobs | by | 6.12 ext4 | ext4dio | ratio | 7.2 ext4 | ext4dio "
                                   "| ratio | published |")
        self.assertEqual(lines[3].count("---"), 9)
        self.assertRegex(lines[4], r"^\| 8 \| psync \| 50 \| 50 \| 1\.00 \(0\.\d\d-1\.\d\d\) "
                                   r"\| 100 \| 201 \| \*\*2\.01 \(1\.\d\d-2\.\d\d\)\*\* "
                                   r"\| 58,701 to 113,679 \(1\.94\) \|$")
        self.assertRegex(lines[7], r"^7\.2, 8 jobs, psync: ext4dio: 99\.0% shared")

    def test_cost(self):
        """latency, CPU and the share of overwrites stand in a table of their own"""
        runs = made.rounds([200, 200], [400, 400], workload="overwrite")
        runs += made.rounds([100, 100], [380, 380], rate=90, load="90")
        runs += made.rounds([100, 100], [380, 380])
        lines = report.markdown([made.result(runs)])
        self.assertIn("| mixed | 8 | 0.50, 0.95 | 10.0ms, 2.6ms | 20.0ms, 5.3ms | - | "
                      "100us, 100us |", lines)
        self.assertIn("| mixed at 90/s | 8 | - | 10.0ms, 2.6ms | 20.0ms, 5.3ms | - | "
                      "100us, 100us |", lines)

    def test_merged(self):
        """two results of one kernel are one column; what both have measured is refused"""
        more = made.result(made.rounds([300, 300], [300, 301], jobs=1, workload="mixed-uring"))
        lines = report.markdown([good(), more])
        self.assertEqual(lines[2].count("7.2"), 1)
        self.assertTrue(any(x.startswith("| 1 | io_uring 32 | 300 | 300 |") for x in lines))
        with self.assertRaisesRegex(Failure, "have measured the same"):
            report.markdown([good(), good()])

    def test_latencies(self):
        """two devices of one kernel are told apart"""
        slow = good()
        slow["settings"] = {**slow["settings"], "device_note": "8 ms"}
        self.assertIn("7.2, a note ext4 | ext4dio | ratio | 7.2, 8 ms ext4",
                      report.markdown([good(), slow])[2])

    def test_sides(self):
        """results with other sides do not fit"""
        with self.assertRaisesRegex(Failure, "different sides"):
            report.markdown([good(), good(sides=["ext4", "xfs"])])

    def test_no_claim(self):
        """what is no claim says why"""
        short = made.result(made.rounds([100, 100], [200, 200], wall_s=1))
        self.assertIn("2.00 (2.00-2.00), too short: no claim", "\n".join(report.markdown([short])))


class Files(unittest.TestCase):
    def test_csv(self):
        """the CSV has a line a run, with the counters"""
        with tempfile.TemporaryDirectory() as folder:
            report.write_csv(good(), Path(folder) / "x.csv")
            rows = list(csv.DictReader(io.StringIO((Path(folder) / "x.csv").read_text())))
        self.assertEqual(len(rows), 9)
        ours, theirs = rows[1], rows[0]
        self.assertEqual((ours["kind"], ours["side"], ours["shared"], ours["exclusive"],
                          ours["lock_ms"]), ("ab", "ext4dio", "990", "10", "2.0"))
        self.assertEqual((theirs["side"], theirs["shared"], theirs["p999_us"]), ("ext4", "", ""))
        self.assertEqual(ours["beside_iops"], "")

    def test_beside(self):
        """what ran beside is in the CSV and the page"""
        reads = {"ios": 9, "iops": 77.0, "p50_us": 3100.0, "p99_us": 4200.0, "p999_us": None}
        result = made.result(made.rounds([100, 101], [200, 201], beside=reads))
        with tempfile.TemporaryDirectory() as folder:
            report.write_csv(result, Path(folder) / "x.csv")
            row = next(csv.DictReader(io.StringIO((Path(folder) / "x.csv").read_text())))
            report.write_html(result, Path(folder) / "x.html")
            page = (Path(folder) / "x.html").read_text()
        self.assertEqual((row["ios"], row["iops"]), ("500", "100"))
        self.assertEqual([row[f"beside_{f}"] for f in ("iops", "p50_us", "p99_us", "p999_us")],
                         ["77.0", "3100.0", "4200.0", ""])
        self.assertEqual(page.count('reads/s beside</td><td>77</td><td>3.1ms</td><td>4.2ms</td>'
                                    '<td>-</td></tr>'), 2)

    def test_html(self):
        """the page is well-formed, needs no other file and has tables, claims and pictures"""
        result = good(sides=["ext4", "ext4dio"])
        result["settings"]["device_note"] = "<b>&"
        with tempfile.TemporaryDirectory() as folder:
            report.write_html(result, Path(folder) / "x.html")
            page = (Path(folder) / "x.html").read_text()
        open_tags = []

        class Check(HTMLParser):
            def handle_starttag(this, tag, attrs):  # pylint: disable=no-self-argument
                if tag != "meta":
                    open_tags.append(tag)

            def handle_endtag(this, tag):  # pylint: disable=no-self-argument
                self.assertEqual(open_tags.pop(), tag)
        Check().feed(page)
        self.assertEqual(open_tags, [])
        self.assertEqual(page.count("<svg"), 4)
        self.assertNotRegex(page, "<b>|src=|href=")
        self.assertIn("faster; p50", page)
        self.assertIn("99.0% shared", page)


class Plots(unittest.TestCase):
    def parse(self, text):
        """The picture's root."""
        return ElementTree.fromstring(text)

    def test_series(self):
        """a plot has a curve a side, a point a number of jobs, and the spread as a bar"""
        runs = []
        for jobs in (1, 8, 32):
            runs += made.rounds([100, 110, 105], [200 * jobs] * 3, jobs=jobs)
        pictures = report.plots(made.result(runs))
        self.assertEqual(sorted(pictures), ["mixed-iops.svg", "mixed-p50.svg", "mixed-p99.svg",
                                            "overview.svg"])
        root = self.parse(pictures["mixed-iops.svg"])
        lines = root.findall(SVG + "polyline")
        self.assertEqual([len(p.get("points").split()) for p in lines], [3, 3])
        texts = [t.text for t in root.findall(SVG + "text")]
        for text in ("mixed", "jobs", "IO/s", "1", "8", "32", "ext4", "ext4dio", "0"):
            self.assertIn(text, texts)
        # The last point of ext4dio is the highest: 6,400 of an axis to 8,000.
        ys = [float(p.split(",")[1]) for p in lines[1].get("points").split()]
        self.assertEqual(min(ys), ys[-1])
        bottom, top = plot.HEIGHT - plot.BOTTOM, plot.TOP
        self.assertAlmostEqual(ys[-1], bottom - 6400 / 8000 * (bottom - top), 0)
        grey = [e for e in root.findall(SVG + "line") if e.get("stroke") == plot.COLOURS[0]]
        blue = [e for e in root.findall(SVG + "line") if e.get("stroke") == plot.COLOURS[1]]
        self.assertEqual((len(grey), len(blue)), (9, 0))

    def test_overview(self):
        """the overview has a bar a ratio; what is not claimed is pale"""
        runs = made.rounds([100, 101, 99], [400, 401, 403], [100, 101, 100])
        runs += made.rounds([100, 101, 99], [50, 90, 70], [100, 101, 100], workload="overwrite")
        # Of fewer jobs it shows nothing.
        runs += made.rounds([100, 101, 99], [900, 901, 903], [100, 101, 100], jobs=1)
        root = self.parse(report.plots(made.result(runs))["overview.svg"])
        bars = [b for b in root.findall(SVG + "rect") if b.get("opacity")]
        self.assertEqual([b.get("opacity") for b in bars], ["1", "0.35"])
        one = next(e for e in root.findall(SVG + "line") if e.get("stroke") == "#444444")
        self.assertAlmostEqual(float(bars[0].get("x")), float(one.get("x1")), 0)
        self.assertLess(float(bars[1].get("x")), float(one.get("x1")))

    def test_rate(self):
        """latency at a fixed rate has plots of its own"""
        runs = made.rounds([100] * 2, [100] * 2, load="50%", rate=100)
        self.assertEqual(sorted(report.plots(made.result(runs))),
                         ["mixed-50percent-p50.svg", "mixed-50percent-p99.svg"])

    def test_escaped(self):
        """names with special characters do no harm"""
        self.parse(plot.curves("<a&b>", "y", {"<&": [(1, 1, 1, 1)]}))
        self.parse(plot.overview("<", "&", {"<row>": [("<s>", 2, None, None, False)]}))

    def test_steps(self):
        """an axis has round numbers"""
        self.assertEqual([plot.nice_step(x) for x in (1, 9, 12000, 30)], [0.2, 2, 5000, 10])


class Compare(unittest.TestCase):
    def test_worse(self):
        """what became worse or better beyond the noise is told"""
        slow = made.result(made.rounds([100, 101, 99], [150, 151, 152], [100, 101, 100]))
        lines, worse = report.compare(good(), slow)
        self.assertTrue(worse)
        self.assertRegex(lines[-1], r"ext4dio +201 +151 +0\.75x worse")
        self.assertRegex(lines[-2], r"ext4 +100 +100 +1\.00x within the spread")
        lines, worse = report.compare(slow, good())
        self.assertFalse(worse)
        self.assertRegex(lines[-1], r"1\.33x better")

    def test_noise(self):
        """a change that equal sides show too is none; nor is one of short runs"""
        noisy = made.result(made.rounds([100, 101, 99], [150, 151, 152], [140, 101, 100]))
        self.assertFalse(report.compare(good(), noisy)[1])
        # Its rounds spread as far as the old ones.
        apart = made.result(made.rounds([100, 101, 99], [150, 151, 201], [100, 101, 100]))
        self.assertFalse(report.compare(good(), apart)[1])
        short = made.result(made.rounds([100, 101, 99], [150, 151, 152], wall_s=1))
        lines, worse = report.compare(good(), short)
        self.assertFalse(worse)
        self.assertIn("too short", lines[-1])

    def test_nothing(self):
        """results with nothing in common are an error"""
        with self.assertRaisesRegex(Failure, "nothing was measured in both"):
            report.compare(good(), made.result(made.rounds([1], [1], jobs=3)))

    def test_differ(self):
        """a different machine is noted"""
        other = good(environment={"governors": ["performance"]})
        self.assertIn("note: environment differ", "\n".join(report.compare(good(), other)[0]))
