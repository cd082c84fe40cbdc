# SPDX-License-Identifier: GPL-2.0
"""Plots as SVG, which a browser shows: curves over the number of jobs, and one overview."""

import html
import math

COLOURS = ("#777777", "#0b66c3", "#d1495b", "#2a9d52", "#8a5fbf", "#c77d00")
WIDTH, HEIGHT = 460, 320
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 40, 58


def nice_step(largest, ticks=5):
    """A step of 1, 2 or 5 times a power of ten that divides 0 to @largest in about @ticks."""
    raw = largest / ticks
    power = 10 ** math.floor(math.log10(raw))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= raw)


def label(value):
    """A number on an axis."""
    return f"{value / 1000:g}k" if value >= 10000 else f"{value:g}"


def text(x, y, what, more=""):
    """A text element."""
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{html.escape(what)}</text>'


def line(x1, y1, x2, y2, more):
    """A line element."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {more}/>'


def svg(width, height, title, parts):
    """A whole picture."""
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11" role="img">',
        f"<title>{html.escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        text(width / 2, 18, title, 'text-anchor="middle" font-size="13"'), *parts, "</svg>", ""])


def curves(title, ylabel, series):
    """Curves over the number of jobs.

    @series: {name: [(jobs, y, low, high)]}; low to high is drawn as a bar where it is not
    one point.  Jobs are in steps of two on the axis, y begins at 0.
    """
    jobs = sorted({p[0] for points in series.values() for p in points})
    top = max((p[3] for points in series.values() for p in points), default=0) or 1
    step = nice_step(top)
    top = math.ceil(top / step) * step
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    first, last = math.log2(jobs[0]), math.log2(jobs[-1])

    def x_of(number):
        if first == last:
            return (LEFT + right) / 2
        return LEFT + 12 + (math.log2(number) - first) / (last - first) * (right - LEFT - 24)

    def y_of(value):
        return bottom - value / top * (bottom - TOP)
    parts = []
    for i in range(round(top / step) + 1):
        y = y_of(i * step)
        parts += [line(LEFT, y, right, y, 'stroke="#dddddd"'),
                  text(LEFT - 6, y + 4, label(i * step), 'text-anchor="end"')]
    parts += [text(x_of(n), bottom + 16, str(n), 'text-anchor="middle"') for n in jobs]
    parts += [text((LEFT + right) / 2, bottom + 31, "jobs", 'text-anchor="middle"'),
              text(LEFT - 48, TOP - 10, ylabel)]
    across = LEFT
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        shifted = [(x_of(p[0]) + 2 * number, p) for p in points]
        path = " ".join(f"{x:.1f},{y_of(p[1]):.1f}" for x, p in shifted)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, (_, y, low, high) in shifted:
            parts.append(f'<circle cx="{x:.1f}" cy="{y_of(y):.1f}" r="2.5" fill="{colour}"/>')
            if low < high:
                ends = f'stroke="{colour}"'
                parts += [line(x, y_of(low), x, y_of(high), ends),
                          line(x - 3, y_of(low), x + 3, y_of(low), ends),
                          line(x - 3, y_of(high), x + 3, y_of(high), ends)]
        parts += [f'<rect x="{across}" y="{HEIGHT - 18}" width="12" height="4" fill="{colour}"/>',
                  text(across + 16, HEIGHT - 12, name)]
        across += 34 + 6.5 * len(name)
    return svg(WIDTH, HEIGHT, title, parts)


def overview(title, base, groups):
    """A bar for each ratio to @base, on a logarithmic axis from 1, with its interval.

    @groups: {row: [(side, ratio, low, high, claimed)]}; low and high may be None.  What is
    not claimed is pale.
    """
    width, left, right = 640, 170, 60
    values = [v for bars in groups.values() for _, ratio, low, high, _ in bars
              for v in (ratio, low, high) if v]
    low_end = min(values + [0.8])
    high_end = max(values + [1.25])
    scale = (width - left - right) / math.log(high_end / low_end)
    sides = list(dict.fromkeys(bar[0] for bars in groups.values() for bar in bars))
    height = 64 + sum(16 * len(bars) + 8 for bars in groups.values()) + 40

    def x_of(value):
        return left + math.log(value / low_end) * scale
    parts = []
    for tick in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200):
        if low_end <= tick <= high_end:
            parts += [line(x_of(tick), 34, x_of(tick), height - 46,
                           f'stroke="{"#444444" if tick == 1 else "#dddddd"}"'),
                      text(x_of(tick), height - 32, f"{tick:g}x", 'text-anchor="middle"')]
    y = 42
    for row, bars in groups.items():
        parts.append(text(left - 8, y + 8 * len(bars) + 3, row, 'text-anchor="end"'))
        for side, ratio, low, high, claimed in bars:
            colour = COLOURS[(sides.index(side) + 1) % len(COLOURS)]
            start, end = sorted((x_of(1), x_of(ratio)))
            parts.append(f'<rect x="{start:.1f}" y="{y + 2}" width="{max(end - start, 1):.1f}" '
                         f'height="12" fill="{colour}" opacity="{1 if claimed else 0.35}"/>')
            if low:
                parts.append(line(x_of(low), y + 8, x_of(high), y + 8, 'stroke="black"'))
            parts.append(text(max(end, x_of(high or ratio)) + 5, y + 12, f"{ratio:.2f}x"))
            y += 16
        y += 8
    across = left
    for number, side in enumerate(sides, 1):
        parts += [f'<rect x="{across}" y="{height - 18}" width="12" height="8" '
                  f'fill="{COLOURS[number % len(COLOURS)]}"/>',
                  text(across + 16, height - 10, f"{side} to {base}; pale: nothing is claimed")]
        across += 200 + 6.5 * len(side)
    return svg(width, height, title, parts)
