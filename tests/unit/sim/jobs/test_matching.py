from dataclasses import replace

import numpy as np
import pytest

from myriad.errors import InfeasibleError, MissingDataError, SpecError
from myriad.sim.jobs import Submissions, draw_jobs, mix_of_jobs, mix_of_statistics, statistics_of
from myriad.spec.job_statistics import Endings, JobStatistics, LargeJobs
from myriad.spec.jobs import JobClass, JobMix
from myriad.units import DAY_S

PUBLISHED = JobStatistics(
    jobs_per_day=50_000,
    mean_run=3000,
    median_run=200,
    longest_run=20 * DAY_S,
    mean_accelerators=6.0,
    median_accelerators=1.0,
    most_accelerators=512,
    accelerator_time_per_job=60_000,
    by_jobs=Endings(completed=0.6, failed=0.3, cancelled=0.1),
    by_accelerator_time=Endings(completed=0.5, failed=0.1, cancelled=0.4),
)


def test_a_mix_has_the_statistics_that_it_was_made_from() -> None:
    mix = mix_of_statistics("a cluster", PUBLISHED, 4096)
    jobs = draw_jobs(mix, 40 * DAY_S, seed=1)
    found = statistics_of(jobs, span_s=40 * DAY_S)
    for field, tolerance in {
        "jobs_per_day": 0.01, "median_run": 0.02, "mean_run": 0.03, "mean_accelerators": 0.02,
        "accelerator_time_per_job": 0.1,
    }.items():  # fmt: skip
        assert getattr(found, field) == pytest.approx(getattr(PUBLISHED, field), rel=tolerance), field
    assert found.median_accelerators == 1.0
    assert found.by_jobs is not None
    assert found.by_jobs.failed == pytest.approx(0.3, abs=0.005)
    assert found.by_accelerator_time is not None
    assert found.by_accelerator_time.cancelled == pytest.approx(0.4, abs=0.05)


def test_few_figures_are_enough_and_the_others_stay_usual() -> None:
    few = JobStatistics(jobs_per_day=7200, accelerator_time_per_job=160_000, most_accelerators=4096)
    mix = mix_of_statistics("known by two figures", few)
    time = sum(one.share * one.accelerators * one.mean_run for one in mix.classes)
    assert time == pytest.approx(160_000, rel=0.01)
    rarer = [one.share for one in mix.classes]
    assert np.array(rarer[:-1]) / np.array(rarer[1:]) == pytest.approx(2.0, rel=0.3)


def test_what_large_jobs_take_is_met() -> None:
    known = JobStatistics(
        jobs_per_day=7200,
        accelerator_time_per_job=160_000,
        most_accelerators=4096,
        large=(LargeJobs(accelerators=4096, accelerator_time=0.12), LargeJobs(accelerators=16, jobs=0.08)),
    )
    classes = mix_of_statistics("with large jobs", known).classes
    time = {one.accelerators: one.share * one.accelerators * one.mean_run for one in classes}
    assert time[4096.0] / sum(time.values()) == pytest.approx(0.12, rel=0.02)
    assert sum(one.share for one in classes if one.accelerators >= 16) == pytest.approx(0.08, rel=0.02)


def test_a_median_below_one_accelerator_makes_jobs_that_share_one() -> None:
    shared = JobStatistics(
        jobs_per_day=100, median_run=480, mean_run=4800,
        mean_accelerators=0.7, median_accelerators=0.5, most_accelerators=8,
    )  # fmt: skip
    jobs = draw_jobs(mix_of_statistics("shared", shared), 1000 * DAY_S, seed=2)
    assert float(np.median(jobs.accelerators)) == 0.5
    assert jobs.accelerators.mean() == pytest.approx(0.7, rel=0.03)


def test_what_contradicts_itself_or_says_too_little_is_refused() -> None:
    with pytest.raises(InfeasibleError, match="would be"):
        mix_of_statistics(
            "odd", JobStatistics(jobs_per_day=1, median_run=100, mean_accelerators=64, most_accelerators=8)
        )
    with pytest.raises(MissingDataError, match="jobs_per_day"):
        mix_of_statistics("no rate", JobStatistics(median_run=100, most_accelerators=8))
    with pytest.raises(MissingDataError, match="median_run"):
        mix_of_statistics("no times", JobStatistics(jobs_per_day=1, most_accelerators=8))


def test_a_mix_of_jobs_draws_such_jobs_again() -> None:
    classes = (
        JobClass(accelerators=8, share=0.7, median_run=100, mean_run=200, failed=0.5, priority=3, tenant="a"),
        JobClass(accelerators=64, share=0.3, median_run=1000, mean_run=1500, cancelled=0.2, tenant="b"),
    )
    before = draw_jobs(JobMix(name="given", jobs_per_day=5000, classes=classes), 20 * DAY_S, seed=3)
    mix = mix_of_jobs("again", before, 1024)
    after = draw_jobs(mix, 20 * DAY_S, seed=4)
    assert mix.cluster_accelerators == 1024
    assert {(one.accelerators, one.tenant, one.priority) for one in mix.classes} == {(8, "a", 3), (64, "b", 0)}
    assert len(after) == pytest.approx(len(before), rel=0.02)
    assert after.run_s.mean() == pytest.approx(before.run_s.mean(), rel=0.03)
    assert np.bincount(after.outcome) / len(after) == pytest.approx(np.bincount(before.outcome) / len(before), abs=0.01)


def test_no_jobs_have_no_statistics_and_jobs_of_one_moment_no_rate() -> None:
    none = Submissions(*(np.empty(0) for _ in range(4)), *(np.empty(0, dtype=np.int64) for _ in range(3)), ("all",))
    with pytest.raises(SpecError, match="there are none"):
        statistics_of(none)
    jobs = draw_jobs(mix_of_statistics("a cluster", PUBLISHED), DAY_S / 10, seed=6)
    with pytest.raises(SpecError, match="different times"):
        mix_of_jobs("at once", replace(jobs, submitted_s=np.zeros(len(jobs))))


def test_waits_and_large_jobs_are_summed_up_where_given() -> None:
    jobs = draw_jobs(mix_of_statistics("a cluster", PUBLISHED), DAY_S, seed=5)
    waited = np.where(np.arange(len(jobs)) % 2 == 0, 10.0, np.nan)
    found = statistics_of(jobs, waited, large=(64.0,))
    assert found.mean_wait == found.median_wait == 10.0
    assert found.large[0].jobs == pytest.approx((jobs.accelerators >= 64).mean())
