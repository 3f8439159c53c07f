import numpy as np
import pytest

from myriad.errors import SpecError
from myriad.sim.jobs import OUTCOMES, draw_jobs
from myriad.spec.jobs import JobClass, JobMix
from myriad.units import DAY_S, HOUR_S

SMALL = JobClass(accelerators=1, share=0.9, median_run=100, mean_run=500, failed=0.4, cancelled=0.1)
LARGE = JobClass(accelerators=256, share=0.1, median_run=3600, mean_run=9000, tenant="models", priority=5)
MIX = JobMix(name="two sizes", jobs_per_day=20_000, night_share=0.5, classes=(SMALL, LARGE))


def test_a_drawing_has_the_rate_sizes_times_and_ends_of_its_mix() -> None:
    jobs = draw_jobs(MIX, 10 * DAY_S, seed=1)
    assert len(jobs) == pytest.approx(200_000, rel=0.01)
    assert np.all(np.diff(jobs.submitted_s) >= 0)
    assert 0 <= jobs.submitted_s[0] < jobs.submitted_s[-1] < 10 * DAY_S
    small = jobs.accelerators == 1
    assert small.mean() == pytest.approx(0.9, abs=0.005)
    assert np.median(jobs.run_s[small]) == pytest.approx(100, rel=0.03)
    assert jobs.run_s[small].mean() == pytest.approx(500, rel=0.05)
    assert (jobs.outcome[small] == OUTCOMES.index("failed")).mean() == pytest.approx(0.4, abs=0.01)
    assert (jobs.outcome[small] == OUTCOMES.index("cancelled")).mean() == pytest.approx(0.1, abs=0.01)
    assert np.all(jobs.outcome[~small] == OUTCOMES.index("completed"))
    assert {jobs.tenants[one] for one in jobs.tenant[~small]} == {"models"}
    assert set(jobs.priority[~small]) == {5}
    assert np.all(np.isinf(jobs.limit_s))


def test_more_jobs_come_at_two_in_the_afternoon_than_at_two_at_night() -> None:
    hour = draw_jobs(MIX, 20 * DAY_S, seed=2).submitted_s % DAY_S // HOUR_S
    per_hour = np.bincount(hour.astype(int), minlength=24) / (20 * 20_000 / 24)
    assert per_hour[13:15].mean() == pytest.approx(1.5, abs=0.03)
    assert per_hour[1:3].mean() == pytest.approx(0.5, abs=0.03)


def test_another_class_keeps_its_jobs_when_one_changes() -> None:
    slower = MIX.model_copy(update={"classes": (SMALL, LARGE.model_copy(update={"median_run": 1800.0}))})
    before, after = draw_jobs(MIX, DAY_S, seed=3), draw_jobs(slower, DAY_S, seed=3)
    assert np.array_equal(before.submitted_s, after.submitted_s)
    small = before.accelerators == 1
    assert np.array_equal(before.run_s[small], after.run_s[small])
    assert not np.array_equal(before.run_s[~small], after.run_s[~small])


def test_scale_brings_more_jobs_of_the_same_sizes_and_the_longest_run_cuts() -> None:
    mix = MIX.model_copy(update={"longest_run": 2000.0})
    jobs = draw_jobs(mix, DAY_S, seed=4, scale=3.0)
    assert len(jobs) == pytest.approx(60_000, rel=0.02)
    assert jobs.run_s.max() == 2000.0
    assert np.all(jobs.limit_s == 2000.0)


def test_the_same_seed_draws_the_same_jobs_and_another_seed_others() -> None:
    first, second, other = (draw_jobs(MIX, DAY_S, seed).run_s for seed in (5, 5, 6))
    assert np.array_equal(first, second)
    assert len(first) != len(other) or not np.array_equal(first, other)


@pytest.mark.parametrize(("horizon_s", "scale"), [(0.0, 1.0), (DAY_S, 0.0), (float("inf"), 1.0), (DAY_S, 1e6)])
def test_drawings_without_an_end_are_refused(horizon_s: float, scale: float) -> None:
    with pytest.raises(SpecError):
        draw_jobs(MIX, horizon_s, 0, scale)
