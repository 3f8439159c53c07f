"""Activations of one block, against the formulas of Korthikanti et al. and by hand."""

from __future__ import annotations

import pytest

from myriad.estimate.layers import recomputed_modules
from myriad.estimate.memory import block_activation_bytes, block_input_bytes
from myriad.spec.layout import RECOMPUTE_MODULES, Layout, recompute_mask
from myriad.spec.model import Block, DenseFeedForward, GroupedQueryAttention
from small_setting import DENSE_BLOCK, MOE_BLOCK, WORK, cells, columns, dense_model, one, stack

TOKENS, HIDDEN = 4096, 1024
OLD = Block(
    mixer=GroupedQueryAttention(heads=16, kv_heads=16, head_dim=64),
    feed_forward=DenseFeedForward(width=4096, gated=False),
)


def held(block=DENSE_BLOCK, recompute=(), software=None, operand_bytes=2.0, **layout):
    chosen = recomputed_modules(columns(Layout(recompute=recompute)).recompute)
    kept = {module: 1.0 - on for module, on in chosen.items()}
    found = block_activation_bytes(
        block, dense_model(), cells(**layout), WORK, software or stack(), kept, operand_bytes
    )
    return one(found)


def test_block_input_is_what_full_recomputation_keeps():
    assert one(block_input_bytes(dense_model(), cells())) == 2 * TOKENS * HIDDEN
    assert one(block_input_bytes(dense_model(), cells(tp=4))) == 2 * TOKENS * HIDDEN / 4
    assert one(block_input_bytes(dense_model(), cells(tp=4, sp=False))) == 2 * TOKENS * HIDDEN


def test_old_transformer_block_by_korthikanti_equation_1():
    """34 s b h, of which 2 s b h are dropout masks that models without dropout do not have: 32; scores 5 a s / h.

    Korthikanti et al., arXiv 2205.05198: attention 11 (qkv input 2, q and k 4, v 2, output 2, mask 1), MLP 19
    (inputs 2 + 8, GeLU input 8, mask 1), norms 4.
    """
    assert held(OLD) == 32 * TOKENS * HIDDEN
    scores = 5 * 16 * TOKENS**2
    assert held(OLD, software=stack(fused_attention=False)) == 32 * TOKENS * HIDDEN + scores


def test_selective_recomputation_drops_the_stored_scores():
    unfused = stack(fused_attention=False)
    assert held(OLD, ("core_attn",), unfused) == held(OLD)


def test_full_tensor_and_sequence_parallelism_divide_everything():
    for block in (OLD, MOE_BLOCK):
        assert held(block, tp=1, cp=4) == pytest.approx(held(block) / 4)
    assert held(OLD, tp=4) == pytest.approx(held(OLD) / 4)


def test_without_sequence_parallelism_norms_stay_whole():
    assert held(OLD, tp=4, sp=False) == pytest.approx(8 * TOKENS * HIDDEN + 24 * TOKENS * HIDDEN / 4)


@pytest.mark.parametrize("tp", [2, 4, 8])
@pytest.mark.parametrize("block", [DENSE_BLOCK, MOE_BLOCK])
def test_activations_shrink_with_tensor_parallelism(block, tp):
    assert held(block, tp=tp) < held(block, tp=tp // 2)


@pytest.mark.parametrize("module", [m for m in RECOMPUTE_MODULES if m != "full"])
@pytest.mark.parametrize("block", [DENSE_BLOCK, MOE_BLOCK])
def test_no_recomputation_takes_memory(block, module):
    assert held(block, (module,)) <= held(block)


def test_modules_drop_what_they_name():
    gated = DENSE_BLOCK.feed_forward.width
    assert held() - held(recompute=("mlp",)) == TOKENS * gated * (2 * 2 + 2)
    assert held() - held(recompute=("layernorm",)) == 2 * 2 * TOKENS * HIDDEN
    assert held(MOE_BLOCK) - held(MOE_BLOCK, ("moe_act",)) == TOKENS * 4 * 2 * 512
    assert held(MOE_BLOCK) - held(MOE_BLOCK, ("shared_experts",)) == TOKENS * 512 * 6
    assert held(MOE_BLOCK) - held(MOE_BLOCK, ("mla_up_proj",)) == 2 * TOKENS * 16 * (2 * 96 + 64)


def test_narrow_operands_are_saved_narrow():
    assert held(operand_bytes=1.0) < held(operand_bytes=2.0) == held(operand_bytes=4.0)


def test_full_includes_every_module():
    masks = columns(Layout(recompute=("full",)), Layout()).recompute
    for on in recomputed_modules(masks).values():
        assert on.tolist() == [1, 0]
    assert recompute_mask(("full",)) == masks[0]
