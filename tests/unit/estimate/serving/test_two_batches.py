"""Iterations that run as two halves: what hides, what does not, and what the halves cost."""

import numpy as np
import pytest

from myriad import catalog
from myriad.api.serving import machine_of
from myriad.estimate.serving.iteration import HIDING_PARTS, Iteration, iteration_parts
from myriad.estimate.serving.machine import Cut
from myriad.estimate.serving.parts import whole_s
from myriad.spec.serving import ServingLayout, ServingWork


def _parts(sequences: float, two_batches: bool, model: str = "deepseek-v3", chunks: float = 0.0) -> dict[str, float]:
    wide = model == "deepseek-v3"
    layout = ServingLayout(dp=64, ep=64) if wide else ServingLayout(tp=8)
    work = ServingWork(
        engine="sglang", precision="fp8-block" if wide else "bf16", dispatch="all-to-all", two_batches=two_batches
    )
    bound = machine_of(catalog.cluster("h800:64"), work)
    one = np.ones(1)
    asked = Iteration(sequences * one, 4096 * one, chunks * one, 4096 * one, 0 * one, one)
    return {
        part: float(seconds[0])
        for part, seconds in iteration_parts(catalog.model(model), Cut.of([layout]), asked, bound).items()
    }


@pytest.mark.parametrize(("sequences", "chunks"), [(512.0, 0.0), (0.0, 4.0)])
def test_exchange_hides_behind_what_the_other_half_computes(sequences: float, chunks: float) -> None:
    apart, together = _parts(sequences, True, chunks=chunks), _parts(sequences, False, chunks=chunks)
    assert apart["ep_comm"] < together["ep_comm"]
    assert sum(apart.values()) < sum(together.values())


def test_halves_take_no_less_than_compute_or_exchange_alone() -> None:
    apart, half = _parts(128.0, True), _parts(64.0, False)
    computed = 2 * sum(seconds for part, seconds in half.items() if part in HIDING_PARTS)
    seen = sum(seconds for part, seconds in apart.items() if part in (*HIDING_PARTS, "ep_comm"))
    assert seen == pytest.approx(max(computed, 2 * half["ep_comm"]))


def test_halving_a_small_batch_does_not_pay() -> None:
    # Each half reads the weights of its experts again, and little is exchanged.
    assert sum(_parts(1.0, True).values()) > sum(_parts(1.0, False).values())


def test_the_host_works_once_per_iteration() -> None:
    assert _parts(128.0, True)["host"] == _parts(128.0, False)["host"]


def test_dense_models_have_nothing_to_hide() -> None:
    apart = _parts(64.0, True, model="llama3-8b")
    assert "ep_comm" not in apart
    assert whole_s({part: np.array([s]) for part, s in apart.items()})[0] > sum(
        _parts(64.0, False, model="llama3-8b").values()
    )
