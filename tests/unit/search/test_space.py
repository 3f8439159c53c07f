"""What is asked about, and how it is counted."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.search.rules import Case, Rule
from myriad.search.space import default_space, enumerate_layouts
from myriad.spec.layout import recompute_mask
from small_setting import CLUSTER, WORK, dense_model, moe_model


def case(model=None, gpus: int = 64, **work: object) -> Case:
    cluster = CLUSTER.model_copy(update={"num_accelerators": gpus})
    return Case(model or dense_model(), cluster, WORK.model_copy(update=work))


def test_tensor_parallelism_stays_in_the_scale_up_domain():
    assert default_space(case()).tp == (1, 2, 4, 8)
    assert default_space(case(gpus=4)).tp == (1, 2, 4)


def test_stages_are_powers_and_divisors_of_layers_with_and_without_ends():
    assert default_space(case(dense_model(12))).pp == (1, 2, 3, 4, 6, 7, 8, 12, 14)
    assert max(default_space(case(dense_model(12), gpus=3)).pp) == 3


def test_context_parallelism_leaves_a_thousand_tokens():
    assert default_space(case()).cp == (1, 2, 4)
    assert default_space(case(seq_len=512)).cp == (1,)


def test_experts_are_spread_only_where_there_are_any():
    dense, moe = default_space(case()), default_space(case(moe_model()))
    assert (dense.ep, dense.etp) == ((1,), (1,))
    assert moe.ep == (1, 2, 4, 8, 16, 32)
    assert moe.etp == (1, 0)


def test_recomputation_offers_the_modules_of_the_model():
    dense, moe = default_space(case()), default_space(case(moe_model()))
    assert {0, recompute_mask(["full"]), recompute_mask(["layernorm", "mlp"])} <= set(dense.recompute)
    assert recompute_mask(["layernorm", "mla_up_proj", "moe_act"]) in moe.recompute
    assert len(set(moe.recompute)) == len(moe.recompute)


def test_stored_scores_may_be_recomputed():
    assert recompute_mask(["core_attn"]) not in default_space(case(), fused_attention=True).recompute
    assert recompute_mask(["core_attn"]) in default_space(case(), fused_attention=False).recompute


@pytest.mark.parametrize("framework", ["megatron-core", "torchtitan", "fsdp", "own"])
def test_every_layout_uses_enough_and_not_too_many(framework):
    least = 48
    found = enumerate_layouts(case(), default_space(case(), least), framework).layouts
    world = found.tp * found.cp * found.pp * found.dp
    assert len(found)
    assert world.max() <= 64
    assert np.all(64 % found.dp == 0)


def test_where_nothing_reaches_the_least_the_largest_stays():
    """Three stages of one: 64 sequences divide over 16 replicas at most, 48 of 50 accelerators."""
    found = enumerate_layouts(case(gpus=50), default_space(case(gpus=50), 50), "megatron-core").layouts
    plain = (found.pp == 3) & (found.tp == 1) & (found.cp == 1) & (found.micro_batch == 1)
    if plain.any():
        assert set(found.dp[plain].tolist()) == {16}
    assert 32 in (found.tp * found.cp * found.pp * found.dp)


def test_further_rules_are_counted_under_their_own_reason():
    one, wide = case(), Rule("too wide", frozenset({"tp"}), lambda _, x: x.tp > 1)
    without = enumerate_layouts(one, default_space(one), "megatron-core")
    found = enumerate_layouts(one, default_space(one), "megatron-core", (wide,))
    assert found.layouts.tp.max() == 1 < without.layouts.tp.max()
    assert found.rejected["too wide"] > 0
    assert found.total == len(found.layouts) + sum(found.rejected.values())
    assert len(found.layouts) == (without.layouts.tp == 1).sum()


def test_an_impossible_job_leaves_an_empty_table_with_reasons():
    found = enumerate_layouts(case(seq_len=4095, gpus=1), default_space(case(gpus=1)), "fsdp")
    assert found.total == len(found.layouts) + sum(found.rejected.values())
    odd = case(dense_model().model_copy(update={"layers": (("dense", 1),)}), global_batch=1)
    assert len(enumerate_layouts(odd, default_space(odd), "fsdp").layouts) > 0
