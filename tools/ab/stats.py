# SPDX-License-Identifier: GPL-2.0
"""Statistics over runs: one number a run, runs paired by round."""

import math
from statistics import mean, median, stdev

# Student's t, two-sided 95%, by degrees of freedom; further ones are taken as normal.
T95 = (0, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
       2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086)

# A confidence interval wider than this, as a factor from end to end, concludes nothing
# about a ratio that it leaves open.
TOO_WIDE = 1.25


class Ratio:
    """The ratio of paired measurements, with its 95% confidence interval.

    Ratios multiply, so mean and interval are those of their logarithms.  One pair
    has no interval: low and high are None.  A side that did nothing has no ratio
    either: value is nan.
    """

    def __init__(self, pairs):
        self.value, self.low, self.high = math.nan, None, None
        if not all(a and b for a, b in pairs):
            return
        logs = [math.log(b / a) for a, b in pairs]
        self.value = math.exp(mean(logs))
        if len(logs) > 1:
            t = T95[len(logs) - 1] if len(logs) <= len(T95) else 1.96
            half = t * stdev(logs) / math.sqrt(len(logs))
            self.low = self.value * math.exp(-half)
            self.high = self.value * math.exp(half)

    def verdict(self, floor):
        """In words; @floor: the largest factor (>= 1) that two equal sides differed by."""
        if math.isnan(self.value):
            return "one side did nothing"
        if self.low is None:
            return "one pair: no claim"
        if self.low > floor:
            return "faster"
        if self.high < 1 / floor:
            return "slower"
        if self.high / self.low > TOO_WIDE:
            return "spread too wide to conclude"
        return "no difference shown"


def noise_floor(pairs):
    """The largest factor by which one of @pairs of runs of the same side differed."""
    return max((max(a / b, b / a) for a, b in pairs), default=1.0)


def spread(values):
    """Median, smallest and largest."""
    return median(values), min(values), max(values)
