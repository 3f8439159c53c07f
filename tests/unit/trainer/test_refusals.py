from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainer_runs import EXPERTS, LATENT, MODEL, SPARSE, configuration

pytest.importorskip("torch", reason="needs the extra `train`")

from myriad.errors import InfeasibleError, SpecError
from myriad.trainer.parallel import placed
from myriad.trainer.refusals import refuse

RUNS: list[dict[str, Any]] = [
    {},
    {"dp": 2, "zero": 3},
    {"tp": 2, "pp": 2, "dp": 2, "zero": 1},
    {"pp": 2, "vpp": 2, "dp": 2, "zero": 3},
    {"pp": 2, "vpp": 2, "split": (1, 1, 1, 1)},
    {"pp": 4, "schedule": "gpipe", "recompute": ("full",)},
]


@pytest.mark.parametrize("layout", RUNS)
def test_what_runs_is_not_refused(layout: dict[str, Any]) -> None:
    refuse(configuration(Path("run"), layout=layout))


def test_latents_and_experts_may_be_cut() -> None:
    refuse(configuration(Path("run"), model=SPARSE, layout={"tp": 4, "etp": 4, "sp": False}))
    refuse(configuration(Path("run"), model=SPARSE, layout={"dp": 2}))


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ({"cp": 2}, "layout.cp: 2"),
        ({"dp": 2, "ep": 2}, "layout.ep: 2"),
        ({"dp": 2, "etp": 2}, "layout.etp: 2, .* expected 1"),
        ({"dp": 4, "zero": 3, "shard": 2}, "layout.shard: 2"),
        ({"offload_optimizer": True}, "layout.offload_optimizer"),
        ({"recompute": ("moe_act",)}, "does not know moe_act; allowed: full"),
        ({"tp": 4}, "tp 4 does not divide the 2 key heads"),
        ({"pp": 2, "dp": 2, "zero": 2, "schedule": "zero-bubble"}, "zero 2: .* expected 1f1b or gpipe, or zero 0 or 1"),
        ({"pp": 2, "schedule": "dualpipe"}, "schedule dualpipe"),
        ({"pp": 4, "micro_batch": 4}, "2 micro-batches are fewer than pp 4"),
        ({"pp": 2, "vpp": 2}, "5 micro-batches do not divide into 2 rounds"),
        ({"pp": 2, "split": (2, 3)}, "split places 5 layers"),
        ({"pp": 8}, "8 pipeline chunks"),
    ],
)
def test_what_does_not_run_is_refused_in_one_line(layout: dict[str, Any], expected: str) -> None:
    with pytest.raises(InfeasibleError, match=expected) as error:
        refuse(configuration(Path("run"), layout=layout, global_batch=5 if "vpp" in layout else 8))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"vocab": 255}, "model.vocab: 255"),
        ({"learned_positions": 32}, "but the model has 32 positions"),
        ({"residual_streams": 4}, "does not build several residual streams"),
    ],
)
def test_models_that_do_not_fit_are_refused(model: dict[str, Any], expected: str) -> None:
    with pytest.raises(InfeasibleError, match=expected):
        refuse(configuration(Path("run"), model=MODEL | model))


@pytest.mark.parametrize(
    ("mixer", "experts", "layout", "expected"),
    [
        ({}, {}, {"tp": 2}, "layout.etp: 1, but the reference trainer cuts experts over tp like all else; expected 2"),
        ({"heads": 3}, {}, {"tp": 2, "etp": 2}, "tp 2 does not divide the 3 heads of block 'dense'"),
        ({}, {"expert_width": 41}, {"tp": 2, "etp": 2}, "tp 2 does not divide expert_width 41 of block 'dense'"),
        ({}, {"shared_width": 57}, {"tp": 2, "etp": 2}, "tp 2 does not divide shared_width 57"),
        ({}, {"dense_width": 57}, {"tp": 2, "etp": 2}, "tp 2 does not divide dense_width 57"),
    ],
)
def test_latents_and_experts_that_tensor_parallelism_does_not_divide_are_refused(
    mixer: dict[str, Any], experts: dict[str, Any], layout: dict[str, Any], expected: str
) -> None:
    blocks = {"dense": {"mixer": LATENT | mixer, "feed_forward": EXPERTS | experts}}
    with pytest.raises(InfeasibleError, match=expected):
        refuse(configuration(Path("run"), model=SPARSE | {"blocks": blocks}, layout=layout))


def test_ranks_have_to_be_those_of_the_layout() -> None:
    config = configuration(Path("run"), layout={"dp": 4, "pp": 2})
    assert placed(config, {"WORLD_SIZE": "8"}) == config
    with pytest.raises(SpecError, match="takes 8 ranks, 1 were started"):
        placed(config, {})


@pytest.mark.parametrize(("ranks", "dp"), [(4, 2), (2, 1), (3, None), (6, None)])
def test_an_elastic_run_has_as_many_replicas_as_there_are_ranks_for(ranks: int, dp: int | None) -> None:
    config = configuration(Path("run"), layout={"dp": 4, "pp": 2, "zero": 1, "shard": 4}, elastic=True)
    if dp is None:
        with pytest.raises(SpecError, match=f"{ranks} were started"):
            placed(config, {"WORLD_SIZE": str(ranks)})
    else:
        fewer = placed(config, {"WORLD_SIZE": str(ranks)})
        assert fewer.layout.dp == dp
        refuse(fewer)
