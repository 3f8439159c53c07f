"""Whatever decoder can be described, as many parameters are built as counted, and it can be trained on."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark_modules import benchmark
from myriad.estimate.parameters import model_parameters
from myriad.spec.model import (
    Block,
    DenseFeedForward,
    GatedDeltaNet,
    GroupedQueryAttention,
    Mamba2,
    MixtureOfExperts,
    Model,
    MultiLatentAttention,
)
from myriad.trainer.model import build, token_loss
from myriad.trainer.model.counts import num_parameters

STUDY = benchmark("trainer_counts")
widths = st.integers(1, 20)
flags = st.booleans()


@st.composite
def attention(draw):
    kv_heads, head_dim = draw(st.integers(1, 3)), draw(widths)
    gate, shared = draw(flags), draw(flags)
    seen = draw(st.sampled_from([{}, {"window_tokens": 8}, {"window_tokens": 64}, {"chunk_tokens": 16}]))
    return GroupedQueryAttention(
        heads=kv_heads * draw(st.integers(1, 3)), kv_heads=kv_heads, head_dim=head_dim, output_gate=gate,
        v_head_dim=None if gate or shared else draw(st.none() | widths), shared_kv=shared, qkv_bias=draw(flags),
        output_bias=draw(flags), qk_norm=draw(flags), sinks=draw(flags), **seen,
    )  # fmt: skip


latent = st.builds(
    MultiLatentAttention, heads=st.integers(1, 4), q_lora_rank=st.none() | widths, kv_lora_rank=widths,
    qk_nope_head_dim=widths, qk_rope_head_dim=widths, v_head_dim=widths,
)  # fmt: skip


@st.composite
def state_space(draw):
    groups = draw(st.integers(1, 3))
    return Mamba2(
        heads=groups * draw(st.integers(1, 3)), groups=groups, head_dim=draw(widths), state_dim=draw(widths),
        conv_kernel=draw(st.integers(1, 5)),
    )  # fmt: skip


@st.composite
def delta_net(draw):
    key_heads = draw(st.integers(1, 3))
    return GatedDeltaNet(
        key_heads=key_heads, value_heads=key_heads * draw(st.integers(1, 3)), key_head_dim=draw(widths),
        value_head_dim=draw(widths), conv_kernel=draw(st.integers(1, 5)),
    )  # fmt: skip


dense = st.builds(DenseFeedForward, width=widths, gated=flags, bias=flags)


@st.composite
def experts(draw):
    groups, per_group = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    top_groups = draw(st.none() | st.integers(1, groups))
    shared = draw(st.integers(0, 9))
    return MixtureOfExperts(
        experts=groups * per_group, groups=groups, top_groups=top_groups,
        top_k=draw(st.integers(1, per_group * (top_groups or groups))), expert_width=draw(widths), shared_width=shared,
        shared_gate=bool(shared) and draw(flags), gated=draw(flags), bias=draw(flags), router_bias=draw(flags),
        latent_dim=draw(st.none() | widths), dense_width=draw(st.integers(0, 9)),
    )  # fmt: skip


mixers = st.one_of(attention(), latent, state_space(), delta_net())
parts = st.one_of(dense, experts())
blocks = st.one_of(
    st.builds(Block, mixer=mixers, feed_forward=parts, post_norms=flags),
    st.builds(Block, mixer=mixers),
    st.builds(Block, feed_forward=parts),
)


@st.composite
def architectures(draw):
    kinds = draw(st.lists(blocks, min_size=1, max_size=3))
    depths = draw(st.integers(0, 2))
    return Model(
        name="drawn", hidden=draw(st.integers(2, 24)), vocab=draw(st.integers(2, 40)), mtp_depths=depths,
        blocks={str(i): block for i, block in enumerate(kinds)}, mtp_block="0" if depths else None,
        layers=tuple((str(i), draw(st.integers(1, 2))) for i in range(len(kinds))), tied_embeddings=draw(flags),
        learned_positions=draw(st.sampled_from([0, 64])), norm=draw(st.sampled_from(["rmsnorm", "layernorm"])),
    )  # fmt: skip


@settings(max_examples=25)
@given(architectures())
def test_parameters_and_flops_are_those_counted(model):
    assert STUDY.built(model) == STUDY.counted(model)


@settings(max_examples=15)
@given(architectures(), st.integers(1, 3))
def test_cut_models_have_the_parameters_of_the_whole(model, cut):
    """But for the token table, which both ends have where they share it."""
    cut = min(cut, model.num_layers)
    stages = [
        build(model, layers=range(cut), last=False),
        build(model, layers=range(cut, model.num_layers), first=False),
    ]
    table = stages[1].shared_table()
    twice = 0 if table is None else table.numel()
    assert sum(num_parameters(stage) for stage in stages) - twice == model_parameters(model).total_with_mtp


@settings(max_examples=15)
@given(architectures())
def test_every_parameter_has_a_finite_gradient(model):
    decoder, tokens = build(model), torch.arange(2 * 21).reshape(2, 21) % model.vocab
    token_loss(decoder(tokens[:, :-1]), tokens[:, 1:]).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in decoder.parameters())
