"""Lists of jobs written and read again, and mixes made of them."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from myriad.sim.jobs import OUTCOMES, Submissions, draw_jobs, mix_of_jobs, statistics_of
from myriad.sim.jobs.traces import jobs_text, read_jobs
from myriad.units import DAY_S

Row = tuple[int, float, int, int, str, int]
JOB = st.tuples(
    st.integers(0, 10**7), st.sampled_from((0.25, 0.5, 1.0, 8.0, 96.0)), st.integers(0, 10**6), st.integers(0, 2),
    st.sampled_from(("a", 'with "quotes"', "with, comma", "中文")), st.integers(-5, 5),
)  # fmt: skip


def submissions(rows: list[Row]) -> Submissions:
    rows = sorted(rows, key=lambda row: row[0])
    tenants = tuple(dict.fromkeys(row[4] for row in rows))
    return Submissions(
        submitted_s=np.array([row[0] for row in rows], dtype=np.float64),
        accelerators=np.array([row[1] for row in rows]),
        run_s=np.array([row[2] for row in rows], dtype=np.float64),
        limit_s=np.array([np.inf if row[2] % 2 else row[2] * 2.0 + 1 for row in rows]),
        outcome=np.array([row[3] for row in rows], dtype=np.int64),
        tenant=np.array([tenants.index(row[4]) for row in rows], dtype=np.int64),
        priority=np.array([row[5] for row in rows], dtype=np.int64),
        tenants=tenants,
    )


@given(st.lists(JOB, min_size=1, max_size=30))
@settings(deadline=None)
def test_writing_and_reading_is_the_identity(rows: list[Row]) -> None:
    jobs = submissions(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.csv"
        path.write_text(jobs_text(jobs), "utf-8")
        again = read_jobs(path).jobs
    assert np.array_equal(again.submitted_s, jobs.submitted_s - jobs.submitted_s[0])
    assert again.tenants == jobs.tenants
    for field in ("accelerators", "run_s", "limit_s", "outcome", "tenant", "priority"):
        assert np.array_equal(getattr(again, field), getattr(jobs, field)), field


@given(st.lists(JOB, min_size=2, max_size=30).filter(lambda rows: len({row[0] for row in rows}) > 1))
@settings(deadline=None)
def test_a_mix_of_jobs_has_their_kinds_and_shares(rows: list[Row]) -> None:
    jobs = submissions(rows)
    mix = mix_of_jobs("x", jobs)
    assert abs(sum(one.share for one in mix.classes) - 1.0) < 1e-9
    assert {one.accelerators for one in mix.classes} == set(jobs.accelerators.tolist())
    ends = statistics_of(jobs).by_jobs
    assert ends is not None
    assert abs(sum(one.share for one in mix.classes if one.failed) - ends.failed) < 1e-9


@given(
    st.lists(JOB, min_size=2, max_size=10).filter(lambda rows: len({row[0] for row in rows}) > 1), st.integers(0, 99)
)
@settings(deadline=None, max_examples=25)
def test_what_is_drawn_is_sorted_within_the_horizon_and_of_the_mix(rows: list[Row], seed: int) -> None:
    mix = mix_of_jobs("x", submissions(rows))
    mix = mix.model_copy(update={"jobs_per_day": min(mix.jobs_per_day, 500.0)})
    drawn = draw_jobs(mix, 2 * DAY_S, seed)
    assert np.all(np.diff(drawn.submitted_s) >= 0)
    assert np.all((drawn.submitted_s >= 0) & (drawn.submitted_s < 2 * DAY_S))
    assert set(drawn.accelerators.tolist()) <= {one.accelerators for one in mix.classes}
    assert np.all(drawn.run_s <= (mix.longest_run or np.inf))
    assert set(drawn.outcome.tolist()) <= set(range(len(OUTCOMES)))
