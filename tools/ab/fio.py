# SPDX-License-Identifier: GPL-2.0
"""One run of fio, and what it measured.

How long a run took is the time from the start of the first job to the end of the last:
fio 3.36 and later tell when each job began, in ms of the time of day, and how long it ran.
An older fio tells the latter only; then it is the time of the longest job, which leaves
out by how much the jobs began one after the other, and what the CPU did in that time cannot
be told.  (A log of each I/O would tell it to
the same ms, but costs CPU with each I/O, and the CPU is measured too.)
"""

import json
import subprocess

from .stats import merged_percentiles
from .workload import BESIDE, Failure

# Share of the samples, and how many a run must have: ten beyond the percentile.
PERCENTILES = {"p50_us": (0.5, 20), "p99_us": (0.99, 1000), "p999_us": (0.999, 10000)}
# fio may take so much longer than the time it was given, in seconds.
GRACE_S = 600
# fio ends a run up to this share early, for its clock.
EARLY = 0.98


def percentiles(histograms, count):
    """The percentiles of @count samples, us by name; None where they are too few to tell."""
    found = {}
    if count:
        found = merged_percentiles(histograms, [share for share, _ in PERCENTILES.values()])
    return {name: found[share] / 1000 if count >= least and share in found else None
            for name, (share, least) in PERCENTILES.items()}


def figures(jobs, rate=0):
    """What some jobs of fio's JSON did together.  @rate: the operations a second that were
    asked of them, 0 for as fast as it goes; such jobs do not begin together (workload.py), so
    the time is that of a job, on average, not that from the first start to the last end."""
    refused = sum(job.get("total_err", 0) for job in jobs)
    ios = {kind: sum(job[kind]["total_ios"] for job in jobs) for kind in ("read", "write")}
    # Latencies are those of what there is more of.
    main = max(ios, key=ios.get)
    began = None
    if all("job_start" in job for job in jobs):
        first = min(job["job_start"] for job in jobs)
        wall = max(job["job_start"] + job["job_runtime"] for job in jobs) - first
        began = first / 1000
    else:
        wall = max(job["job_runtime"] for job in jobs)
    # A run whose writes are all refused at once takes no whole ms.
    wall = max(wall, 1) / 1000
    histograms = [{int(k): v for k, v in job[main]["lat_ns"].get("bins", {}).items()}
                  for job in jobs]
    done = max(sum(ios.values()) - refused, 0)
    mean = max(sum(job["job_runtime"] for job in jobs) / len(jobs), 1) / 1000
    return {
        "ios": sum(ios.values()), "refused": refused, "began": began, "wall_s": wall,
        "iops": done / (mean if rate else wall), "asked": rate * mean,
        **percentiles(histograms, ios[main]),
    }


def measured(output, seconds, again, rate=0):
    """What @output, fio's JSON with histograms, says; @seconds: how long the run was to be,
    @again: it goes on until then, whatever is written.  Jobs that only ran beside have their
    own figures, and are in no others."""
    jobs, beside = [], []
    for job in output["jobs"]:
        (beside if job["jobname"] == BESIDE else jobs).append(job)
    shortest = min(job["job_runtime"] for job in jobs) / 1000
    return {
        **figures(jobs, rate), "ran_out": not again and shortest < EARLY * seconds,
        "beside": figures(beside) if beside else None,
    }


def run(name, job_file, seconds, again, keep, rate=0):
    """Run @job_file (its text) for @seconds; what it measured.  @keep: path without suffix
    for the job file and fio's own JSON, or None; @rate: what that asks for, see figures()."""
    try:
        done = subprocess.run(["fio", "--output-format=json+", "-"], input=job_file,
                              timeout=seconds + GRACE_S, capture_output=True, text=True)
    except FileNotFoundError:
        raise Failure("fio is missing: apt-get install fio") from None
    except subprocess.TimeoutExpired:
        raise Failure(f"{name}: fio did not end {GRACE_S} s after its time") from None
    start = done.stdout.find("{")
    if done.returncode or start < 0:
        # Each job says what went wrong.
        lines = (done.stderr + done.stdout[:max(start, 0)]).strip().splitlines()
        raise Failure(f"{name}: fio: {lines[-1] if lines else done.returncode}")
    if keep:
        keep.parent.mkdir(exist_ok=True)
        keep.with_suffix(".fio").write_text(job_file)
        keep.with_suffix(".json").write_text(done.stdout[start:])
    return measured(json.loads(done.stdout[start:]), seconds, again, rate)
