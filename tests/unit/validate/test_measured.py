from __future__ import annotations

import pytest

from myriad.estimate.flops import DEFINITIONS
from myriad.spec.model import Block, DenseFeedForward, GroupedQueryAttention, MixtureOfExperts, Model
from myriad.validate.measured import flops_definition, measured_tokens_per_s_per_gpu
from myriad.validate.rows import TrainingRow

ATTENTION = GroupedQueryAttention(heads=8, kv_heads=8, head_dim=64)


def model(feed_forward=None) -> Model:
    block = Block(mixer=ATTENTION, feed_forward=feed_forward or DenseFeedForward(width=2048))
    return Model(name="m", hidden=512, vocab=1000, blocks={"a": block}, layers=(("a", 8),))


MOE = model(MixtureOfExperts(experts=8, top_k=2, expert_width=256))


def row(**values: object) -> TrainingRow:
    return TrainingRow.model_validate({"id": "r", "source": "s", "model": "m", "accelerator": "h100", **values})


def measured(**values: object):
    return measured_tokens_per_s_per_gpu(row(**values), model(), 4096, 64, 1e15)


def test_the_plainest_figure_counts():
    plain = {"tokens_per_s_per_gpu": 10.0, "tokens_per_s": 6400.0, "step_s": 1.0, "global_batch": 64}
    assert measured(**plain) == (10.0, "tokens/s per GPU")
    assert measured(**{**plain, "tokens_per_s_per_gpu": None}) == (100.0, "tokens/s of the job")
    assert measured(step_s=2.0, global_batch=64) == (2048.0, "step time")


def test_flops_are_divided_by_the_rows_own_definition():
    per_token = DEFINITIONS["noncausal"](model(), 4096)
    value, how = measured(model_flops_per_s=4e14, flops_definition="noncausal?")
    assert value == pytest.approx(4e14 / per_token)
    assert how == "FLOP/s (noncausal)"
    value, _ = measured(mfu=0.4, flops_definition="noncausal")
    assert value == pytest.approx(4e14 / per_token)
    assert measured(model_flops_per_s=4e14, flops_definition="") is None


def test_hardware_flops_count_recomputation():
    per_token = DEFINITIONS["noncausal"](model(), 4096)
    value, _ = measured(hfu=0.4, flops_definition="noncausal", recompute="full")
    assert value == pytest.approx(4e14 / per_token * 3 / 4)
    value, _ = measured(hardware_flops_per_s=1e14, flops_definition="sc21hw", recompute="full")
    assert value == pytest.approx(1e14 / DEFINITIONS["sc21-hardware"](model(), 4096))


@pytest.mark.parametrize(
    ("values", "of", "name"),
    [
        ({"flops_definition": "dgxc"}, model(), "noncausal"),
        ({"flops_definition": "dgxc"}, MOE, "megatron-causal"),
        (
            {"flops_definition": "dgxc", "model": "nemotron4-15b", "document": "x@v25.04"},
            model(),
            "noncausal-multi-head",
        ),
        (
            {"flops_definition": "dgxc", "model": "nemotron4-15b", "document": "x@v24.11.1"},
            model(),
            "noncausal-multi-head",
        ),
        ({"flops_definition": "dgxc", "model": "nemotron4-15b", "document": "x@v25.05"}, model(), "noncausal"),
        ({"flops_definition": "dgxc", "model": "llama4-maverick"}, MOE, "llama4-dense"),
        ({"flops_definition": "noncausal", "source": "llm-foundry MPT benchmarks"}, model(), "six-n"),
        ({"flops_definition": "sc21hw?", "recompute": "none"}, model(), "sc21-model"),
        ({"flops_definition": "causal?"}, MOE, "megatron-causal"),
        ({"flops_definition": "automodel"}, MOE, "megatron-causal"),
        ({"flops_definition": "guess"}, MOE, None),
    ],
)
def test_definitions(values, of, name):
    assert flops_definition(row(**values), of) == name
