"""Sizes, FLOPs and bytes of operations, by hand where a hand can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from myriad.estimate.kernels import gemm_s
from myriad.estimate.operations import Shop, block_operations, expert_tokens, head_operations, visible_pairs
from myriad.estimate.parameters import block_parameters
from myriad.estimate.shop import LOOP_LAUNCH
from myriad.spec.model import Block, DenseFeedForward, GroupedQueryAttention
from small_setting import (
    DENSE_BLOCK,
    DEVICE,
    GQA,
    MLA,
    MOE,
    MOE_BLOCK,
    WORK,
    cells,
    dense_model,
    moe_model,
    one,
    shop,
    stack,
)

TOKENS, HIDDEN = 4096, 1024


def operations(block=DENSE_BLOCK, model=None, tools=None, **layout):
    found = block_operations(block, model or dense_model(), cells(**layout), tools or shop())
    return {op.name: op for op in found}


def flops(block, model=None, **layout):
    return sum(one(op.forward_flops) for op in operations(block, model, **layout).values())


def test_pairs_of_a_causal_sequence():
    assert visible_pairs(100.0) == 5000
    assert visible_pairs(100.0, window=200) == visible_pairs(100.0, chunk=100) == 5000
    for seq_len, window in ((100, 1), (100, 7), (64, 63)):
        seen = sum(min(i + 1, window) for i in range(seq_len))
        assert visible_pairs(seq_len, window=window) == seen - window / 2
    assert visible_pairs(100.0, window=99) < visible_pairs(100.0)
    assert visible_pairs(100.0, chunk=25) == 4 * visible_pairs(25.0)


@pytest.mark.parametrize("block", [DENSE_BLOCK, MOE_BLOCK])
def test_products_count_two_flops_per_weight_and_token(block):
    """All parameters but the norms are weights of products; routed experts count those that a token meets."""
    counts = block_parameters(block, moe_model())
    latent_norms = 256 + 128 if block.mixer == MLA else 0
    by_weights = 2 * TOKENS * (counts.active - counts.norms - latent_norms)
    assert flops(block) - one(attention(block).forward_flops) == pytest.approx(by_weights)


def attention(block, tools=None, **layout):
    (found,) = [op for op in operations(block, tools=tools, **layout).values() if op.part == "attention"]
    return found


def test_attention_flops_are_half_the_square():
    assert one(attention(DENSE_BLOCK).forward_flops) == 4 * TOKENS**2 / 2 * 16 * 64
    assert one(attention(MOE_BLOCK).forward_flops) == 2 * TOKENS**2 / 2 * 16 * (96 + 64)
    windowed = Block(mixer=GQA.model_copy(update={"window_tokens": 128}))
    assert one(attention(windowed).forward_flops) == 4 * (TOKENS * 128 - 128 * 128 / 2) * 16 * 64


@pytest.mark.parametrize("layout", [{"tp": 2}, {"tp": 4}, {"cp": 4}, {"tp": 2, "cp": 2}, {"tp": 4, "ep": 4, "dp": 4}])
@pytest.mark.parametrize("block", [DENSE_BLOCK, MOE_BLOCK])
def test_ranks_share_the_work_without_loss_or_gain(block, layout):
    ranks = layout.get("tp", 1) * layout.get("cp", 1)
    assert flops(block, **layout) * ranks == pytest.approx(flops(block))


def test_micro_batches_scale_the_work():
    assert flops(MOE_BLOCK, micro_batch=4) == pytest.approx(4 * flops(MOE_BLOCK))


def test_more_tensor_ranks_than_key_heads_repeat_keys():
    lean = operations(tp=16)["qkv"].sizes
    assert dict(lean)["n"] == 1024 / 16 + 2 * 64  # one whole head of keys and of values, though there are only four


def test_backward_of_a_product_is_its_two_products():
    up = operations()["ffn up"]
    m, n, k = 4096.0, 8192.0, 1024.0
    assert one(up.forward_s) == pytest.approx(one(gemm_s(m, n, k, DEVICE)))
    assert one(up.backward_s) == pytest.approx(one(gemm_s(m, k, n, DEVICE) + gemm_s(n, k, m, DEVICE)))
    assert one(up.weight_grad_s) == pytest.approx(one(gemm_s(n, k, m, DEVICE)))


def test_fused_attention_pays_two_and_a_half_forwards_backward():
    found = attention(DENSE_BLOCK)
    assert one(found.backward_s) == pytest.approx(2.5 * one(found.forward_s), rel=1e-4)  # but for moving its operands


def test_unfused_attention_moves_its_scores_and_computes_the_masked_ones():
    fused, unfused = (operations(tools=shop(fused_attention=flag))["attention"] for flag in (True, False))
    scores_s = 5 * 2 * TOKENS**2 * 16 / 1e12
    assert one(unfused.forward_s) == pytest.approx(2 * one(fused.forward_s) + scores_s, rel=1e-4)
    assert one(unfused.backward_s - scores_s) == pytest.approx(2 * 2 / 2.5 * one(fused.backward_s), rel=1e-4)
    assert one(unfused.forward_flops) == one(fused.forward_flops)


def test_older_attention_kernels_are_slower():
    old = Shop(
        replace(DEVICE, attention=DEVICE.attention.model_copy(update={"portable_share": 0.5})),
        stack(native_attention=False), WORK,
    )  # fmt: skip
    new = operations()["attention"]
    assert one(operations(tools=old)["attention"].forward_s) == pytest.approx(2 * one(new.forward_s), rel=1e-4)


def test_narrow_operands_cost_their_quantisation_and_more_kernels():
    narrow = Shop(replace(DEVICE, operand_bytes=1.0, cast_bytes=4.0), stack(), WORK)
    wide_up, narrow_up = operations()["ffn up"], operations(tools=narrow)["ffn up"]
    product_s = one(gemm_s(4096.0, 8192.0, 1024.0, narrow.device))
    assert one(narrow_up.forward_s) - product_s == pytest.approx(4096 * 1024 * (2 + 2 * 1) / 1e12)
    assert narrow_up.kernels > wide_up.kernels


def test_fusion_removes_traffic():
    bare, half = (operations(tools=shop(stream_passes=passes))["ffn activation"] for passes in (2.0, 1.0))
    assert one(half.forward_s) == pytest.approx(one(bare.forward_s) / 2)
    assert one(half.forward_bytes) == pytest.approx(one(bare.forward_bytes) / 2)


def test_expert_tokens_are_shared_out_over_ranks():
    assert one(expert_tokens(MOE, cells(ep=8, dp=8), WORK)) == TOKENS * 4
    assert one(expert_tokens(MOE, cells(tp=4, ep=8, dp=2), WORK)) == TOKENS * 4 / 4
    assert one(expert_tokens(MOE, cells(tp=4, etp=4), WORK)) == TOKENS * 4
    busy = WORK.model_copy(update={"expert_imbalance": 1.5})
    assert one(expert_tokens(MOE, cells(), busy)) == TOKENS * 4 * 1.5
    capped = busy.model_copy(update={"expert_capacity": 1.25})
    assert one(expert_tokens(MOE, cells(), capped)) == TOKENS * 4 * 1.25


def test_gate_of_shared_experts_is_a_column():
    gated = operations(moe_block(shared_gate=True))
    assert set(gated) - set(operations(MOE_BLOCK)) == {"shared expert gate"}
    assert one(gated["shared expert gate"].forward_flops) == 2 * TOKENS * 1024


def test_experts_of_a_rank_run_as_one_kernel_or_each_alone():
    alone, grouped = (
        operations(MOE_BLOCK, tools=shop(grouped_kernels=flag), ep=4, dp=4)["expert up"].kernels
        for flag in (False, True)
    )
    # One launch, and seven more from the same loop.
    assert (one(alone), one(grouped)) == (pytest.approx(1 + 7 * LOOP_LAUNCH), 1)


def test_experts_alone_run_at_the_rate_of_dense_products():
    half = DEVICE.grouped_gemm.model_copy(update={"peak_fraction": 0.5})
    chip = replace(DEVICE, grouped_gemm=half, memory_bytes_per_s=1e18)
    tools = [Shop(chip, stack(grouped_kernels=flag), WORK) for flag in (False, True)]
    alone, grouped = (one(operations(MOE_BLOCK, tools=t)["expert up"].forward_s) for t in tools)
    assert grouped == pytest.approx(2 * alone)


def moe_block(**changes):
    return MOE_BLOCK.model_copy(update={"feed_forward": MOE.model_copy(update=changes)})


def eight_bits(precision="mxfp8", **changes):
    narrow = replace(DEVICE, operand_bytes=1.0, cast_bytes=4.0)
    return Shop(narrow, stack(**changes), WORK.model_copy(update={"precision": precision}))


def test_fused_experts_write_quantised_activations():
    """Only what the experts are given, and what comes back, is still quantised apart."""
    apart = operations(MOE_BLOCK, tools=eight_bits())
    fused = operations(MOE_BLOCK, tools=eight_bits(fused_experts=True))
    assert set(apart) - set(fused) == {"expert activation"}
    cast_s = TOKENS * 4 * 512 * (2 + 2 * 1) / 1e12
    assert one(apart["expert down"].forward_s - fused["expert down"].forward_s) == pytest.approx(cast_s)
    assert one(apart["expert up"].backward_s - fused["expert up"].backward_s) == pytest.approx(2 * cast_s)
    assert one(apart["expert up"].forward_s) == pytest.approx(one(fused["expert up"].forward_s))


@pytest.mark.parametrize("changes", [{"gated": False}, {"bias": True}, {"expert_width": 640}])
def test_experts_of_other_forms_are_not_fused(changes):
    assert "expert activation" in operations(moe_block(**changes), tools=eight_bits(fused_experts=True))


def test_other_precisions_are_not_fused():
    tools = eight_bits("fp8", fused_experts=True)
    assert "expert activation" in operations(MOE_BLOCK, tools=tools)


def test_biases_of_experts_are_added_in_single_precision():
    found = operations(moe_block(bias=True))["expert bias"]
    assert one(found.forward_s) == pytest.approx(28 * TOKENS * 4 * HIDDEN / 1e12)
    assert one(found.backward_s) == pytest.approx((36 * TOKENS * 4 * HIDDEN + 2 * TOKENS * 4 * 1024) / 1e12)


def test_each_residual_stream_is_read_and_written_twice():
    """Norm 2 passes, sum 3; with four streams 4 x 4 + 2 in place of the sum."""
    one_stream, four = (
        operations(model=dense_model(residual_streams=n))["norm and residual"].forward_bytes for n in (1, 4)
    )
    assert one(four) / one(one_stream) == pytest.approx(20 / 5)


def test_quantisation_takes_its_passes():
    one_pass, two = (operations(tools=eight_bits(quantise_passes=n))["ffn up"] for n in (1.0, 2.0))
    cast_s = TOKENS * HIDDEN * (2 + 2 * 1) / 1e12
    assert one(two.forward_s - one_pass.forward_s) == pytest.approx(cast_s)


def test_head_is_cut_by_tensor_parallelism():
    whole, quarter = (head_operations(dense_model(), cells(tp=tp), shop())[0] for tp in (1, 4))
    assert one(whole.forward_flops) == 2 * TOKENS * HIDDEN * 32000
    assert one(quarter.forward_flops) == one(whole.forward_flops) / 4


def test_ungated_feed_forwards_have_two_matrices():
    gated, plain = (flops(Block(feed_forward=DenseFeedForward(width=4096, gated=g))) for g in (True, False))
    assert gated / plain == 3 / 2


def test_every_operation_moves_bytes_and_takes_time():
    gate = GroupedQueryAttention(heads=16, kv_heads=4, head_dim=64, output_gate=True, qk_norm=True)
    for block in (DENSE_BLOCK, MOE_BLOCK, Block(mixer=gate)):
        for op in operations(block).values():
            assert np.all(op.forward_s > 0)
            assert np.all(op.backward_s >= op.weight_grad_s)
            assert np.all(op.forward_bytes > 0)


def test_slower_unfused_attention_is_slower_both_ways():
    usual, slow = (
        operations(tools=shop(fused_attention=False, attention_share=share))["attention"] for share in (1.0, 0.5)
    )
    scores_s = 5 * 2 * TOKENS**2 * 16 / 1e12
    assert one(slow.forward_s) - scores_s == pytest.approx(2 * (one(usual.forward_s) - scores_s))
    assert one(slow.backward_s) - scores_s == pytest.approx(2 * (one(usual.backward_s) - scores_s))
