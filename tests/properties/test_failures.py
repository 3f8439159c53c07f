"""What holds for all clusters that break."""

from __future__ import annotations

from math import gamma

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myriad.sim.failures import Breakable, Incidents, draw_incidents, expected_incidents
from myriad.spec.reliability import Duration, FailureCause
from small_failures import DAY_S, YEAR_S, breakable, cause

quick = settings(max_examples=20, deadline=None)
seeds = st.integers(0, 2**63)
durations = st.builds(
    Duration,
    mean=st.floats(0.0, 1e6),
    law=st.sampled_from(["fixed", "exponential", "lognormal"]),
    variation=st.floats(0.1, 3.0),
)


@st.composite
def causes(draw: st.DrawFn) -> FailureCause:
    reach = draw(st.sampled_from(["none", "node", "leaf", "rack", "power-domain", "pool"]))
    return cause(
        draw(st.floats(0.0, 5.0)),
        unit=draw(st.sampled_from(["accelerator", "node", "link", "switch", "rack", "power-domain", "pool"])),
        component=draw(st.sampled_from(["gpu", "software"])),
        shape=draw(st.sampled_from([0.4, 1.0, 1.0, 2.0])),
        burst=draw(st.sampled_from([1.0, 1.0, 3.0])),
        burst_within=draw(st.sampled_from([0.0, 600.0])),
        reach=reach,
        repaired=0.0 if reach == "none" else draw(st.sampled_from([0.0, 0.4, 1.0])),
        replaced=draw(st.booleans()),
        detection=draw(durations),
        diagnosis=draw(durations),
        repair=draw(durations),
    )


@st.composite
def clusters(draw: st.DrawFn) -> Breakable:
    nodes = draw(st.integers(1, 150))
    late = draw(st.integers(0, nodes))
    return breakable(
        nodes,
        draw(st.dictionaries(st.sampled_from("abcdef"), causes(), min_size=1, max_size=4)),
        lemon_share=draw(st.sampled_from([0.0, 0.05, 1.0])),
        lemon_times=draw(st.sampled_from([1.0, 5.0])),
        joined_s=np.where(np.arange(nodes) < late, 0.0, 20 * DAY_S),
        age_s=np.full(nodes, draw(st.sampled_from([0.0, 7 * DAY_S, 2 * YEAR_S]))),
    )


def drawn(cluster: Breakable, seed: int, **kept: float) -> Incidents:
    return draw_incidents(cluster, 60 * DAY_S, np.random.SeedSequence(seed), kept)


def rows(found: Incidents, causes: set[int] | None = None, names: Breakable | None = None) -> list[tuple[object, ...]]:
    """The events as tuples, with the cause's name where it is asked for."""
    columns = [getattr(found, key) for key in found.__dataclass_fields__ if key != "cause"]
    named = [names.causes[i][0] if names else i for i in found.cause]
    return [
        row
        for row in zip(named, *(column.tolist() for column in columns), strict=True)
        if causes is None or row[0] in causes
    ]


@quick
@given(clusters(), seeds)
def test_the_same_seed_gives_the_same_life(cluster, seed):
    assert rows(drawn(cluster, seed)) == rows(drawn(cluster, seed))


@quick
@given(clusters(), seeds)
def test_events_are_ordered_and_within(cluster, seed):
    found = drawn(cluster, seed)
    assert (np.diff(found.start_s) >= 0.0).all()
    assert ((found.start_s >= cluster.joined_s.min()) & (found.start_s < 60 * DAY_S)).all()
    assert ((found.node >= 0) & (found.node + found.num_nodes <= cluster.num_nodes)).all()
    for key in ("detection_s", "diagnosis_s", "repair_s"):
        assert (np.isfinite(getattr(found, key)) & (getattr(found, key) >= 0.0)).all()


@quick
@given(clusters(), causes(), seeds)
def test_a_further_cause_shifts_no_others(cluster, further, seed):
    more = breakable(**{**vars(cluster), "causes": dict([("new", further), *cluster.causes])})
    names = {name for name, _ in cluster.causes}
    assert rows(drawn(more, seed), names, more) == rows(drawn(cluster, seed), names, cluster)  # type: ignore[arg-type]


@quick
@given(clusters(), seeds, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_smaller_share_keeps_some_of_the_same_events(cluster, seed, one, two):
    name = cluster.causes[0][0]
    fewer, more = (rows(drawn(cluster, seed, **{name: share})) for share in sorted((one, two)))
    everything = rows(drawn(cluster, seed))
    assert set(fewer) <= set(more) <= set(everything)
    assert [row for row in fewer if row[0] != 0] == [row for row in everything if row[0] != 0]
    assert not [row for row in rows(drawn(cluster, seed, **{name: 0.0})) if row[0] == 0]


@quick
@given(clusters(), seeds, st.integers(1, 40))
def test_nodes_at_the_end_shift_no_events_of_others(cluster, seed, more):
    """But for causes of what many nodes share, and of the last domain, which grow."""
    own = {
        name: one for name, one in cluster.causes if one.unit in ("accelerator", "node", "link") and one.reach != "pool"
    }
    number = cluster.num_nodes + more
    given = {**vars(cluster), "causes": own}
    extended = {
        **given,
        "num_nodes": number,
        "joined_s": np.append(cluster.joined_s, np.zeros(more)),
        "age_s": np.append(cluster.age_s, np.zeros(more)),
    }

    def on_first(life: Incidents) -> list[tuple[object, ...]]:
        keys = ("cause", "start_s", "effect", "detection_s", "diagnosis_s", "repair_s")
        some = life.node < cluster.num_nodes // 32 * 32
        return list(zip(*(getattr(life, key)[some].tolist() for key in keys), strict=True))

    assert on_first(drawn(breakable(**extended), seed)) == on_first(drawn(breakable(**given), seed))


@quick
@given(clusters(), seeds)
def test_shorter_repairs_shift_no_failures_of_what_does_not_age(cluster, seed):
    same = {name: one.model_copy(update={"shape": 1.0}) for name, one in cluster.causes}
    faster = {name: one.model_copy(update={"repair": Duration(mean=0.0)}) for name, one in same.items()}
    before = drawn(breakable(**{**vars(cluster), "causes": same}), seed)
    after = drawn(breakable(**{**vars(cluster), "causes": faster}), seed)
    assert before.start_s.tolist() == after.start_s.tolist()
    assert before.detection_s.tolist() == after.detection_s.tolist()


@pytest.mark.parametrize("shape", [0.4, 1.0, 2.0])
def test_counts_lie_in_poisson_intervals_of_the_closed_form(shape):
    """100 clusters with what makes counts hard; each count within 5 deviations, their mean within 3."""
    parts = {
        "gpu": cause(0.3, unit="accelerator", shape=shape, replaced=False),
        "link": cause(0.2, unit="link", shape=shape, reach="none"),
        "switch": cause(30.0, unit="switch", shape=shape, replaced=False),
        "rack": cause(5.0, unit="rack", shape=shape, replaced=False),
    }
    cluster = breakable(
        300,
        parts,
        lemon_share=0.02,
        lemon_times=20.0,
        joined_s=np.where(np.arange(300) < 200, 0.0, 40 * DAY_S),
        age_s=np.where(np.arange(300) < 200, 100 * DAY_S, 5 * DAY_S),
    )
    expected = expected_incidents(cluster, 0.0, 90 * DAY_S)
    counts = np.array(
        [
            np.bincount(draw_incidents(cluster, 90 * DAY_S, np.random.SeedSequence(i)).cause, minlength=4)
            for i in range(100)
        ]
    )
    assert (np.abs(counts - expected) < 5.0 * np.sqrt(expected) + 3.0).all()
    assert (np.abs(counts.mean(axis=0) - expected) < 3.0 * np.sqrt(expected / 100)).all()
    # A Poisson count varies as much as its mean.
    assert counts.var(axis=0) == pytest.approx(expected, rel=0.5)


@pytest.mark.parametrize("shape", [0.5, 1.0, 3.0])
def test_first_failures_follow_weibull(shape):
    """Kolmogorov and Smirnov against scipy, of nodes that nearly all fail."""
    stats = pytest.importorskip("scipy.stats")
    cluster = breakable(4000, {"x": cause(10.0, shape=shape, replaced=False)})
    # H(a) = r T (a/T)^k is Weibull with scale T (r T)^(-1/k).
    scale = YEAR_S * (10.0 / 1000 * 365.25) ** (-1.0 / shape)
    found = draw_incidents(cluster, scale * 13.0 ** (1.0 / shape), np.random.SeedSequence(11))
    _, first = np.unique(found.node, return_index=True)
    assert len(first) == 4000
    assert stats.kstest(found.start_s[first], stats.weibull_min(shape, scale=scale).cdf).pvalue > 0.01


@pytest.mark.parametrize("shape", [0.5, 2.0])
def test_times_between_renewals_follow_weibull(shape):
    stats = pytest.importorskip("scipy.stats")
    cluster = breakable(1, {"x": cause(20.0, shape=shape)})
    found = draw_incidents(cluster, (20 if shape < 1 else 200) * YEAR_S, np.random.SeedSequence(13))
    scale = YEAR_S * (20.0 / 1000 * 365.25) ** (-1.0 / shape)
    between = np.diff(found.start_s, prepend=0.0)
    assert len(between) > 300
    assert stats.kstest(between, stats.weibull_min(shape, scale=scale).cdf).pvalue > 0.01


@pytest.mark.parametrize("shape", [0.6, 2.0])
def test_renewals_come_at_the_rate_of_renewal_theory(shape):
    """N(t)/t tends to 1 / (mean life + mean repair): Smith (1958). Counts vary as (deviation / mean)^2 per renewal."""
    repair = 3 * DAY_S
    cluster = breakable(400, {"x": cause(20.0, shape=shape, repair=Duration(mean=repair, law="exponential"))})
    horizon = 5 * YEAR_S
    found = draw_incidents(cluster, horizon, np.random.SeedSequence(17))
    scale = YEAR_S * (20.0 / 1000 * 365.25) ** (-1.0 / shape)
    life = scale * gamma(1 + 1 / shape)
    variance = scale**2 * gamma(1 + 2 / shape) - life**2 + repair**2
    cycle = life + repair
    # The mean of a renewal process: t/m + (var - m^2) / (2 m^2), of lives that begin in service.
    expected = 400 * (horizon / cycle + (variance - cycle**2) / (2 * cycle**2) + repair / cycle)
    spread = np.sqrt(400 * horizon * variance / cycle**3)
    assert abs(len(found) - expected) < 3.0 * spread
