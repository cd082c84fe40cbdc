# SPDX-License-Identifier: GPL-2.0
"""The statistics, with numbers from tables and by hand."""

import math
import unittest

from ab.stats import (Ratio, geometric_mean, holm, merged_percentiles, noise_floor, spread,
                      t_quantile, t_within)


class Student(unittest.TestCase):
    def test_quantiles(self):
        """Student's t is that of the tables, for any number of rounds"""
        table = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 10: 2.228, 20: 2.086,
                 21: 2.080, 22: 2.074, 30: 2.042, 100: 1.984, 1000: 1.962}
        for df, t in table.items():
            self.assertAlmostEqual(t_quantile(df), t, 3, f"{df} degrees of freedom")
        self.assertAlmostEqual(t_quantile(7, 0.99), 3.499, 3)
        self.assertAlmostEqual(t_quantile(8, 0.999), 5.041, 3)

    def test_within(self):
        """its distribution is the inverse of that, 0 at 0 and 1 far out"""
        for df in (1, 2, 3, 4, 5, 6, 7, 50, 51):
            self.assertAlmostEqual(t_within(t_quantile(df, 0.9), df), 0.9, 12)
            self.assertEqual(t_within(0, df), 0)
            self.assertAlmostEqual(t_within(1e9, df), 1, 6)


class Holm(unittest.TestCase):
    def test_step_down(self):
        """Holm's correction believes the small p-values up to the first that is too large"""
        self.assertEqual(holm([0.01, 0.04, 0.03, 0.005]), [True, False, False, True])

    def test_one_and_none(self):
        """one question needs no correction, no question has no answer"""
        self.assertEqual(holm([0.049]), [True])
        self.assertEqual(holm([0.051]), [False])
        self.assertEqual(holm([]), [])

    def test_many(self):
        """of twenty that one alone would pass, none does"""
        self.assertEqual(holm([0.04] * 20), [False] * 20)


class Ratios(unittest.TestCase):
    def test_interval(self):
        """a ratio and its interval"""
        ratio = Ratio([(100, 200), (100, 220), (100, 180)])
        self.assertAlmostEqual(ratio.value, 1.9933, 4)
        self.assertAlmostEqual(ratio.low, 1.5534, 3)
        self.assertAlmostEqual(ratio.high, 2.5578, 3)
        self.assertAlmostEqual(ratio.width, 1.6466, 3)

    def test_pairs(self):
        """what drifts alike on both sides leaves no doubt about their ratio"""
        ratio = Ratio([(100, 200), (200, 400), (300, 600)])
        self.assertAlmostEqual(ratio.value, 2)
        self.assertAlmostEqual(ratio.width, 1)

    def test_one_pair(self):
        """one pair has a ratio and no interval"""
        ratio = Ratio([(100, 200)])
        self.assertEqual((ratio.value, ratio.low, ratio.high), (2.0, None, None))
        self.assertIsNone(ratio.chance(1))

    def test_nothing(self):
        """a side that did nothing has no ratio, nor has no pair"""
        self.assertTrue(math.isnan(Ratio([(100, 0), (100, 0)]).value))
        self.assertTrue(math.isnan(Ratio([]).value))

    def test_chance(self):
        """the p-value is that of the difference beyond the noise"""
        ratio = Ratio([(100, 200), (100, 220), (100, 180)])
        # t = 0.689797 / 0.057953 = 11.9; with a floor of 1.5: (0.689797 - 0.405465) / ... = 4.906
        self.assertAlmostEqual(ratio.chance(1), 0.00698, 4)
        self.assertAlmostEqual(ratio.chance(1.5), 0.03913, 4)
        self.assertEqual(ratio.chance(2.5), 1)
        self.assertEqual(Ratio([(1, 2), (1, 2)]).chance(1.1), 0)


class Others(unittest.TestCase):
    def test_floor(self):
        """the noise floor is the largest factor, whichever way"""
        self.assertAlmostEqual(noise_floor([(100, 98), (100, 110), (120, 100)]), 1.2)
        self.assertEqual(noise_floor([]), 1)
        self.assertEqual(noise_floor([(0, 5)]), 1)

    def test_means(self):
        """geometric mean, median and range"""
        self.assertAlmostEqual(geometric_mean([1, 4, 16]), 4)
        self.assertEqual(spread([3, 1, 2]), (2, 1, 3))
        self.assertTrue(math.isnan(spread([])[0]))

    def test_percentiles(self):
        """percentiles of the histograms of several jobs together"""
        jobs = [{10: 50, 20: 40}, {10: 3, 1000: 6, 9000: 1}]
        self.assertEqual(merged_percentiles(jobs, [0.5, 0.99, 0.999]),
                         {0.5: 10, 0.99: 1000, 0.999: 9000})
