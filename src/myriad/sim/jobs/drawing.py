"""Jobs drawn from the statistics of a cluster."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from myriad.errors import SpecError
from myriad.sim.jobs.described import FloatArray, IntArray, Submissions
from myriad.spec.jobs import JobClass, JobMix
from myriad.units import DAY_S, HOUR_S

PEAK_S: Final = 14 * HOUR_S
"""Time of day at which most jobs come; a drawing begins at midnight."""
MOST_JOBS: Final = 20_000_000
"""Of one drawing: about 1.5 GB of arrays."""

_ARRIVALS, _RUNS, _OUTCOMES = range(3)
"""Streams of random numbers of each class."""


def draw_jobs(mix: JobMix, horizon_s: float, seed: int, scale: float = 1.0) -> Submissions:
    """Jobs of the mix over the horizon, by time of submission.

    Each class is a Poisson process of its own, whose rate follows the hour: `1 + night_share * cos(2 pi (t - 14 h) /
    24 h)` times its mean. Run times are lognormal by class and cut at `longest_run`, which is also the wall time that
    jobs ask for. `scale` multiplies how many jobs come, not their sizes.
    The draws of a class depend on the seed and its place in the mix only, so that another rate or run time of one
    class leaves the others as they are. Left out: weekends, sessions of one user, jobs that wait for others.
    Raises SpecError for more than `MOST_JOBS` jobs.
    """
    if not (horizon_s > 0 and math.isfinite(horizon_s)) or not (scale > 0 and math.isfinite(scale)):
        raise SpecError(f"horizon and scale: expected positive numbers, found {horizon_s:g} s and {scale:g}")
    expected = mix.jobs_per_day * scale * horizon_s / DAY_S
    if expected > MOST_JOBS:
        raise SpecError(f"{expected:.3g} jobs of {mix.name} in {horizon_s / DAY_S:g} days: at most {MOST_JOBS:g} fit")
    tenants = tuple(dict.fromkeys(one.tenant for one in mix.classes))
    total_share = math.fsum(one.share for one in mix.classes)
    clock = _clock(mix.night_share, horizon_s)
    submitted, run, outcome, members = [], [], [], []
    for index, one in enumerate(mix.classes):
        rate_per_s = mix.jobs_per_day * scale * one.share / total_share / DAY_S
        times = _arrivals_s(_stream(seed, index, _ARRIVALS), rate_per_s, clock)
        submitted.append(times)
        run.append(_runs_s(_stream(seed, index, _RUNS), one, len(times)))
        outcome.append(_outcomes(_stream(seed, index, _OUTCOMES), one, len(times)))
        members.append(np.full(len(times), index, dtype=np.int64))
    order = np.argsort(np.concatenate(submitted), kind="stable")
    of_class = np.concatenate(members)[order]
    longest_s = math.inf if mix.longest_run is None else mix.longest_run
    return Submissions(
        submitted_s=np.concatenate(submitted)[order],
        accelerators=np.array([one.accelerators for one in mix.classes])[of_class],
        run_s=np.minimum(np.concatenate(run)[order], longest_s),
        limit_s=np.full(len(order), longest_s),
        outcome=np.concatenate(outcome)[order],
        tenant=np.array([tenants.index(one.tenant) for one in mix.classes], dtype=np.int64)[of_class],
        priority=np.array([one.priority for one in mix.classes], dtype=np.int64)[of_class],
        tenants=tenants,
    )


def lognormal_spread(one: JobClass) -> float:
    """Standard deviation of the logarithm of a class's run times: mean = median * exp(spread^2 / 2)."""
    return math.sqrt(2 * math.log(one.mean_run / one.median_run)) if one.median_run > 0 else 0.0


def _stream(seed: int, index: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index, purpose)))


def _clock(night_share: float, horizon_s: float) -> tuple[FloatArray, FloatArray]:
    """Moments a minute apart, and for how long jobs would have come at the mean rate until then."""
    grid_s = np.append(np.arange(0.0, horizon_s, 60.0), horizon_s)
    angle = 2 * np.pi / DAY_S
    swing_s = night_share / angle * (np.sin(angle * (grid_s - PEAK_S)) + math.sin(angle * PEAK_S))
    return grid_s, grid_s + swing_s


def _arrivals_s(random: np.random.Generator, rate_per_s: float, clock: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Times of a Poisson process whose rate follows the hour: those of a steady one, on that clock."""
    grid_s, steady_s = clock
    events = rate_per_s * steady_s[-1]
    counts = np.empty(0)
    while not len(counts) or counts[-1] < events:
        begin = counts[-1] if len(counts) else 0.0
        more = random.exponential(size=256 + int(1.01 * (events - begin)))
        counts = np.concatenate((counts, begin + np.cumsum(more)))
    times: FloatArray = np.interp(counts[: np.searchsorted(counts, events)] / rate_per_s, steady_s, grid_s)
    return times


def _runs_s(random: np.random.Generator, one: JobClass, jobs: int) -> FloatArray:
    times: FloatArray = one.median_run * np.exp(lognormal_spread(one) * random.standard_normal(jobs))
    return times


def _outcomes(random: np.random.Generator, one: JobClass, jobs: int) -> IntArray:
    """Failed first, then cancelled, then completed, by one uniform number for each job."""
    uniform = random.random(jobs)
    ended = np.where(uniform < one.failed + one.cancelled, 2, 0)
    return np.where(uniform < one.failed, 1, ended).astype(np.int64)
