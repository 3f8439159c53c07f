"""What holds for every campaign, whatever breaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from campaigns import campaign, cluster, event, incidents, ledger
from myriad.sim.campaign import CATEGORIES, EVENT_KINDS, Campaign, Level, run_campaign
from myriad.sim.campaign.checkpoints import Training
from myriad.sim.campaign.described import Windows

NODES = 4
times = st.integers(1, 1500).map(float)
spans = st.integers(0, 200).map(float)

levels = st.builds(
    lambda to, interval_s, blocking_s, more_s, read_s: Level(to, interval_s, blocking_s, blocking_s + more_s, read_s),
    st.sampled_from(["peer-memory", "node-disk", "storage"]),
    st.integers(1, 400).map(float),
    st.sampled_from([0.0, 0.5, 1.0, 7.0]),
    st.sampled_from([0.0, 3.0, 50.0]),
    st.sampled_from([0.0, 5.0]),
)
effects = st.one_of(
    st.fixed_dictionaries({"effect": st.just("stop"), "num_nodes": st.sampled_from([0, 1, 1, 1, 2, 4])}),
    st.fixed_dictionaries({"effect": st.just("corrupt")}),
    st.fixed_dictionaries(
        {
            "effect": st.just("slow"),
            "speed": st.sampled_from([0.0, 0.5, 0.9]),
            "lasts_s": st.sampled_from([30.0, np.inf]),
        }
    ),
)
events = st.builds(
    lambda start_s, node, detection_s, diagnosis_s, repair_s, cause, effect: event(
        start_s,
        node,
        cause=cause,
        detection_s=detection_s,
        diagnosis_s=diagnosis_s,
        **(effect | {"repair_s": repair_s if effect.get("num_nodes", 1) else 0.0}),
    ),
    times,
    st.integers(0, NODES + 1),
    st.sampled_from([0.0, 4.0, 40.0]),
    st.sampled_from([0.0, 9.0]),
    st.sampled_from([0.0, 30.0, 500.0, 1e6]),
    st.integers(0, 1),
    effects,
)
windows = st.lists(st.tuples(spans, spans, st.sampled_from([1.0, 0.8]), st.integers(0, NODES + 2)), max_size=3)
campaigns = st.builds(
    lambda mode, unit, stop, crews, chosen, asked: campaign(
        mode=mode, replica_nodes=unit, levels=tuple(chosen), repair_crews=crews, windows=joined(asked), **stop
    ),
    st.sampled_from(["restart", "elastic", "replica"]),
    st.sampled_from([1, 2]),
    st.fixed_dictionaries(
        {
            "restart_s": st.sampled_from([0.0, 10.0, 100.0]),
            "swap_s": st.sampled_from([0.0, 20.0]),
            "replica_stall_s": st.sampled_from([0.0, 2.0]),
            "heal_s": st.sampled_from([0.0, 15.0]),
            "horizon_s": st.sampled_from([1500.0, 5000.0]),
            "work_s": st.sampled_from([900.0, np.inf]),
        }
    ),
    st.sampled_from([None, 1, 2]),
    st.lists(levels, max_size=3, unique_by=lambda level: level.to),
    windows,
)


def joined(asked) -> Windows | None:
    """Windows one after the other: gaps, lengths, speeds, nodes out."""
    if not asked:
        return None
    gaps, lengths, speeds, out = (np.array(column) for column in zip(*asked, strict=True))
    ends = np.cumsum(gaps + lengths + 1.0)
    return Windows(ends - lengths - 1.0, ends, speeds, out)


@settings(max_examples=150)
@given(campaigns, st.lists(events, max_size=12), st.integers(NODES, NODES + 2), st.booleans())
def test_every_second_is_accounted_for(job, happens, nodes, late):
    happens = [one for one in happens if one["node"] < nodes]
    joins = np.zeros(nodes)
    joins[-1] = 300.0 if late else 0.0
    run = run_campaign(job, cluster(nodes, joins), incidents(*happens))
    spent = dict(zip(CATEGORIES, run.ledger_s.tolist(), strict=True))
    assert sum(spent.values()) == pytest.approx(run.wall_s, rel=1e-9, abs=1e-6)
    assert min(spent.values()) >= -1e-9
    assert run.wall_s <= job.horizon_s
    assert run.finished == (run.wall_s < job.horizon_s) or run.wall_s == job.horizon_s
    if run.finished:
        assert spent["productive"] == job.work_s
    assert (np.diff(run.event_s) >= 0.0).all()
    of_causes = sum(spent[key] for key in ("lost_work", "detection", "diagnosis", "restart", "waiting", "degraded"))
    assert 0.0 <= run.cost_s.sum() <= of_causes + 1e-6
    assert run.event_lost_s.sum() <= spent["lost_work"] + 1e-6
    failed = np.isin(run.event_kind, [EVENT_KINDS.index("failure"), EVENT_KINDS.index("slow")])
    assert run.interruptions.sum() == failed.sum()


@given(st.lists(levels, max_size=3, unique_by=lambda level: level.to), st.integers(1, 2000).map(float))
def test_without_failures_it_takes_the_work_and_one_blocking_per_interval(chosen, work_s):
    run = run_campaign(campaign(levels=tuple(chosen), work_s=work_s, horizon_s=1e9), cluster(), incidents())
    expected_s = 0.0
    for level in chosen:
        gap_s = max(level.interval_s, level.write_s - level.blocking_s, 1.0)
        expected_s += level.blocking_s * (np.ceil(work_s / gap_s) - 1.0)
    assert run.finished
    assert run.wall_s == pytest.approx(work_s + expected_s)


@given(
    st.lists(levels, min_size=1, max_size=3, unique_by=lambda level: level.to),
    st.lists(st.tuples(st.integers(1, 300).map(lambda tenths: tenths / 8.0), st.sampled_from([0.5, 1.0])), max_size=8),
)
def test_checkpoints_are_where_walking_second_by_second_finds_them(chosen, pieces):
    training = Training(chosen, 1.0)
    now_s = 0.0
    slow = SecondBySecond(chosen)
    for lasts_s, speed in pieces:
        training.speed = speed
        now_s += lasts_s
        training.settle(now_s)
        slow.go_on(now_s, speed)
        assert training.progress_s == pytest.approx(slow.progress_s)
        found = [None if one is None else one.progress_s for one in training.saved]
        assert found == [pytest.approx(one) for one in slow.saved(now_s)]


class SecondBySecond:
    """The same by steps of an eighth of a second."""

    def __init__(self, chosen) -> None:
        self.levels = chosen
        self.gaps = [max(one.interval_s, one.write_s - one.blocking_s, 1.0) for one in chosen]
        self.eighths = 0
        self.clock_s = self.blocked_until_s = self.progress_s = 0.0
        self.taken: list[list[tuple[float, float]]] = [[] for _ in chosen]

    def go_on(self, until_s: float, speed: float) -> None:
        while self.eighths / 8.0 < until_s:
            now_s = self.eighths / 8.0
            if now_s >= self.blocked_until_s:
                self.checkpoints(now_s)
            if now_s >= self.blocked_until_s:
                self.clock_s += 0.125
                self.progress_s += 0.125 * speed
            self.eighths += 1
        if until_s >= self.blocked_until_s:
            self.checkpoints(until_s)

    def checkpoints(self, now_s: float) -> None:
        for level, taken, gap_s in zip(self.levels, self.taken, self.gaps, strict=True):
            if self.clock_s >= (len(taken) + 1) * gap_s and now_s >= self.blocked_until_s:
                taken.append((now_s + level.write_s, self.progress_s))
                self.blocked_until_s = now_s + level.blocking_s

    def saved(self, now_s: float) -> list[float | None]:
        usable = [[progress_s for usable_s, progress_s in taken if usable_s <= now_s] for taken in self.taken]
        return [progress[-1] if progress else None for progress in usable]


stops = st.lists(
    st.builds(event, times, st.integers(0, NODES - 1), repair_s=st.sampled_from([30.0, 500.0, 5000.0])), max_size=12
)


@given(stops, st.sampled_from([0.0, 30.0]), st.sampled_from([0.0, 15.0]))
def test_a_spare_that_does_not_break_never_hurts(happens, write_s, swap_s):
    # One that breaks may: once it is in the job, its failures are the job's.
    job = campaign(levels=(Level("storage", 100.0, 0.0, write_s, 0.0),), swap_s=swap_s, work_s=np.inf, horizon_s=3000.0)
    without, one, two = (run_campaign(job, cluster(NODES + spares), incidents(*happens)) for spares in (0, 1, 2))
    assert done_s(without) <= done_s(one) + 1e-9
    assert done_s(one) <= done_s(two) + 1e-9


@given(stops)
def test_replicas_that_cost_nothing_never_take_longer_than_restarts(happens):
    assume(len({one["start_s"] for one in happens}) == len(happens))
    job = campaign(horizon_s=1e6)
    replicas = run_campaign(replace(job, mode="replica"), cluster(NODES + 1), incidents(*happens))
    restarts = run_campaign(job, cluster(NODES + 1), incidents(*happens))
    assert replicas.wall_s <= restarts.wall_s + 1e-6


@pytest.mark.parametrize("mode", ["restart", "elastic", "replica"])
def test_finding_failures_sooner_saves_time_on_average(mode):
    saved_s = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        happens = [
            event(float(at_s), int(random.integers(0, 6)), detection_s=60.0, diagnosis_s=30.0, repair_s=1000.0)
            for at_s in random.uniform(0.0, 3000.0, 8)
        ]
        sooner = [one | {"detection_s": 6.0} for one in happens]
        late, early = (wall_s(campaign(mode=mode), each) for each in (happens, sooner))
        saved_s.append(late - early)
    mean_s, error_s = np.mean(saved_s), np.std(saved_s, ddof=1) / np.sqrt(len(saved_s))
    assert mean_s > 2.0 * error_s


def wall_s(job: Campaign, happens) -> float:
    return run_campaign(job, cluster(6), incidents(*happens)).wall_s


def done_s(run) -> float:
    return ledger(run).get("productive", 0.0)
