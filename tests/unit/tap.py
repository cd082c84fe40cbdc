#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Run the unit tests of this folder and print TAP: a line a test, named by its docstring.

usage: tests/unit/tap.py [unittest names, such as test_stats]
"""

import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "tools")]
sys.dont_write_bytecode = True


class Tap(unittest.TestResult):
    """Prints each test as it ends."""

    def line(self, word, test, why=""):
        """A line of TAP, and comments."""
        name = test.shortDescription() or test.id()
        print(f"{word} {self.testsRun} - {name}", flush=True)
        for text in why.splitlines():
            print("# " + text)

    def addSuccess(self, test):
        self.line("ok", test)

    def addError(self, test, err):
        super().addError(test, err)
        if not hasattr(test, "shortDescription"):
            self.testsRun += 1
        self.line("not ok", test, self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line("not ok", test, self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.testsRun += 1
            self.line("not ok", subtest, self._exc_info_to_string(err, test))


def main():
    """All tests, or those that are named."""
    loader = unittest.TestLoader()
    names = sys.argv[1:] or sorted(p.stem for p in HERE.glob("test_*.py"))
    result = Tap()
    loader.loadTestsFromNames(names).run(result)
    print(f"1..{result.testsRun}")
    sys.exit(not result.wasSuccessful() or not result.testsRun)


if __name__ == "__main__":
    main()
