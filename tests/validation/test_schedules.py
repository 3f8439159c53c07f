"""Bubbles of pipeline schedules as published: formulas, and rates computed from profiled times.

| paper | place | what |
|---|---|---|
| Narayanan et al., arXiv 2104.04473 | section 2.2 | formula: bubble over ideal time of 1F1B and interleaved 1F1B |
| Qi et al., arXiv 2401.10241 | table 1 | formula: bubble and peak memory of 1F1B and ZB-H1 |
| Qi et al., arXiv 2401.10241 | tables 5 and 9 | bubble rates from measured T_F, T_B, T_W and T_comm |
| DeepSeek-V3, arXiv 2412.19437 | table 2 | formula: bubble and activations of 1F1B, ZB1P and DualPipe |
"""

from __future__ import annotations

import numpy as np
import pytest

from myriad.estimate.schedule.memory import held_over_time
from myriad.estimate.schedule.orders import order_of
from myriad.estimate.schedule.timeline import ChunkTimes, Timeline, Transfers, timeline


def of_equal_stages(
    schedule: str, p: int, v: int, m: int, stage: tuple[float, float, float], transfer_s: float = 0.0
) -> Timeline:
    order = order_of(schedule, p, v, m)
    chunks = order.num_chunks
    return timeline(
        order, ChunkTimes(*(np.full(chunks, x / v) for x in stage)), Transfers(np.full(chunks - 1, transfer_s))
    )


@pytest.mark.parametrize(("p", "m"), [(2, 2), (4, 16), (8, 8), (8, 64)])
@pytest.mark.parametrize("v", [1, 2, 4])
def test_interleaving_divides_the_bubble_by_the_chunks(p, v, m):
    """(p - 1) / (v m), arXiv 2104.04473; backward twice the forward, as there."""
    assert of_equal_stages("1f1b", p, v, m, (1, 1, 1)).bubble_fraction == pytest.approx((p - 1) / (v * m), rel=1e-9)


@pytest.mark.parametrize("p", [2, 4, 8])
def test_zero_bubble_has_a_third_of_the_bubble_in_the_same_memory(p):
    """Table 1 of arXiv 2401.10241: (p-1)(T_F+T_B+T_W) and (p-1)(T_F+T_B-T_W), p micro-batches in both."""
    times = 1.0, 1.1, 0.8
    for schedule, bubble in (("1f1b", 1.0 + 1.1 + 0.8), ("zero-bubble", 1.0 + 1.1 - 0.8)):
        found = of_equal_stages(schedule, p, 1, 3 * p, times)
        assert found.idle_s == pytest.approx([(p - 1) * bubble] * p)
        assert max(one.peak for one in held_over_time(found, np.ones(p))) == p
    third = [of_equal_stages(s, p, 1, 3 * p, (1, 1, 1)).idle_s[0] for s in ("1f1b", "zero-bubble")]
    assert third[1] == pytest.approx(third[0] / 3)


@pytest.mark.parametrize("p", [2, 4, 8])
def test_zb_v_has_no_bubble_between_its_operations(p):
    """Section 6 of arXiv 2401.10241: with T_F = T_B = T_W no stage waits once it has begun; in the memory of 1F1B."""
    found = of_equal_stages("zb-v", p, 2, 4 * p, (2, 2, 2))
    for device in range(p):
        own = found.device == device
        assert found.end_s[own].max() - found.start_s[own].min() == pytest.approx(found.busy_s[device])
    assert [one.peak for one in held_over_time(found, np.full(2 * p, 0.5))] == [p] * p


#: Stages, micro-batches; T_F, T_B, T_W and T_comm in ms (table 9); bubble rates of 1F1B and ZB-H1 (table 5).
PROFILED = [
    ("1.5B", 8, 24, 18.522, 18.086, 9.337, 0.601, 0.2431, 0.1585),
    ("1.5B", 8, 32, 18.513, 18.086, 9.331, 0.626, 0.1985, 0.1242),
    ("1.5B", 8, 64, 18.546, 18.097, 9.321, 0.762, 0.1240, 0.0674),
    ("6.2B", 8, 24, 29.718, 29.444, 19.927, 0.527, 0.2347, 0.1323),
    ("6.2B", 8, 32, 29.802, 29.428, 19.530, 0.577, 0.1898, 0.1045),
    ("6.2B", 8, 64, 29.935, 29.621, 19.388, 0.535, 0.1091, 0.0554),
    ("14.6B", 16, 48, 11.347, 11.248, 8.132, 0.377, 0.2552, 0.1397),
    ("14.6B", 16, 64, 11.307, 11.254, 8.101, 0.379, 0.2082, 0.1088),
    ("14.6B", 16, 128, 11.325, 11.308, 8.109, 0.378, 0.1251, 0.0576),
    ("28.3B", 32, 96, 10.419, 10.207, 7.715, 0.408, 0.2646, 0.1421),
    ("28.3B", 32, 128, 10.408, 10.204, 7.703, 0.408, 0.2168, 0.1106),
    ("28.3B", 32, 256, 10.402, 10.248, 7.698, 0.460, 0.1352, 0.0594),
]


@pytest.mark.parametrize(
    ("model", "p", "m", "forward", "inputs", "weight", "transfer", "plain", "handcrafted"), PROFILED
)
def test_rates_from_profiled_times(model, p, m, forward, inputs, weight, transfer, plain, handcrafted):
    """To the last digit printed: transfers take T_comm and hold nobody."""
    for schedule, rate in (("1f1b", plain), ("zero-bubble", handcrafted)):
        found = of_equal_stages(schedule, p, 1, m, (forward, inputs, weight), transfer)
        assert found.bubble_rate == pytest.approx(rate, abs=5.1e-5)


@pytest.mark.parametrize("p", [4, 8, 16])
def test_dualpipe_as_in_its_table(p):
    """(PP/2 - 1)(F&B + B - 3W) with B = 2 F = 2 W, and PP + 1 micro-batches."""
    found = of_equal_stages("dualpipe", p, 1, 4 * p, (1, 1, 1))
    assert found.idle_s == pytest.approx([(p / 2 - 1) * (3 + 2 - 3)] * p)
    assert [one.peak for one in held_over_time(found, np.ones(p))] == [p + 1] * p


def test_the_formula_of_dualpipe_holds_where_all_three_are_equal():
    """Elsewhere the published code's timeline is up to (p/2) F away from it: shorter where the backward is longer."""
    p, m = 8, 40
    for forward, inputs, weight, away in ((1.0, 1.0, 1.0, 0.0), (1.0, 2.0, 1.0, -1.0), (2.0, 1.0, 1.0, 3.0)):
        published = (p / 2 - 1) * ((forward + inputs + weight) + (inputs + weight) - 3 * weight)
        found = of_equal_stages("dualpipe", p, 1, m, (forward, inputs, weight))
        assert found.idle_s[0] - published == pytest.approx(away)
