# SPDX-License-Identifier: GPL-2.0
"""Results made up for the tests."""

import copy

LOCKED = {"shared": 0, "exclusive_extend": 900, "exclusive_zeroing": 100, "lock_wait_ns": 5 * 10**9,
          "drain_wait_ns": 10**9, "lock_waits": 900, "lock_wait_max_ns": 7}
SHARED = {"shared": 990, "exclusive_extend": 10, "exclusive_zeroing": 0, "lock_wait_ns": 2 * 10**6,
          "drain_wait_ns": 0, "lock_waits": 1, "lock_wait_max_ns": 2}


def run(side, iops, number=0, kind="ab", **more):
    """A run of 5 s of the workload mixed by 8 jobs."""
    return {"kind": kind, "workload": "mixed", "jobs": 8, "load": "max", "rate": 0,
            "round": number, "side": side, "units": 1000, "ios": int(iops * 5), "refused": 0,
            "wall_s": 5.0, "iops": iops, "p50_us": 1e6 / iops, "p99_us": 2e6 / iops,
            "p999_us": None, "cpu_us_per_io": 100.0, "ran_out": False,
            "counters": copy.copy(SHARED) if side == "ext4dio" else None, **more}


def rounds(base, other, equal=None, **more):
    """Rounds of ext4 @base, ext4dio @other and, for the noise, ext4 @equal."""
    runs = []
    for number, (a, b) in enumerate(zip(base, other)):
        runs += [run("ext4", a, number, **more), run("ext4dio", b, number, **more)]
        if equal:
            runs.append(run("ext4", equal[number], number, "aa", **more))
    return runs


WORKLOADS = {
    "overwrite": {"title": "pure overwrite", "operation": "IO", "shape": "", "io": "psync"},
    "mixed": {"title": "test 1, mixed", "operation": "IO", "shape": "", "io": "psync"},
    "mixed-uring": {"title": "test 1, mixed", "operation": "IO", "shape": "mixed",
                    "io": "io_uring 32"},
}


def result(runs, **more):
    """A result of today's format."""
    return {
        "format": 3, "complete": True, "ended": "", "tool": "1", "kernel": "7.2.12-x", "cpus": 2,
        "cpu": "made up", "date": "2026-11-25", "fio": "fio-3.39", "environment": {},
        "device": {"path": "/dev/x", "scheduler": "none"},
        "modules": {"ext4": {}, "ext4dio": {"version": "1", "forked_from": "Linux 7.2.12"}},
        "settings": {"seconds": 5.0, "seed": 1, "device_note": "a note"}, "mounted_as": {},
        "sides": ["ext4", "ext4dio"], "workloads": copy.deepcopy(WORKLOADS),
        "cells": [], "runs": runs, **more}


def old_result():
    """A result of format 1, as ext4dio-ab 0.1.0 wrote it: A/A runs are pairs of their own."""
    def old_run(kind, side, iops, number):
        return {"kind": kind, "workload": "overwrite", "jobs": 4, "round": number, "side": side,
                "ios": 4000, "refused": 0, "wall_s": 4.0, "iops": iops, "p50_us": 2000.0,
                "p99_us": 4000.0, "p999_us": 6000.0, "cpu_us_per_io": 90.0}
    runs = [old_run("aa", "ext4", v, n // 2) for n, v in enumerate((1000.0, 1050.0, 1000.0, 990.0))]
    for number in range(2):
        runs += [old_run("ab", "ext4", 1000.0, number), old_run("ab", "ext4dio", 2000.0, number)]
    return {
        "format": 1, "kernel": "6.12.1", "machine": "x86_64", "cpus": 2, "fio": "fio-3.39",
        "virtual": "", "cpu": "made up", "date": "2026-11-01", "device": {"path": "/dev/x"},
        "modules": {}, "settings": {"workloads": ["overwrite"], "jobs": [4], "rounds": 2,
                                    "region": None, "total": 1 << 24, "warm_up": 1,
                                    "seconds": 10, "aa": ["overwrite"], "seed": 1,
                                    "device_note": ""},
        "sides": ["ext4", "ext4dio"], "titles": {"overwrite": "pure overwrite"},
        "operations": {"overwrite": "IO"}, "runs": runs}
