"""ZeRO within pipeline stages: every gradient, and when weights are gathered and gradients scattered."""

from __future__ import annotations

from typing import Any

import pytest

from trainer_runs import MODEL, OPTIMIZER, configuration, gradients

pytest.importorskip("torch", reason="needs the extra `train`")

MICRO_BATCHES = 2
PREDICTING = MODEL | {"layers": [["dense", 3]], "mtp_depths": 1, "mtp_block": "dense", "tied_embeddings": True}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One step of two micro-batches in every layout, on two replicas of two stages."""
    folder = tmp_path_factory.mktemp("pipelines")
    layouts: list[dict[str, Any]] = [
        {"zero": 1},
        {"zero": 2},
        {"zero": 3, "recompute": "full"},
        {"zero": 3, "vpp": 2},
        {"zero": 3, "schedule": "gpipe"},  # of a model with a prediction depth
    ]
    cases = {
        str(number): configuration(
            folder, model=PREDICTING if "schedule" in layout else MODEL, layout={"dp": 2, "pp": 2} | layout,
            seq_len=16, global_batch=2 * MICRO_BATCHES, optimizer=OPTIMIZER | {"clip_norm": 0.01},
        )
        for number, layout in enumerate(layouts)
    }  # fmt: skip
    return gradients(cases, folder, ranks=4)


def test_every_gradient_is_that_of_the_uncut_model(found: Any) -> None:
    for config, one in found:
        assert one["off"] < 1e-5, (config.layout, one)


@pytest.mark.parametrize(("zero", "gathers", "scatters"), [(1, 3, 3), (2, 3, 6), (3, 10, 6)])
def test_zero_gathers_and_scatters_as_often_as_it_says(zero: int, gathers: int, scatters: int, found: Any) -> None:
    """A stage has three units of FSDP, two layers and an end, and two micro-batches.

    ZeRO 1 and 2 gather each unit once, 3 in both passes of each micro-batch, but its end once for both.
    """
    of_zero = [
        one
        for config, one in found
        if (config.layout.zero, config.layout.vpp, config.layout.schedule) == (zero, 1, "1f1b")
    ]
    assert of_zero
    assert {(one["gathers"], one["scatters"]) for one in of_zero} == {(gathers, scatters)}
