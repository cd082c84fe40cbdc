# SPDX-License-Identifier: GPL-2.0
"""Statistics over runs: one number a run, runs paired by round.

Student's t for whole degrees of freedom has a closed form, which is all that is needed
here.  python3-scipy would bring 60 MB and 13 more packages to a lab machine for it.
"""

import math
from statistics import fmean, median, stdev

# The chance to claim, anywhere in one result, a difference that is not there.
ALPHA = 0.05

# A confidence interval wider than this, as a factor from end to end, concludes nothing
# about a ratio that it leaves open.
TOO_WIDE = 1.25


def t_within(t, df):
    """P(|T| < t) of Student's t with @df (1, 2, ...) degrees of freedom (Abramowitz and
    Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(df))
    sine, cosine = math.sin(angle), math.cos(angle)
    if df % 2:
        term = total = cosine if df > 1 else 0.0
        for i in range(2, df - 2, 2):
            term *= i / (i + 1) * cosine ** 2
            total += term
        return 2 / math.pi * (angle + sine * total)
    term = total = 1.0
    for i in range(1, df - 2, 2):
        term *= i / (i + 1) * cosine ** 2
        total += term
    return sine * total


def t_quantile(df, share=0.95):
    """The t that |T| stays below with probability @share (0 to 1)."""
    low, high = 0.0, 1.0
    while t_within(high, df) < share:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if t_within(middle, df) < share else (low, middle)
    return high


def holm(chances, alpha=ALPHA):
    """Which of many tests may be believed, by their p-values, so that with probability
    1 - @alpha none of them is wrong (Holm 1979); a list of booleans."""
    believed = [False] * len(chances)
    for rank, i in enumerate(sorted(range(len(chances)), key=lambda i: chances[i])):
        if chances[i] > alpha / (len(chances) - rank):
            break
        believed[i] = True
    return believed


class Ratio:
    """The ratio of paired measurements, with its 95% confidence interval.

    Ratios multiply, so mean and interval are those of their logarithms.  One pair
    has no interval: low and high are None.  A side that did nothing has no ratio
    either: value is nan.
    """

    def __init__(self, pairs):
        self.value, self.low, self.high = math.nan, None, None
        self.count = len(pairs)
        if not pairs or not all(a and b for a, b in pairs):
            return
        logs = [math.log(b / a) for a, b in pairs]
        self.mean = fmean(logs)
        self.value = math.exp(self.mean)
        if self.count > 1:
            self.error = stdev(logs) / math.sqrt(self.count)
            half = t_quantile(self.count - 1) * self.error
            self.low, self.high = math.exp(self.mean - half), math.exp(self.mean + half)

    @property
    def width(self):
        """The interval's upper end by its lower; infinite without an interval."""
        return self.high / self.low if self.low else math.inf

    def chance(self, floor):
        """The p-value of "what differs is no more than the noise"; @floor: the largest
        factor (>= 1) that two equal sides differed by.  None where it cannot be told."""
        if self.low is None:
            return None
        beyond = abs(self.mean) - math.log(floor)
        if beyond < 1e-9:
            return 1.0
        return 1 - t_within(beyond / self.error, self.count - 1) if self.error else 0.0


def noise_floor(pairs):
    """The largest factor by which one of @pairs of runs of the same side differed."""
    return max((max(a / b, b / a) for a, b in pairs if a and b), default=1.0)


def geometric_mean(values):
    """Of positive numbers, at least one."""
    return math.exp(fmean(math.log(v) for v in values))


def spread(values):
    """Median, smallest and largest; nan of nothing."""
    return (median(values), min(values), max(values)) if values else (math.nan,) * 3


def merged_percentiles(histograms, shares):
    """Percentiles of several histograms {value: count} together, at least one value."""
    total = {}
    for histogram in histograms:
        for value, count in histogram.items():
            total[value] = total.get(value, 0) + count
    wanted, found, seen = sorted(shares), {}, 0
    count = sum(total.values())
    for value in sorted(total):
        seen += total[value]
        while wanted and seen >= wanted[0] * count:
            found[wanted.pop(0)] = value
    return found
