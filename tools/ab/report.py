# SPDX-License-Identifier: GPL-2.0
"""What a result says: table, CSV, plots, one HTML page, comparison with another."""

import csv
import html
import subprocess
from pathlib import Path

from .stats import Ratio, noise_floor, spread
from .workload import Failure

CSV_FIELDS = ("kind", "workload", "jobs", "round", "side", "ios", "refused", "wall_s", "iops",
              "p50_us", "p99_us", "p999_us", "cpu_us_per_io")


# What a pure overwrite by as many jobs is the physical limit of.
SHAPES = ("mixed", "stripe", "hole", "zeroing", "append")


class Cell:
    """One workload with one number of jobs."""

    def __init__(self, result, workload, jobs):
        self.workload, self.jobs = workload, jobs
        self.runs = [r for r in result["runs"] if r["kind"] == "ab"
                     and (r["workload"], r["jobs"]) == (workload, jobs)]
        self.floor = floor_of(result, jobs)

    def values(self, side, field="iops"):
        """By round."""
        return [r[field] for r in sorted(self.runs, key=lambda r: r["round"])
                if r["side"] == side]

    def ratio(self, side, base):
        return Ratio(list(zip(self.values(base), self.values(side))))


def floor_of(result, jobs):
    """The noise floor for @jobs: of the A/A pairs with as many jobs, else of all."""
    pairs = {}
    for run in result["runs"]:
        if run["kind"] == "aa":
            pairs.setdefault((run["workload"], run["jobs"], run["round"]), []).append(run["iops"])
    same = [p for (_, j, _), p in pairs.items() if j == jobs and len(p) == 2]
    return noise_floor(same or [p for p in pairs.values() if len(p) == 2])


def cells(result):
    """All cells by workload, in the order of measuring."""
    found = {}
    for run in result["runs"]:
        jobs = found.setdefault(run["workload"], [])
        if run["jobs"] not in jobs:
            jobs.append(run["jobs"])
    return {w: [Cell(result, w, j) for j in jobs] for w, jobs in found.items()}


def head_lines(result):
    """Where and how it was measured."""
    device, settings = result["device"], result["settings"]
    facts = [device.get("model", ""), device.get("source", ""), settings.get("device_note", "")]
    if "scheduler" in device:
        facts.append(f"scheduler {device['scheduler']}")
    lines = [f"kernel   {result['kernel']}, {result['cpus']} CPUs ({result['cpu']})",
             f"device   {device['path']}" + "".join(f", {f}" for f in facts if f)]
    for name, module in result["modules"].items():
        if "forked_from" in module:
            lines.append(f"module   {name} {module['version']}, forked from "
                         f"{module['forked_from']}")
    size = settings["region"] or settings["total"]
    share = "for each job" if settings["region"] else "shared by the jobs"
    lines.append(f"method   {result['fio']}, {settings['rounds']} rounds interleaved, "
                 f"{size / (1 << 20):g} MiB {share}, seed {settings['seed']}")
    if any(r["kind"] == "aa" for r in result["runs"]):
        lines.append("noise    two equal sides differed by up to " +
                     ", ".join(f"{(floor_of(result, j) - 1) * 100:.1f}% ({j} jobs)"
                               for j in settings["jobs"]))
    lines.append("figures  medians, of rates (smallest-largest) too; CPU: of the whole machine, "
                 "the start of fio included, for each operation")
    return lines


def table(result):
    """The lines of the table in the terminal; a ratio is against the first side."""
    lines = head_lines(result)
    base = result["sides"][0]
    limit = {(c.jobs, side): spread(c.values(side))[0]
             for c in cells(result).get("overwrite", []) for side in result["sides"]}
    for workload, row in cells(result).items():
        sides = ["device"] if workload == "device" else result["sides"]
        lines += ["", result["titles"][workload],
                  f"{'jobs':>4} {'side':<22} {result['operations'][workload] + '/s':>22} "
                  f"{'p50':>8} {'p99':>8} {'p99.9':>8} {'CPU':>7}  ratio"]
        for cell in row:
            for side in sides:
                middle, low, high = spread(cell.values(side))
                times = [spread(cell.values(side, f))[0] / 1000
                         for f in ("p50_us", "p99_us", "p999_us")]
                cpu = spread(cell.values(side, "cpu_us_per_io"))[0]
                extent = f" ({low:,.0f}-{high:,.0f})" if low < high else ""
                line = (f"{cell.jobs:>4} {side:<22} {f'{middle:,.0f}{extent}':>22}"
                        + "".join(f" {t:>6.1f}ms" for t in times) + f" {cpu:>5.0f}us")
                if side not in (base, "device"):
                    line += "  " + ratio_text(cell.ratio(side, base), cell.floor)
                refused = sum(cell.values(side, "refused"))
                if refused:
                    line += f"  {refused / sum(cell.values(side, 'ios')):.0%} refused"
                if workload in SHAPES and limit.get((cell.jobs, side)):
                    line += f"  {middle / limit[cell.jobs, side]:.2f} of overwrite"
                lines.append(line)
    return lines


def markdown(result):
    """The table for a web page: a row a cell, medians, ratios against the first side."""
    base, others = result["sides"][0], result["sides"][1:]
    kernel = result["kernel"].split("+")[0]
    lines = ["| kernel | workload | jobs | " + " | ".join(
        [base] + [f"{side} | ratio (95% confidence)" for side in others]) + " |",
             "|---|---|---|" + "---|" * (1 + 2 * len(others))]
    for workload, row in cells(result).items():
        for cell in row if workload != "device" else ():
            line = [kernel, workload, str(cell.jobs), f"{spread(cell.values(base))[0]:,.0f}"]
            for side in others:
                ratio = cell.ratio(side, base)
                interval = f" ({ratio.low:.2f}-{ratio.high:.2f})" if ratio.low is not None else ""
                line += [f"{spread(cell.values(side))[0]:,.0f}", f"{ratio.value:.2f}{interval}"]
            lines.append("| " + " | ".join(line) + " |")
    return lines


def ratio_text(ratio, floor):
    if ratio.value != ratio.value:
        return ratio.verdict(floor)
    interval = f" ({ratio.low:.2f}-{ratio.high:.2f})" if ratio.low is not None else ""
    return f"{ratio.value:.2f}x{interval} {ratio.verdict(floor)}"


def write_csv(result, path):
    """One line a run."""
    with open(path, "w", newline="") as file:
        out = csv.DictWriter(file, CSV_FIELDS)
        out.writeheader()
        out.writerows(result["runs"])


def plot(title, ylabel, lines, path):
    """An SVG of curves over the number of jobs; @lines: {name: [(jobs, y)]}."""
    names = list(lines)
    script = ['set terminal svg size 460,320 background "white" font "sans,11"',
              f'set output "{path}"; set title "{title}"',
              f'set xlabel "jobs"; set ylabel "{ylabel}"; set key left top noenhanced',
              "set logscale x 2; set yrange [0:*]; set grid",
              "plot " + ", ".join(f'"-" with linespoints lw 2 title "{n}"' for n in names)]
    for name in names:
        script += [f"{x} {y}" for x, y in lines[name]] + ["e"]
    try:
        done = subprocess.run(["gnuplot"], input="\n".join(script), capture_output=True, text=True)
    except FileNotFoundError:
        raise Failure("gnuplot is missing: apt-get install gnuplot-nox") from None
    if done.returncode:
        raise Failure(f"gnuplot: {done.stderr.strip()}")


def write_plots(result, folder):
    """IOPS and p99 latency over jobs, two SVGs a workload; their paths."""
    paths = []
    for workload, row in cells(result).items():
        sides = ["device"] if workload == "device" else result["sides"]
        rate = result["operations"][workload] + "/s"
        for field, label, scale in (("iops", rate, 1), ("p99_us", "p99 latency, ms", 1000)):
            path = Path(folder) / f"{workload}-{field}.svg"
            plot(f"{workload}", label, {side: [(c.jobs, spread(c.values(side, field))[0] / scale)
                                               for c in row] for side in sides}, path)
            paths.append(path)
    return paths


def write_html(result, plots, path):
    """One page that needs no other file: table and plots."""
    images = "\n".join(p.read_text()[p.read_text().index("<svg"):] for p in plots)
    Path(path).write_text(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<title>ext4dio A/B benchmark</title><style>body{font-family:sans-serif;margin:2em}"
        "pre{overflow-x:auto}svg{margin:.5em}</style></head><body>\n"
        f"<h1>{html.escape(' against '.join(reversed(result['sides'])))}</h1>\n"
        f"<p>{html.escape(result['date'])}</p>\n<pre>{html.escape(chr(10).join(table(result)))}"
        f"</pre>\n{images}\n</body></html>\n")


def compare(old, new):
    """What changed from one result to another: a line a cell and side in both."""
    lines = [f"old  {old['date']}, kernel {old['kernel']}",
             f"new  {new['date']}, kernel {new['kernel']}"]
    for what in ("device", "settings", "modules"):
        if old[what] != new[what]:
            lines.append(f"note: {what} differ, so the figures may differ for that alone")
    before = {(c.workload, c.jobs): c for row in cells(old).values() for c in row}
    lines.append(f"{'workload':<14} {'jobs':>4} {'side':<22} {'old':>9} {'new':>9}  change")
    found = False
    for row in cells(new).values():
        for cell in row:
            other = before.get((cell.workload, cell.jobs))
            for side in ["device"] if cell.workload == "device" else new["sides"]:
                if not other or not other.values(side):
                    continue
                found = True
                a, b = (spread(c.values(side)) for c in (other, cell))
                apart = a[2] < b[1] or b[2] < a[1]
                floor = max(cell.floor, other.floor)
                change = b[0] / a[0] if a[0] else float("inf" if b[0] else "nan")
                changed = apart and not 1 / floor <= change <= floor
                lines.append(f"{cell.workload:<14} {cell.jobs:>4} {side:<22} {a[0]:>9,.0f} "
                             f"{b[0]:>9,.0f}  {change:.2f}x" +
                             (" changed" if changed else " within the spread"))
    if not found:
        lines.append("nothing was measured in both")
    return lines
