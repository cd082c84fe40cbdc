# SPDX-License-Identifier: GPL-2.0
"""What a result says: table, Markdown, CSV, plots, one HTML page, comparison with another."""

import csv
import html
import math
import re
from pathlib import Path

from . import plot
from .result import MEASURES, PERCENTILES, Analysis, locking
from .stats import spread
from .workload import Failure

CSV_FIELDS = ("kind", "workload", "jobs", "round", "side", "load", "rate", "ios", "refused",
              "wall_s", "iops", "p50_us", "p99_us", "p999_us", "cpu_us_per_io", "shared",
              "exclusive", "lock_ms", "drain_ms", "beside_iops", "beside_p50_us",
              "beside_p99_us", "beside_p999_us")

BESIDE = "  reads/s beside"

# What a pure overwrite by as many jobs is the physical limit of.
SHAPES = ("mixed", "stripe", "hole", "zeroing", "append", "append-prealloc")

# What the authors of the series that this follows measured, before and after, by jobs.
PUBLISHED = {
    "mixed": {1: (42322, 43087), 2: (68516, 66958), 4: (62489, 101468), 8: (58701, 113679),
              16: (58569, 115272), 32: (60860, 119621)},
    "stripe": {1: (15547, 17381), 2: (15910, 34172), 4: (15014, 57567), 8: (15022, 81947),
               16: (14586, 99126), 32: (14047, 92519)},
}


def count(number, word):
    """"1 job", "2 jobs"."""
    return f"{number} {word}" + ("" if number == 1 else "s")


def span(values):
    """The median of some us, in us or ms; "-" of none."""
    if not values:
        return "-"
    middle = spread(values)[0]
    return f"{middle:.0f}us" if middle < 1000 else f"{middle / 1000:.1f}ms"


def rate(values):
    """Median and range of some rates."""
    middle, low, high = spread(values)
    if math.isnan(middle):
        return "-"
    return f"{middle:,.0f}" + (f" ({low:,.0f}-{high:,.0f})" if low < high else "")


def interval(ratio):
    """The ratio with its interval."""
    if math.isnan(ratio.value):
        return "-"
    ends = f" ({ratio.low:.2f}-{ratio.high:.2f})" if ratio.low is not None else ""
    return f"{ratio.value:.2f}x{ends}"


def locking_text(runs):
    """In words, what the counters say; "" without any."""
    found = locking(runs)
    if not found:
        return ""
    if not found["writes"]:
        return "no direct write"
    share = [f"{100 * found['shared'] / found['writes']:.1f}% shared"]
    share += [f"{100 * n / found['writes']:.1f}% exclusive ({reason})"
              for reason, n in found["exclusive"].items()]
    share += [f"{100 * found[what] / found['writes']:.1f}% {what}"
              for what in ("buffered", "refused") if found[what]]
    return (", ".join(share) + f"; waited {found['lock_ms']:,.0f} ms for the lock, "
            f"{found['drain_ms']:,.0f} ms for I/O in flight")


def load_text(cell):
    """How a cell is told from others with as many jobs."""
    if cell.load == "max":
        return cell.facts["io"]
    asked = cell.runs[0]["rate"]
    share = f", about {cell.load}" if cell.load.endswith("%") else ""
    return f"{cell.facts['io']} at {asked:,}/s{share}"


def noise_lines(analysis):
    """By how much equal sides differed."""
    floors = [(c.floor(), c) for c in analysis.cells if c.equal_pairs("iops")]
    if not floors:
        return ["noise    not measured: no A/A runs"]
    floors.sort(key=lambda f: f[0])
    most, where = floors[-1]
    return [f"noise    two equal sides differed by up to {(floors[len(floors) // 2][0] - 1):.1%} "
            f"of the IOPS in the middle one of {count(len(floors), 'cell')}, {most - 1:.1%} in "
            f"the worst ({where.workload}, {count(where.jobs, 'job')})"]


def head_lines(analysis):
    """Where and how it was measured."""
    result = analysis.result
    device, settings = result["device"], result["settings"]
    facts = [device.get("model", ""), device.get("source", ""), settings.get("device_note", "")]
    if device.get("scheduler"):
        facts.append(f"scheduler {device['scheduler']}")
    note = settings.get("cpu_note")
    lines = [f"kernel   {result['kernel']}, {count(result['cpus'], 'CPU')} ({result['cpu']}"
             + (f", {note})" if note else ")"),
             f"device   {device['path']}" + "".join(f", {f}" for f in facts if f)]
    for name, module in result["modules"].items():
        if "forked_from" in module:
            lines.append(f"module   {name} {module['version']}, forked from "
                         f"{module['forked_from']}")
    rounds = [c.rounds for c in analysis.cells]
    few, many = min(rounds), max(rounds)
    extent = str(few) if few == many else f"{few}-{many}"
    lines.append(f"method   {result['fio']}, {extent} interleaved {'round' + 's' * (many > 1)} of "
                 f"{settings['seconds']:g} s a run, seed {settings['seed']}")
    lines += noise_lines(analysis)
    lines.append("figures  medians (smallest-largest of the rounds); CPU: of all tasks for "
                 "each operation; waits: of all jobs of a run")
    lines.append(f"claims   {count(analysis.asked, 'question')} together, wrong in at most 5 of "
                 "100 such results; ratios with 95% confidence; ~: a noisy figure")
    if not result["complete"]:
        lines.insert(0, f"INCOMPLETE: {result['ended'] or 'it was cut short'}")
    return lines


def verdict_line(analysis, cell, side):
    """All ratios of a side to the first, and what is claimed of them."""
    parts = []
    for field, (name, _, _) in MEASURES.items():
        verdict = analysis.verdict(cell, side, field)
        if field == "iops" and cell.load != "max":
            kept = [s for s in (cell.base, side) if not cell.kept_up(s)]
            parts.append(f"did not keep up: {', '.join(kept)}" if kept else "equal load")
            continue
        noisy = "~" if verdict.noisy else ""
        if field == "iops":
            parts.append(f"{noisy}{interval(verdict.ratio)} {verdict.text()}")
        elif not math.isnan(verdict.ratio.value):
            parts.append(f"{name} {noisy}{verdict.ratio.value:.2f}x"
                         + (f" {verdict.word}" if verdict.word else ""))
    return "; ".join(parts)


def rounds_text(analysis, cell):
    """What ended the rounds of a cell, where that is the limit."""
    for facts in analysis.result.get("cells", ()):
        if (facts["workload"], facts["jobs"], facts["load"]) == cell.key and (
                facts["stopped"] == "limit" and cell.rounds > 1 and len(cell.sides) > 1):
            return f"limit of {cell.rounds} rounds reached before the interval was narrow"
    return ""


def limits(analyses):
    """The median rate of pure overwrites: {(jobs, load, side): IO/s}."""
    return {(c.jobs, c.load, side): spread(c.values(side))[0] for a in analyses for c in a.cells
            for side in c.sides if c.workload == "overwrite"}


def table(result):
    """The lines of the table in the terminal; ratios are against the first side."""
    analysis = Analysis(result)
    if not analysis.cells:
        return ["nothing was measured: " + (result.get("ended") or "there are no runs")]
    lines = head_lines(analysis)
    limit = limits([analysis])
    indent = " " * 7
    wide = max(len(load_text(c)) for c in analysis.cells)
    for title, cells in analysis.shapes().items():
        unit = cells[0].facts["operation"] + "/s"
        lines += ["", title,
                  f"{'jobs':>4}  {'by':<{wide}} {'side':<22} {unit:>24}"
                  f" {'p50':>8} {'p99':>8} {'p99.9':>8} {'CPU':>7}"]
        for cell in cells:
            for side in cell.sides:
                runs = cell.runs_of(side)
                line = (f"{cell.jobs:>4}  {load_text(cell):<{wide}} {side:<22} "
                        f"{rate(cell.values(side)):>24}"
                        + "".join(f" {span(cell.values(side, f)):>8}" for f in PERCENTILES)
                        + f" {span(cell.values(side, 'cpu_us_per_io')):>7}")
                refused = sum(cell.values(side, "refused"))
                if refused:
                    line += f"  {refused / sum(cell.values(side, 'ios')):.0%} refused"
                best = limit.get((cell.jobs, cell.load, side))
                if cell.workload in SHAPES and best:
                    line += f"  {spread(cell.values(side))[0] / best:.2f} of overwrite"
                lines.append(line.rstrip())
                if cell.beside(side):
                    lines.append(f"{'':>4}  {'':<{wide}} {BESIDE:<22} {rate(cell.beside(side)):>24}"
                                 + "".join(f" {span(cell.beside(side, f)):>8}"
                                           for f in PERCENTILES))
                if side != cell.base:
                    lines.append(indent + verdict_line(analysis, cell, side))
                why = locking_text(runs)
                if why:
                    lines.append(indent + why)
            more = rounds_text(analysis, cell)
            if more:
                lines.append(indent + more)
    return lines + conclusion(analysis)


def named(verdict):
    """A cell, in a sentence."""
    cell = verdict.cell
    by = f" by {cell.facts['io']}" if cell.facts["shape"] else ""
    return f"{cell.facts['shape'] or cell.workload}{by} with {count(cell.jobs, 'job')}"


def conclusion(analysis):
    """What all of it comes to, a line a side: only what is claimed."""
    base, lines = analysis.result["sides"][0], []
    for side in analysis.result["sides"][1:]:
        verdicts = analysis.at_full_speed(side)
        if not verdicts:
            continue
        parts = []
        for word in ("faster", "slower"):
            found = sorted((v for v in verdicts if v.word == word), key=lambda v: v.ratio.value)
            if not found:
                continue
            few, most = found[0], found[-1]
            extent = f" by {interval(few.ratio)} ({named(few)})"
            if len(found) > 1:
                extent = (f", from {interval(few.ratio)} ({named(few)}) to "
                          f"{interval(most.ratio)} ({named(most)})")
            parts.append(f"{word} than {base} in {len(found)} of {len(verdicts)} cells{extent}")
        open_ = [v.text() for v in verdicts if not v.word]
        for text in dict.fromkeys(open_):
            parts.append(f"{text} in {open_.count(text)}")
        lines += ["", f"{side}: {'; '.join(parts)}.",
                  f"{side}: geometric mean of {count(len(verdicts), 'ratio')} to {base}: "
                  f"{analysis.mean(side):.2f}x"]
    return lines


# --- Markdown -----------------------------------------------------------------


def merged(results):
    """Results by column: those of one kernel, device and pair of sides, one after the other,
    are one.  {"6.12": [Analysis, ...]}"""
    columns = {}
    for result in results:
        key = (result["kernel"], result["settings"].get("device_note"), tuple(result["sides"]))
        columns.setdefault(key, []).append(Analysis(result))
    if len({key[2] for key in columns}) > 1:
        raise Failure("these results have different sides: they do not fit into one table")
    for key, found in columns.items():
        cells = [c.key for a in found for c in a.cells]
        if len(cells) != len(set(cells)):
            raise Failure(f"kernel {key[0]}: two of these results have measured the same")
    short = [re.match(r"\d+\.\d+|.*", key[0]).group() for key in columns]
    if len(set(short)) < len(short):
        short = [f"{s}, {key[1] or key[0]}" for s, key in zip(short, columns)]
    return dict(zip(short, columns.values()))


def markdown(results):
    """Tables for a web page: one a workload, a row for each number of jobs, IOPS and ratios
    of each kernel beside each other; below it what the counters say.  Bold: claimed."""
    columns = merged(results)
    base, others = results[0]["sides"][0], results[0]["sides"][1:]
    titles = dict.fromkeys(t for found in columns.values() for a in found for t in a.shapes())
    lines = []
    for title in titles:
        rows, published = {}, {}
        for column, found in columns.items():
            for analysis in found:
                for cell in analysis.shapes().get(title, ()):
                    rows.setdefault((cell.jobs, load_text(cell)), {})[column] = analysis, cell
                    if cell.load == "max" and not cell.facts["shape"]:
                        published = PUBLISHED.get(cell.workload, {})
        if any(cell.workload == "device" for row in rows.values() for _, cell in row.values()):
            continue
        head = [f"{column} {base} | " + " | ".join(f"{side} | ratio" for side in others)
                for column in columns] if others else [f"{column} {base}" for column in columns]
        lines += [f"{title}:", "", "| jobs | by | " + " | ".join(head)
                  + (" | published |" if published else " |"),
                  "|---|---|" + "---|" * (len(columns) * (1 + 2 * len(others)) + bool(published))]
        for (jobs, by), row in rows.items():
            line = [str(jobs), by]
            for column in columns:
                line += markdown_cells(*row.get(column, (None, None)), others)
            if published:
                before, after = published.get(jobs, (0, 0)) if by == "psync" else (0, 0)
                line.append(f"{before:,} to {after:,} ({after / before:.2f})" if before else "")
            lines.append("| " + " | ".join(line) + " |")
        lines += ["", *markdown_why(columns, rows), ""]
    for column, found in columns.items():
        lines += [*markdown_cost(column, found), ""]
    return lines[:-1]


def markdown_cells(analysis, cell, others):
    """The columns of one kernel in a row."""
    if not cell:
        return [""] * (1 + 2 * len(others))
    line = [f"{spread(cell.values(cell.base))[0]:,.0f}"]
    for side in others:
        verdict = analysis.verdict(cell, side)
        ratio = interval(verdict.ratio).replace("x", "")
        if verdict.word:
            ratio = f"**{ratio}**"
        elif verdict.text() != "no difference shown":
            ratio += f", {verdict.text()}"
        line += [f"{spread(cell.values(side))[0]:,.0f}", ratio]
    return line


def markdown_cost(column, analyses):
    """Of one kernel: latency and CPU of each side, and its rate as a share of that of overwrites,
    a row a cell."""
    limit = limits(analyses)
    sides = analyses[0].result["sides"]
    lines = [f"{column}, the same cells: {', '.join(sides)}:", "",
             "| workload | jobs | of overwrite | p50 | p99 | p99.9 | CPU |", "|---|" + "---|" * 6]
    for cell in (c for a in analyses for c in a.cells if c.workload != "device"):
        shares = []
        for side in sides:
            best = limit.get((cell.jobs, cell.load, side))
            shares.append(f"{spread(cell.values(side))[0] / best:.2f}"
                          if best and cell.workload in SHAPES else "-")
        load = "" if cell.load == "max" else f" at {cell.runs[0]['rate']:,}/s"
        line = [cell.workload + load, str(cell.jobs), ", ".join(shares)]
        line += [", ".join(span(cell.values(side, field)) for side in sides)
                 for field in (*PERCENTILES, "cpu_us_per_io")]
        line = ["-" if set(part.split(", ")) == {"-"} else part for part in line]
        lines.append("| " + " | ".join(line) + " |")
    return lines


def markdown_why(columns, rows):
    """What the counters say of the last row with counters, a line a kernel and side."""
    lines = []
    for column in columns:
        for (jobs, by), row in reversed(rows.items()):
            if column not in row:
                continue
            _, cell = row[column]
            found = [f"{side}: {why}" for side in cell.sides
                     for why in [locking_text(cell.runs_of(side))] if why]
            if found:
                lines.append(f"{column}, {count(jobs, 'job')}, {by}: " + ". ".join(found) + ".")
            break
    return lines


# --- CSV, plots, HTML -----------------------------------------------------------


def write_csv(result, path):
    """One line a run."""
    with open(path, "w", newline="") as file:
        out = csv.DictWriter(file, CSV_FIELDS, extrasaction="ignore")
        out.writeheader()
        for run in result["runs"]:
            found = locking([run]) or {}
            exclusive = found.get("exclusive")
            beside = {f"beside_{f}": v for f, v in (run.get("beside") or {}).items()}
            out.writerow({**run, **found, **beside,
                          "exclusive": "" if exclusive is None else sum(exclusive.values())})


def plots(result):
    """All pictures: {file name: SVG}.  The overview has of each workload the cell with the most
    jobs."""
    analysis = Analysis(result)
    pictures = {}
    bars, most = {}, {}
    for cell in analysis.cells:
        most[cell.workload] = max(cell.jobs, most.get(cell.workload, 0))
    for cell in analysis.cells:
        for verdict in (analysis.verdicts.get((cell.key, s, "iops")) for s in cell.sides[1:]):
            if cell.load == "max" and cell.jobs == most[cell.workload] and not math.isnan(
                    verdict.ratio.value):
                ratio = verdict.ratio
                bars.setdefault(f"{cell.workload}, {count(cell.jobs, 'job')}", []).append(
                    (verdict.side, ratio.value, ratio.low, ratio.high, bool(verdict.word)))
    if bars:
        base = result["sides"][0]
        pictures["overview.svg"] = plot.overview(f"IOPS to those of {base}", base, bars)
    tables = {}
    for cell in analysis.cells:
        tables.setdefault((cell.workload, cell.load), []).append(cell)
    for (workload, load), cells in tables.items():
        at_rate = "" if load == "max" else f" at a fixed rate, {load}" + (
            "" if load.endswith("%") else "/s")
        file = workload + ("" if load == "max" else "-" + load.replace("%", "percent"))
        fields = (("iops", cells[0].facts["operation"] + "/s", 1), ("p50_us", "p50, ms", 1000),
                  ("p99_us", "p99, ms", 1000))
        for field, label, scale in fields:
            if field == "iops" and load != "max":
                continue
            series = {side: [(c.jobs, *(v / scale for v in spread(c.values(side, field))))
                             for c in cells if c.values(side, field)] for side in cells[0].sides}
            series = {side: sorted(points) for side, points in series.items() if points}
            if series:
                pictures[f"{file}-{field.split('_')[0]}.svg"] = plot.curves(
                    workload + at_rate, label, series)
    return pictures


STYLE = ("body{font-family:sans-serif;margin:2em}table{border-collapse:collapse;margin:.5em 0}"
         "td,th{border:1px solid #ccc;padding:.2em .5em;text-align:right}"
         "td.t,th.t{text-align:left}tr.other td{background:#f4f8fc}pre{overflow-x:auto}"
         "svg{margin:.5em}.claim{font-weight:bold}")


def html_row(cells, tag="td", kind=""):
    """A row of an HTML table; a cell (text, class) is text, else a number."""
    parts = []
    for cell in cells:
        text, name = cell if isinstance(cell, tuple) else (cell, "")
        parts.append(f"<{tag}{f' class={chr(34)}{name}{chr(34)}' if name else ''}>"
                     f"{html.escape(text)}</{tag}>")
    return f"<tr{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>" + "".join(parts) + "</tr>"


def html_tables(analysis):
    """A table a shape."""
    lines = []
    for title, cells in analysis.shapes().items():
        lines += [f"<h2>{html.escape(title)}</h2>", "<table>", html_row(
            ["jobs", ("by", "t"), ("side", "t"), cells[0].facts["operation"] + "/s", "p50", "p99",
             "p99.9", "CPU", ("ratio", "t"), ("claims", "t"), ("locks", "t"),
             "lock wait", "drain wait"], "th")]
        for cell in cells:
            for side in cell.sides:
                found = locking(cell.runs_of(side))
                lines.append(html_row([
                    str(cell.jobs), (load_text(cell), "t"), (side, "t"), rate(cell.values(side)),
                    *(span(cell.values(side, f)) for f in PERCENTILES),
                    span(cell.values(side, "cpu_us_per_io")),
                    *html_verdict(analysis, cell, side),
                    (locking_text(cell.runs_of(side)).split(";")[0], "t"),
                    f"{found['lock_ms']:,.0f}ms" if found else "",
                    f"{found['drain_ms']:,.0f}ms" if found else "",
                ], kind="" if side == cell.base else "other"))
                if cell.beside(side):
                    lines.append(html_row([
                        "", "", (BESIDE, "t"), rate(cell.beside(side)),
                        *(span(cell.beside(side, f)) for f in PERCENTILES)]))
        lines.append("</table>")
    return lines


def html_verdict(analysis, cell, side):
    """Ratio and claims of a side."""
    if side == cell.base:
        return "", ""
    verdict = analysis.verdict(cell, side)
    return ((interval(verdict.ratio), "t claim" if verdict.word else "t"),
            (verdict_line(analysis, cell, side), "t"))


def write_html(result, path):
    """One page that needs no other file: tables and plots."""
    analysis = Analysis(result)
    pictures = "\n".join(plots(result).values())
    head = head_lines(analysis) if analysis.cells else table(result)
    Path(path).write_text("\n".join([
        '<!DOCTYPE html>', '<html lang="en"><head><meta charset="utf-8">',
        f"<title>ext4dio A/B benchmark</title><style>{STYLE}</style></head><body>",
        f"<h1>{html.escape(' against '.join(reversed(result['sides'])))}</h1>",
        f"<p>{html.escape(result['date'])}</p>",
        f"<pre>{html.escape(chr(10).join(head))}</pre>",
        *(f"<p>{html.escape(s)}</p>" for s in conclusion(analysis) if s),
        pictures, *html_tables(analysis), "</body></html>", ""]))


# --- comparison -----------------------------------------------------------------


def compare(old, new):
    """What changed from one result to another: the lines, one a cell and side in both, and
    whether something became worse."""
    lines = [f"old  {old['date']}, kernel {old['kernel']}",
             f"new  {new['date']}, kernel {new['kernel']}"]
    for what in ("device", "settings", "modules", "environment"):
        if old.get(what) != new.get(what):
            lines.append(f"note: {what} differ, so the figures may differ for that alone")
    before = {c.key: c for c in Analysis(old).cells}
    lines.append(f"{'workload':<16} {'jobs':>4} {'load':<5} {'side':<22} {'old':>9} {'new':>9}  "
                 "change")
    found = worse = False
    for cell in Analysis(new).cells:
        other = before.get(cell.key)
        for side in cell.sides:
            if not other or not other.values(side) or not cell.values(side):
                continue
            found = True
            a, b = (spread(c.values(side)) for c in (other, cell))
            apart = a[2] < b[1] or b[2] < a[1]
            floor = max(cell.floor(), other.floor())
            change = b[0] / a[0] if a[0] else float("inf" if b[0] else "nan")
            text = "within the spread"
            if cell.too_short() or other.too_short():
                text = "too short: no claim"
            elif apart and not 1 / floor <= change <= floor:
                text = "better" if change > 1 else "worse"
                worse = worse or change < 1
            lines.append(f"{cell.workload:<16} {cell.jobs:>4} {cell.load:<5} {side:<22} "
                         f"{a[0]:>9,.0f} {b[0]:>9,.0f}  {change:.2f}x {text}")
    if not found:
        raise Failure("nothing was measured in both results")
    return lines, worse
