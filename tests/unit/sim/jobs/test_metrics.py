"""Figures of runs that can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from job_cases import Job, incident, submissions
from myriad.sim.jobs import Machines, Resume, simulate_jobs
from myriad.sim.jobs.metrics import SHARES, figures_of, over_time, result_of
from myriad.sim.jobs.policies import POLICIES

MACHINES = Machines(num_nodes=2, accelerators_per_node=8, nodes_per_leaf=1)
FIFO = POLICIES["fifo"]


def test_what_one_run_says() -> None:
    jobs = submissions(Job(0, 16, 50), Job(10, 1, 20, outcome=1), Job(20, 8, 200), Job(30, 99, 1))
    runs = simulate_jobs(jobs, MACHINES, FIFO, 100.0)
    (found,) = figures_of(jobs, runs, MACHINES, 0.0, 100.0)
    assert found["utilisation"] == pytest.approx((16 * 50 + 1 * 20 + 8 * 50) / 1600)
    assert found["waiting.mean"] == pytest.approx((0 + 40 + 30) / 3)
    assert found["waiting.p50"] == 30
    assert found["refused"] == 1
    assert found["shares.completed"] == pytest.approx(800 / 1600)
    assert found["shares.failed"] == pytest.approx(20 / 1600)
    assert found["shares.running"] == pytest.approx(400 / 1600)
    assert sum(found[f"shares.{name}"] for name in SHARES) == pytest.approx(1.0)
    # From 50 to 70 seven accelerators stand beside the small job.
    assert found["fragmented"] == pytest.approx(7 * 20 / 1600)
    assert found["size.8.leaves"] == 1.0
    assert found["size.1.jobs"] == 1
    assert math.isnan(found["size.64.ettr"])


def test_ettr_counts_waiting_after_the_first_start_but_not_before() -> None:
    # It waits 10 for the first, works until 50, is seen broken at 55, waits for the repair until 75, and starts with
    # 5 s of overhead: 100 s of work, saved every 20 s, in 30 + 10 + ... of wall time.
    jobs = submissions(Job(0, 16, 10), Job(0, 16, 100))
    runs = simulate_jobs(
        jobs, MACHINES, FIFO, 1000.0, incident(50.0, detection=5.0, repair=20.0), Resume(20.0, restart_s=5.0)
    )
    assert runs.started_s[1] == 10
    assert runs.ended_s[1] == 75 + 5 + 60
    (found,) = figures_of(jobs, runs, MACHINES, 0.0, 1000.0)
    assert found["size.8.ettr"] == pytest.approx((10 + 100) / (10 + 130))
    assert found["ettr"] == pytest.approx(110 / 140)
    assert found["size.8.interruptions"] == 0.5
    assert found["in_service"] == pytest.approx(1 - 8 * 25 / 16000)


def test_warm_up_is_left_out_and_runs_make_intervals() -> None:
    values, charts = [], []
    for run in (10.0, 20.0, 30.0):
        jobs = submissions(Job(0, 16, 40), Job(60, 16, run))
        runs = simulate_jobs(jobs, MACHINES, FIFO, 150.0)
        (found,) = figures_of(jobs, runs, MACHINES, 50.0, 150.0)
        values.append(found)
        charts.append(over_time(runs, MACHINES, 50.0))
    result = result_of(FIFO, values, values, charts)
    assert result.utilisation.mean == pytest.approx(0.2)
    # Student's t with two degrees of freedom: 4.303 times 0.1 / sqrt(3).
    assert result.utilisation.high == pytest.approx(0.2 + 0.2484, abs=1e-4)
    assert result.utilisation.low == 0.0
    assert [line.larger_than for line in result.sizes] == [8.0]
    assert result.sizes[0].jobs.mean == 1
    assert np.mean(result.over_time.busy_fraction) == pytest.approx(0.2, rel=0.02)


def test_parts_of_one_run_make_intervals_too() -> None:
    jobs = submissions(*(Job(at, 16, 5) for at in range(0, 100, 10)))
    runs = simulate_jobs(jobs, MACHINES, FIFO, 100.0)
    parts = figures_of(jobs, runs, MACHINES, 0.0, 100.0, parts=10)
    (whole,) = figures_of(jobs, runs, MACHINES, 0.0, 100.0)
    result = result_of(FIFO, parts, [whole], [over_time(runs, MACHINES, 0.0)])
    assert result.utilisation.mean == pytest.approx(0.5)
    assert result.utilisation.low == pytest.approx(0.5, abs=0.01)
    assert result.shares["completed"].low is None
