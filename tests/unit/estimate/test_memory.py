"""Activations of one block, against the formulas of Korthikanti et al. and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.estimate.layers import recomputed_modules
from myriad.estimate.memory import block_activation_bytes, block_input_bytes, fragmentation_bytes, logits_bytes
from myriad.spec.layout import RECOMPUTE_MODULES, Layout, recompute_mask
from myriad.spec.model import Block, DenseFeedForward, GatedDeltaNet, GroupedQueryAttention, Mamba2
from small_setting import DENSE_BLOCK, MOE_BLOCK, WORK, cells, columns, dense_model, moe_model, one, stack

TOKENS, HIDDEN = 4096, 1024
MAMBA = Mamba2(heads=16, head_dim=64, state_dim=64, groups=2)
DELTA = GatedDeltaNet(key_heads=8, value_heads=16, key_head_dim=64, value_head_dim=64)
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
    assert held(MOE_BLOCK) - held(MOE_BLOCK, ("layernorm",)) == 2 * 2 * TOKENS * HIDDEN
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


def test_norms_fused_with_their_product_are_not_recomputed():
    """Megatron-Core: `layernorm` finds a module of its own before latent attention and experts alone."""
    assert held(recompute=("layernorm",)) == held()
    dense_after_latent = Block(mixer=MOE_BLOCK.mixer, feed_forward=DENSE_BLOCK.feed_forward)
    assert held(dense_after_latent) - held(dense_after_latent, ("layernorm",)) == 2 * TOKENS * HIDDEN


def test_every_other_product_keeps_half_the_products_and_attention():
    """Llama-like: input h; q, k, v, o, gate, up, down outputs halved; attention output."""
    q, kv, width = 16 * 64, 2 * 4 * 64, 4096
    products = q + kv + HIDDEN + 2 * width + HIDDEN
    assert held(recompute=("every_other_product",)) == 2 * TOKENS * (HIDDEN + q + products / 2)


@pytest.mark.parametrize("mixer", [MOE_BLOCK.mixer, MAMBA, DELTA, None])
@pytest.mark.parametrize("feed_forward", [DENSE_BLOCK.feed_forward, MOE_BLOCK.feed_forward])
def test_every_other_product_keeps_more_than_the_input_and_less_than_all(mixer, feed_forward):
    block = Block(mixer=mixer, feed_forward=feed_forward)
    assert 2 * TOKENS * HIDDEN <= held(block, ("every_other_product",)) < held(block)


def test_loss_takes_more_where_the_vocabulary_is_split_by_elementary_operations():
    plain, split = stack(logit_bytes=12), stack(logit_bytes=12, sharded_logit_bytes=16)
    for software, tp, per_logit in ((plain, 1, 12), (plain, 4, 12 / 4), (split, 1, 12), (split, 4, 16 / 4)):
        assert one(logits_bytes(dense_model(), cells(tp=tp), software)) == per_logit * TOKENS * 32000


def test_every_prediction_depth_has_logits_of_its_own():
    once, twice = (logits_bytes(moe_model(mtp_depths=d, mtp_block="moe"), cells(), stack()) for d in (1, 2))
    assert one(twice) == 1.5 * one(once)


def test_gaps_fill_what_is_left_and_no_more():
    """An allocator that wastes 15 of 100 bytes gives back up to 10 of them."""
    wasteful = stack(fragmentation_fraction=0.15)
    left = np.array([50.0, 15.0, 8.0, 2.0, -7.0])
    assert fragmentation_bytes(np.full(5, 100.0), left, wasteful) == pytest.approx([15, 15, 8, 5, 5])
