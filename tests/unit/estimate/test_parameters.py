import pytest
from hypothesis import given
from hypothesis import strategies as st

import myriad.catalog as catalog
from myriad.estimate.parameters import (
    block_parameters,
    feed_forward_parameters,
    mixer_parameters,
    model_parameters,
    mtp_depth_extra_parameters,
)
from myriad.spec.model import (
    Block,
    CompressedAttention,
    DenseFeedForward,
    GatedDeltaNet,
    GroupedQueryAttention,
    Mamba2,
    MixtureOfExperts,
    Model,
    MultiLatentAttention,
)

ATTENTION = GroupedQueryAttention(heads=4, kv_heads=2, head_dim=8)


def small(**update: object) -> Model:
    base = {
        "name": "small", "hidden": 16, "vocab": 100,
        "blocks": {"dense": {"mixer": ATTENTION, "feed_forward": {"kind": "dense", "width": 64}}},
        "layers": [["dense", 3]],
    }  # fmt: skip
    return Model.model_validate(base | update)


def test_grouped_query_attention_by_hand():
    parts = mixer_parameters(ATTENTION, 16)
    assert {k: v for k, v in parts.items() if v} == {"q": 512, "k": 256, "v": 256, "o": 512}


@pytest.mark.parametrize(
    ("update", "more"),
    [
        ({"qkv_bias": True}, 32 + 16 + 16),
        ({"output_bias": True}, 16),
        ({"qk_norm": True}, 2 * 8),
        ({"output_gate": True}, 16 * 32),
        ({"sinks": True}, 4),
        ({"shared_kv": True}, -256),
        ({"v_head_dim": 4}, -(256 + 512) / 2),
        ({"window_tokens": 128}, 0),
    ],
)
def test_what_attention_options_add(update, more):
    other = GroupedQueryAttention.model_validate(ATTENTION.model_dump() | update)
    assert sum(mixer_parameters(other, 16).values()) - sum(mixer_parameters(ATTENTION, 16).values()) == more


def test_latent_attention_is_that_of_deepseek_v3():
    mla = MultiLatentAttention(
        heads=128, q_lora_rank=1536, kv_lora_rank=512, qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128
    )
    parts = mixer_parameters(mla, 7168)
    assert sum(parts.values()) == 187_107_328
    indexed = mla.model_copy(update={"index_heads": 64, "index_head_dim": 128})
    assert mixer_parameters(indexed, 7168)["indexer"] == 1536 * 64 * 128 + 7168 * (128 + 64)
    without_rank = mla.model_copy(update={"q_lora_rank": None})
    assert mixer_parameters(without_rank, 7168)["q_up"] == 7168 * 128 * 192


def test_compressed_attention_grows_with_what_it_has():
    window = CompressedAttention(
        heads=64, head_dim=512, q_lora_rank=1024, output_groups=8, output_lora_rank=1024, window_tokens=128,
        compress_ratio=0,
    )  # fmt: skip
    far = window.model_copy(update={"compress_ratio": 128})
    near = window.model_copy(update={"compress_ratio": 4, "index_heads": 64, "index_head_dim": 128})
    a, b, c = (sum(mixer_parameters(m, 4096).values()) for m in (window, far, near))
    assert b - a == 2 * 4096 * 512 + 128 * 512 + 512
    assert c > b


def test_recurrent_mixers():
    mamba = mixer_parameters(Mamba2(heads=64, head_dim=64, state_dim=128, groups=8), 2688)
    assert mamba["in"] == 2688 * (4096 + 6144 + 64)
    assert mamba["o"] == 4096 * 2688
    net = GatedDeltaNet(key_heads=16, value_heads=32, key_head_dim=128, value_head_dim=128)
    assert mixer_parameters(net, 2048)["in"] == 2048 * 12288


def test_experts():
    moe = MixtureOfExperts(
        experts=8, top_k=2, expert_width=32, shared_width=64, shared_gate=True, router_bias=True, bias=True
    )
    counts = feed_forward_parameters(moe, 16)
    assert counts.per_expert == 3 * 16 * 32 + 2 * 32 + 16
    assert counts.experts_total == 8 * counts.per_expert
    assert counts.experts_active == 2 * counts.per_expert
    assert counts.router == 16 * 8 + 8
    assert counts.shared == 3 * 16 * 64 + 2 * 64 + 16 + 16
    assert counts.dense == 0
    beside = feed_forward_parameters(MixtureOfExperts(experts=8, top_k=2, expert_width=32, dense_width=64), 16)
    assert beside.dense == 3 * 16 * 64


def test_experts_in_a_latent_width():
    moe = MixtureOfExperts(experts=8, top_k=2, expert_width=32, latent_dim=4, gated=False)
    counts = feed_forward_parameters(moe, 16)
    assert counts.per_expert == 2 * 4 * 32
    assert counts.latent == 2 * 16 * 4


def test_norms_and_streams():
    block = Block(mixer=ATTENTION, feed_forward=DenseFeedForward(width=64))
    assert block_parameters(block, small()).norms == 2 * 16
    assert block_parameters(block, small(norm="layernorm")).norms == 4 * 16
    assert block_parameters(block.model_copy(update={"post_norms": True}), small()).norms == 4 * 16
    assert block_parameters(block, small(residual_streams=4)).norms == 2 * (16 + 24 * (4 * 16 + 1) + 3)


def test_tied_embedding_counts_once():
    tied, apart = model_parameters(small(tied_embeddings=True)), model_parameters(small())
    assert apart.total - tied.total == 1600
    assert tied.active_without_embedding == tied.active
    assert apart.active_without_embedding == apart.active - 1600


def test_learned_positions_are_part_of_the_embedding():
    counts, plain = model_parameters(small(learned_positions=10)), model_parameters(small())
    assert counts.total - plain.total == 160
    assert counts.active_without_embedding == plain.active_without_embedding


def test_multi_token_prediction_is_apart():
    model = small(mtp_depths=2, mtp_block="dense")
    counts = model_parameters(model)
    assert counts.total == model_parameters(small()).total
    assert counts.mtp == 2 * (counts.blocks["dense"].total + mtp_depth_extra_parameters(model))
    assert counts.total_with_mtp == counts.total + counts.mtp
    assert counts.active_with_mtp == counts.active + counts.mtp


@pytest.mark.parametrize("name", catalog.names("models"))
def test_parts_sum_to_the_total(name):
    model = catalog.model(name)
    counts = model_parameters(model)
    layers = sum(block_parameters(model.blocks[kind], model).total for kind in model.layer_kinds())
    per_layer = counts.per_layer_embedding + counts.per_layer_projections
    parts = counts.embedding + counts.head + counts.position + per_layer + counts.final_norm + layers
    assert counts.total == pytest.approx(parts, rel=1e-12)
    assert sum(counts.layers.values()) == model.num_layers
    assert 0 < counts.active_without_embedding <= counts.active <= counts.total <= counts.total_with_mtp


@given(st.sampled_from(["llama3-8b", "qwen3-30b-a3b", "mpt-7b"]), st.integers(1, 200))
def test_layers_of_one_kind_count_linearly(name, num_layers):
    model = catalog.model(name)
    one, many = model_parameters(model.with_layers(1)), model_parameters(model.with_layers(num_layers))
    per_layer = next(iter(one.blocks.values())).total
    assert many.total == pytest.approx(one.total + (num_layers - 1) * per_layer, rel=1e-12)


@given(st.integers(1, 64), st.data())
def test_active_grows_with_top_k_up_to_the_total(experts, data):
    top_k = data.draw(st.integers(1, experts))
    moe = {"kind": "moe", "experts": experts, "top_k": top_k, "expert_width": 32}
    counts = model_parameters(small(blocks={"moe": {"feed_forward": moe}}, layers=[["moe", 2]]))
    assert counts.active <= counts.total
    assert (counts.active == counts.total) == (top_k == experts)
