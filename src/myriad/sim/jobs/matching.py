"""A mix of jobs that has the statistics which a cluster published."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from myriad.errors import InfeasibleError, MissingDataError, SpecError
from myriad.sim.jobs.described import OUTCOMES, FloatArray, Submissions
from myriad.sim.jobs.statistics import statistics_of
from myriad.spec.job_statistics import Endings, JobStatistics
from myriad.spec.jobs import JobClass, JobMix

SMALLEST: Final = 0.25
"""Accelerators of the smallest jobs where the median job asks for less than one."""
EXACT: Final = 0.001
"""Error of a published figure that weighs as much as a parameter's usual distance from its usual value."""
RAREST: Final = 1e-9
"""Classes with a smaller share of the jobs are left out."""

_STEP: Final = 1e-6

#: Parameter -> (usual value, how far it usually lies from it). What a cluster publishes decides; these decide the rest.
USUAL: Final = {
    "fall": (math.log(2.0), 0.7),  # log of how much rarer twice the size is: jobs as 1 / size
    "curve": (0.0, 0.1),  # of that, by doubling
    "log_median": (math.log(300.0), 3.0),  # of the run time of a completed job of one accelerator
    "rise": (0.3, 0.5),  # log of how much longer twice the size runs
    "log_spread": (math.log(2.2), 0.4),  # of the standard deviation of the logarithm of run times
    "failed": (0.0, 2.0),  # log of how much longer than completed ones
    "cancelled": (0.0, 2.0),
}


@dataclass(frozen=True)
class _Model:
    """Jobs by size (rows) and outcome (columns)."""

    sizes: FloatArray
    share: FloatArray
    median_s: FloatArray
    spread: float


def mix_of_statistics(name: str, published: JobStatistics, cluster_accelerators: int | None = None) -> JobMix:
    """A mix whose jobs have the published statistics, each within about 0.1 % where they do not contradict each other.

    Sizes are powers of two, whose shares follow a power law with a curvature. Run times are lognormal with one spread;
    their median grows as a power of the size and differs between completed, failed and cancelled jobs, which come alike
    in all sizes. These are seven parameters (`USUAL`): they minimise the squared errors of the logarithms of the
    published figures, and stay near their usual values where nothing published says more. Other mixes would fit too;
    this is a plain one. Raises MissingDataError without a rate, a median run time or how
    large jobs are, and InfeasibleError where figures are missed by more than 5 %.
    """
    jobs_per_day = published.jobs_per_day
    most = published.most_accelerators or cluster_accelerators
    if jobs_per_day is None or most is None:
        raise MissingDataError(f"{name}: a mix needs jobs_per_day, and most_accelerators or cluster_accelerators")
    if published.median_run is None and published.mean_run is None and published.accelerator_time_per_job is None:
        raise MissingDataError(f"{name}: a mix needs one of median_run, mean_run and accelerator_time_per_job")
    sizes = _sizes(most, published.median_accelerators)
    endings = published.by_jobs or Endings(completed=1.0, failed=0.0, cancelled=0.0)
    parameters = _least_squares(sizes, endings, published)
    model = _model(parameters, sizes, endings)
    missed = {text: error for text, error in _errors(model, published) if abs(error) > 0.05}
    if missed:
        worst = max(missed, key=lambda text: abs(missed[text]))
        raise InfeasibleError(
            f"{name}: no mix of lognormal run times and powers of two has these statistics: {worst} would be "
            f"{math.exp(missed[worst]):.3g} times the given one"
        )
    scale = math.exp(model.spread**2 / 2)
    return JobMix(
        name=name,
        cluster_accelerators=cluster_accelerators,
        jobs_per_day=jobs_per_day,
        longest_run=published.longest_run,
        published=published,
        classes=tuple(
            JobClass(
                accelerators=float(size),
                share=_rounded(model.share[row, column]),
                median_run=_rounded(model.median_s[row, column]),
                mean_run=_rounded(model.median_s[row, column] * scale),
                failed=float(outcome == "failed"),
                cancelled=float(outcome == "cancelled"),
            )
            for row, size in enumerate(sizes)
            for column, outcome in enumerate(OUTCOMES)
            if model.share[row, column] > RAREST
        ),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def _sizes(most: float, median: float | None) -> FloatArray:
    """Powers of two up to the largest job, which may be of any size."""
    first = SMALLEST if median is not None and median < 1 else 1.0
    sizes: FloatArray = first * np.exp2(np.arange(math.floor(math.log2(most / first)) + 1))
    return sizes if sizes[-1] == most else np.concatenate((sizes, [most]))


def _model(parameters: FloatArray, sizes: FloatArray, endings: Endings) -> _Model:
    fall, curve, log_median, rise, log_spread, failed, cancelled = parameters
    doublings = np.log2(sizes)
    logs = -fall * doublings + curve * doublings**2 / 2
    weights = np.exp(logs - logs.max())
    ends = np.array([endings.completed, endings.failed, endings.cancelled])
    longer = np.array([0.0, failed, cancelled])
    return _Model(
        sizes=sizes,
        share=np.outer(weights / weights.sum(), ends / ends.sum()),
        median_s=np.exp(log_median + rise * doublings[:, None] + longer),
        spread=math.exp(log_spread),
    )


def _errors(model: _Model, published: JobStatistics) -> list[tuple[str, float]]:
    """Logarithm of what the mix has over what was published, for each figure."""
    by_size = model.share.sum(axis=1)
    mean_s = _mean_s(model, published.longest_run)
    time = model.sizes[:, None] * mean_s * model.share
    found: list[tuple[str, float]] = []

    def compare(text: str, value: float, wanted: float | None) -> None:
        if wanted:
            found.append((text, math.log(max(value, 1e-300) / wanted)))

    compare("mean_run", float((mean_s * model.share).sum()), published.mean_run)
    compare("median_run", _median_s(model), published.median_run)
    compare("mean_accelerators", float((model.sizes * by_size).sum()), published.mean_accelerators)
    compare("accelerator_time_per_job", float(time.sum()), published.accelerator_time_per_job)
    if published.by_accelerator_time is not None:
        for column, outcome in enumerate(OUTCOMES):
            share = float(time[:, column].sum() / time.sum())
            compare(f"{outcome} of accelerator time", share, getattr(published.by_accelerator_time, outcome))
    for one in published.large:
        from_here = model.sizes >= one.accelerators
        compare(f"jobs from {one.accelerators:g}", float(by_size[from_here].sum()), one.jobs)
        share = float(time[from_here].sum() / time.sum())
        compare(f"accelerator time from {one.accelerators:g}", share, one.accelerator_time)
    if (median := published.median_accelerators) is not None:
        below, up_to = float(by_size[model.sizes < median].sum()), float(by_size[model.sizes <= median].sum())
        found.append(("median_accelerators", min(0.0, up_to - 0.505) - max(0.0, below - 0.495)))
    return found


def _mean_s(model: _Model, longest_s: float | None) -> FloatArray:
    """Mean run times by class, cut at the longest: E[min(T, L)] of a lognormal T."""
    mean = model.median_s * math.exp(model.spread**2 / 2)
    if longest_s is None:
        return mean
    above = (math.log(longest_s) - np.log(model.median_s)) / model.spread
    return mean * _normal(above - model.spread) + longest_s * _normal(-above)


def _median_s(model: _Model) -> float:
    """Median run time of all jobs, by halving."""
    low, high = -20.0, 40.0
    logs = np.log(model.median_s)
    for _ in range(60):
        middle = (low + high) / 2
        if float((model.share * _normal((middle - logs) / model.spread)).sum()) < 0.5:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


def _normal(values: FloatArray) -> FloatArray:
    """Distribution function of the standard normal."""
    return np.array([math.erfc(-one / math.sqrt(2.0)) / 2 for one in values.flat]).reshape(values.shape)


def _least_squares(sizes: FloatArray, endings: Endings, published: JobStatistics) -> FloatArray:
    """Parameters of least squared errors and least distance from their usual values (Levenberg and Marquardt)."""
    usual = np.array([value for value, _ in USUAL.values()])
    width = np.array([value for _, value in USUAL.values()])
    if published.by_accelerator_time is None:
        width[-2:] = 1e-6  # nothing says that ends differ in their run times

    def residuals(parameters: FloatArray) -> FloatArray:
        errors = [error / EXACT for _, error in _errors(_model(parameters, sizes, endings), published)]
        return np.concatenate((errors, (parameters - usual) / width))

    here: FloatArray = usual.copy()
    now = residuals(here)
    damping = 1.0
    for _ in range(400):
        slope = np.array([(residuals(here + _STEP * one) - now) / _STEP for one in np.eye(len(here))]).T
        normal = slope.T @ slope
        moved = here - np.linalg.solve(normal + damping * np.diag(np.diag(normal)), slope.T @ now)
        there = residuals(moved) if np.all(np.abs(moved - usual) < 40 * width) else np.full_like(now, np.inf)
        if float(there @ there) < float(now @ now):
            settled = float(now @ now) - float(there @ there) < 1e-9 * float(now @ now)
            here, now, damping = moved, there, max(damping / 3, 1e-12)
            if settled:
                break
        else:
            damping *= 4
            if damping > 1e12:
                break
    return here


def mix_of_jobs(name: str, jobs: Submissions, cluster_accelerators: int | None = None) -> JobMix:
    """A mix with the sizes, run times and ends of these jobs: a class for each size, end and tenant that occurs.

    A class has the median and the mean run time of its jobs (the median of one that is skewed the other way counts as
    its mean), and the priority that most of them have. Rates are means over the time from the first to the last job.
    Raises SpecError where there are fewer than two jobs or all came at once.
    """
    statistics = statistics_of(jobs)
    if statistics.jobs_per_day is None:
        raise SpecError(f"{name}: a mix needs jobs that came at different times")
    groups = np.stack((jobs.accelerators, jobs.outcome.astype(np.float64), jobs.tenant.astype(np.float64)), axis=1)
    kinds, group = np.unique(groups, axis=0, return_inverse=True)
    order = np.argsort(group.reshape(-1), kind="stable")
    members = np.split(order, np.searchsorted(group.reshape(-1)[order], np.arange(1, len(kinds))))
    classes = []
    for (size, outcome, tenant), those in zip(kinds, members, strict=True):
        runs = jobs.run_s[those]
        values, times = np.unique(jobs.priority[those], return_counts=True)
        classes.append(
            JobClass(
                accelerators=float(size),
                share=len(those) / len(jobs),
                median_run=_rounded(min(float(np.median(runs)), float(runs.mean()))),
                mean_run=_rounded(float(runs.mean())),
                failed=float(outcome == OUTCOMES.index("failed")),
                cancelled=float(outcome == OUTCOMES.index("cancelled")),
                priority=int(values[np.argmax(times)]),
                tenant=jobs.tenants[int(tenant)],
            )
        )
    return JobMix(
        name=name,
        cluster_accelerators=cluster_accelerators,
        jobs_per_day=_rounded(statistics.jobs_per_day),
        longest_run=statistics.longest_run,
        classes=tuple(classes),
    )
