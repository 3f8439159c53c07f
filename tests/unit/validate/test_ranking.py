from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from myriad.errors import SpecError
from myriad.spec.model import Block, DenseFeedForward, GroupedQueryAttention, Model
from myriad.validate.ranking import ranks, regret, spearman, validate_ranking
from myriad.validate.rows import TrainingRow

BLOCK = Block(mixer=GroupedQueryAttention(heads=8, kv_heads=8, head_dim=64), feed_forward=DenseFeedForward(width=2048))
MODELS = {"tiny": Model(name="tiny", hidden=512, vocab=1000, blocks={"a": BLOCK}, layers=(("a", 8),))}
WHOLE = st.integers(1, 1000).map(float)
TIMES = arrays(float, st.integers(5, 30), elements=WHOLE, unique=True)


def row(tp: int, pp: int, step_s: float, **changes: object) -> TrainingRow:
    values = {
        "id": f"tp{tp}pp{pp}", "source": "somebody", "document": "a log", "model": "tiny", "accelerator": "h100-sxm",
        "num_gpus": 8, "precision": "bf16", "global_batch": 16, "micro_batch": 1, "seq_len": 4096,
        "tp": tp, "pp": pp, "recompute": "none", "step_s": step_s,
    }  # fmt: skip
    return TrainingRow.model_validate({**values, **changes})


CUTS = ((1, 1), (2, 1), (4, 1), (8, 1), (1, 2), (2, 2))
ROWS = [row(tp, pp, 1.0 + place) for place, (tp, pp) in enumerate(CUTS)]


def by(times: dict[tuple[int, int], float]):
    """An estimate that says these times, and that everything fits."""

    def predict(model, cluster, work, layouts):
        return np.array([times[x.tp, x.pp] for x in layouts]), np.ones(len(layouts), dtype=bool)

    return predict


def in_order(cuts) -> dict[tuple[int, int], float]:
    return {cut: 10.0 + place for place, cut in enumerate(cuts)}


@given(TIMES, st.sampled_from([0.25, 1.0, 3.0]))
def test_the_right_order_is_perfect_whatever_the_scale(times, scale):
    assert spearman(scale * times + 3.0, times) == pytest.approx(1.0)
    assert regret(scale * times, times) == 0.0


@given(TIMES)
def test_the_reverse_order_is_the_worst(times):
    assert spearman(-times, times) == pytest.approx(-1.0)
    assert regret(-times, times) == pytest.approx(times.max() / times.min() - 1.0)


@given(
    arrays(float, 12, elements=st.sampled_from([1.0, 2.0, 3.0])),
    arrays(float, 12, elements=WHOLE, unique=True),
)
def test_ties_share_ranks_and_correlation_is_symmetric(tied, times):
    assert ranks(tied).sum() == 12 * 13 / 2
    assert spearman(tied, times) == pytest.approx(spearman(times, tied))
    assert -1.0 <= spearman(tied, times) <= 1.0


def test_ties_by_hand():
    # d = (-0.5, 0.5, 0), with ranks 1.5, 1.5, 3 and 2, 1, 3: Pearson's correlation of the ranks is sqrt(3) / 2.
    assert spearman([1.0, 1.0, 2.0], [5.0, 4.0, 6.0]) == pytest.approx(np.sqrt(3) / 2)
    assert regret([1.0, 1.0, 2.0], [5.0, 4.0, 6.0]) == pytest.approx(4.5 / 4 - 1)
    assert spearman([1.0, 1.0, 1.0], [5.0, 4.0, 6.0]) == 0.0


def test_spearman_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(1)
    for _ in range(20):
        a, b = random.integers(0, 6, 15), random.integers(0, 6, 15)
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b)[0])


def test_a_perfect_and_a_reversed_estimate():
    perfect = validate_ranking(ROWS, by(in_order(CUTS)), MODELS)
    assert (perfect.overall.sets, perfect.overall.layouts, perfect.skipped) == (1, 6, {})
    assert perfect.overall.median_spearman == pytest.approx(1.0)
    assert perfect.overall.worst_regret == 0.0
    backwards = validate_ranking(ROWS, by(in_order(CUTS[::-1])), MODELS).per_set[0]
    assert backwards.spearman == pytest.approx(-1.0)
    assert backwards.regret == pytest.approx(5.0)
    assert backwards.picked.startswith("TP2 PP2")
    assert (backwards.picked_measured_s, backwards.best_measured_s) == pytest.approx((6.0, 1.0))


@pytest.mark.parametrize(
    "other", [{"global_batch": 32}, {"seq_len": 2048}, {"precision": "fp8"}, {"document": "next release"}]
)
def test_what_is_not_the_same_job_is_not_compared(other):
    mixed = [*ROWS[:5], row(2, 2, 0.5, **other)]
    result = validate_ranking(mixed, by(in_order(CUTS)), MODELS)
    assert result.overall.layouts == 5
    assert result.skipped == {"fewer than 5 layouts of the job": 1}


def test_a_layout_measured_twice_counts_once_by_its_median():
    again = [*ROWS, row(1, 1, 3.0, id="again"), row(1, 1, 5.0, id="and again")]
    found = validate_ranking(again, by(in_order(CUTS)), MODELS).per_set[0]
    assert found.layouts == 6
    assert found.picked_measured_s == pytest.approx(3.0)


def test_unstated_recomputation_is_the_first_that_fits():
    seen = []

    def predict(model, cluster, work, layouts):
        seen.extend(layouts)
        return np.array([float("full" in x.recompute) for x in layouts]), np.array([x.tp > 1 for x in layouts])

    rows = [row(tp, pp, 1.0 + place, recompute="") for place, (tp, pp) in enumerate(CUTS)]
    found = validate_ranking(rows, predict, MODELS).per_set[0]
    assert len(seen) == 3 * len(rows)
    assert found.picked.startswith("TP2 PP1")


def test_too_few_layouts_are_an_error():
    with pytest.raises(SpecError, match="none of the 4 rows belongs to a job with 5 or more"):
        validate_ranking(ROWS[:4], by(in_order(CUTS)), MODELS)
