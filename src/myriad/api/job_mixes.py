"""Jobs from mixes and traces: draw them, sum them up, make a mix of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from myriad import catalog
from myriad.errors import SpecError
from myriad.sim.jobs import draw_jobs, mix_of_jobs, mix_of_statistics, statistics_of
from myriad.sim.jobs.described import Submissions
from myriad.sim.jobs.traces import read_jobs
from myriad.spec.job_statistics import DrawnJobs, JobStatistics
from myriad.spec.jobs import JobMix
from myriad.units import DAY_S

FITTED_DAYS = 30.0
"""A new mix is drawn for so long, to show what it is like."""
_DESCRIPTIONS = (".yaml", ".yml", ".json")


def job_mix(name: str) -> JobMix:
    """The mix of a file (`.yaml`, `.json`) or of the catalog. Raises SpecError with the nearest names."""
    if Path(name).suffix in _DESCRIPTIONS:
        return catalog.read_spec(Path(name), JobMix)
    return catalog.job_mix(name)


def scale_of(mix: JobMix, accelerators: int) -> float:
    """How many times as many jobs as the mix says come to a cluster of so many accelerators, by their numbers."""
    return 1.0 if mix.cluster_accelerators is None else accelerators / mix.cluster_accelerators


def drawn_jobs(
    mix: str | JobMix, days: float = 30.0, seed: int = 0, scale: float = 1.0, asked: float | None = None
) -> Submissions:
    """Jobs of a mix for so many days.

    `asked` is the wall time that jobs ask for over what they run; without it they ask for the longest of the mix, as
    where users say nothing. Raises SpecError for unknown names and numbers that are not above 0.
    """
    found = job_mix(mix) if isinstance(mix, str) else mix
    jobs = draw_jobs(found, days * DAY_S, seed, scale)
    if asked is None:
        return jobs
    if not 1.0 <= asked < np.inf:
        raise SpecError(f"asked: found {asked:g}, expected 1 or more: jobs may not run longer than they ask for")
    return replace(jobs, limit_s=np.minimum(jobs.run_s * asked, jobs.limit_s))


def compare_drawn(mix: JobMix, jobs: Submissions, days: float, seed: int) -> DrawnJobs:
    """The statistics of drawn jobs beside those that the mix was made from."""
    large = tuple(one.accelerators for one in mix.published.large) if mix.published else ()
    drawn = statistics_of(jobs, large=large, span_s=days * DAY_S)
    return DrawnJobs(mix=mix.name, days=days, seed=seed, given=mix.published, drawn=drawn)


def fit_mix(path: Path, name: str | None = None, cluster_accelerators: int | None = None) -> tuple[JobMix, DrawnJobs]:
    """A mix of a trace, or of statistics in YAML or JSON; and what jobs drawn from it are like.

    Raises SpecError with file and line, MissingDataError and InfeasibleError as `mix_of_statistics` does.
    """
    remarks: dict[str, int] = {}
    name = name or path.name.partition(".")[0]
    if path.suffix in _DESCRIPTIONS:
        given = catalog.read_spec(path, JobStatistics)
        mix = mix_of_statistics(name, given, cluster_accelerators)
    else:
        recorded = read_jobs(path)
        remarks = dict(recorded.remarks)
        given = statistics_of(recorded.jobs, recorded.waited_s)
        mix = mix_of_jobs(name, recorded.jobs, cluster_accelerators)
    drawn = compare_drawn(mix, drawn_jobs(mix, FITTED_DAYS), FITTED_DAYS, 0)
    return mix, drawn.model_copy(update={"given": given, "remarks": remarks})
