from __future__ import annotations

import pytest

from myriad.estimate.flops import (
    DEFINITIONS,
    megatron_causal,
    megatron_sc21_hardware,
    megatron_sc21_model,
    noncausal,
    noncausal_multi_head,
    six_n,
)
from myriad.spec.model import Block, DenseFeedForward, GroupedQueryAttention, MixtureOfExperts, Model

ATTENTION = GroupedQueryAttention(heads=8, kv_heads=2, head_dim=64)


def model(attention=ATTENTION, feed_forward=None, **more):
    block = Block(mixer=attention, feed_forward=feed_forward or DenseFeedForward(width=2048))
    return Model(name="m", hidden=512, vocab=1000, blocks={"a": block}, layers=(("a", 4),), **more)


WEIGHTS = 512 * (8 + 2 + 2 + 8) * 64 + 3 * 512 * 2048


def test_noncausal_counts_matrices_logits_and_the_whole_square():
    assert noncausal(model(), 4096) == 6 * (4 * WEIGHTS + 512 * 1000) + 12 * 4 * 512 * 4096


def test_causal_halves_only_the_core():
    assert noncausal(model(), 4096) - megatron_causal(model(), 4096) == 6 * 4 * 512 * 4096


def test_causal_sees_windows_no_wider_than_they_are():
    windowed = model(ATTENTION.model_copy(update={"window_tokens": 128}))
    assert megatron_causal(windowed, 4096) == 6 * (4 * WEIGHTS + 512 * 1000) + 12 * 4 * 512 * 128


def test_multi_head_counts_grouped_keys_per_query_head():
    assert noncausal_multi_head(model(), 64) - noncausal(model(), 64) == 6 * 4 * 512 * 2 * 6 * 64


def test_experts_count_those_that_a_token_meets():
    experts = MixtureOfExperts(experts=64, top_k=4, expert_width=256, shared_width=128)
    expected = 512 * 20 * 64 + 3 * 512 * (4 * 256 + 128) + 512 * 64
    assert noncausal(model(feed_forward=experts), 1) == 6 * (4 * expected + 512 * 1000) + 12 * 4 * 512


def test_prediction_depths_count_a_layer_a_projection_and_logits():
    plain, deep = model(), model(mtp_depths=1, mtp_block="a")
    extra = 6 * (WEIGHTS + 512 * 1000 + 2 * 512 * 512) + 6 * 512 * 4096
    assert megatron_causal(deep, 4096) - megatron_causal(plain, 4096) == extra


def test_six_n_adds_the_position_table_of_models_that_have_one():
    old = model(norm="layernorm")
    assert six_n(old, 2048) - noncausal(old, 2048) == 6 * 512 * 2048
    assert six_n(model(), 2048) == noncausal(model(), 2048)


def test_sc21_is_the_printed_formula_of_gpt3():
    """Table 1 of the paper: 145.6 B parameters, 1,536 GPUs at 148 TFLOP/s; 96 B s l h^2 (...) per batch."""
    block = Block(mixer=GroupedQueryAttention(heads=96, kv_heads=96, head_dim=128))
    gpt = Model(name="g", hidden=12288, vocab=51200, blocks={"a": block}, layers=(("a", 80),))
    expected = 96 * 80 * 12288**2 * (1 + 2048 / (6 * 12288) + 51200 / (16 * 80 * 12288))
    assert megatron_sc21_hardware(gpt, 2048) == pytest.approx(expected)
    assert megatron_sc21_model(gpt, 2048) == pytest.approx(0.75 * expected)


@pytest.mark.parametrize("definition", sorted(DEFINITIONS))
def test_longer_sequences_never_cost_less(definition):
    assert DEFINITIONS[definition](model(), 8192) > DEFINITIONS[definition](model(), 1024) > 0
