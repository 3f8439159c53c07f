"""Configurations are written out with the published figures that matter to a model's shape."""

import math

import pytest

import myriad.catalog as catalog
from myriad.catalog.huggingface import model_from_config, to_entry_yaml
from myriad.errors import SpecError
from myriad.estimate.parameters import model_parameters


def config(architecture: str, layers: int, hidden: int, heads: int, kv_heads: int, vocab: int, **more: object) -> dict:
    return {
        "architectures": [architecture], "num_hidden_layers": layers, "hidden_size": hidden,
        "num_attention_heads": heads, "num_key_value_heads": kv_heads, "vocab_size": vocab,
        "max_position_embeddings": 32768, "tie_word_embeddings": False,
    } | more  # fmt: skip


def latent(q_lora_rank: int | None, **more: object) -> dict:
    return {
        "q_lora_rank": q_lora_rank, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
        "v_head_dim": 128,
    } | more  # fmt: skip


def deepseek_experts(experts: int, top_k: int, width: int, shared: int, dense_layers: int) -> dict:
    return {
        "n_routed_experts": experts, "num_experts_per_tok": top_k, "moe_intermediate_size": width,
        "n_shared_experts": shared, "first_k_dense_replace": dense_layers, "moe_layer_freq": 1,
    }  # fmt: skip


def qwen_experts(experts: int, top_k: int, width: int, shared: int = 0) -> dict:
    return {
        "num_experts": experts, "num_experts_per_tok": top_k, "moe_intermediate_size": width,
        "shared_expert_intermediate_size": shared, "decoder_sparse_step": 1, "mlp_only_layers": [],
    }  # fmt: skip


DELTA_NET = {
    "linear_num_key_heads": 16, "linear_num_value_heads": 32, "linear_key_head_dim": 128,
    "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4,
}  # fmt: skip
LLAMA = config("LlamaForCausalLM", 32, 4096, 32, 8, 128256, intermediate_size=14336)
DEEPSEEK_V3 = config(
    "DeepseekV3ForCausalLM", 61, 7168, 128, 128, 129280, intermediate_size=18432, topk_method="noaux_tc",
    num_nextn_predict_layers=1, n_group=8, topk_group=4, **latent(1536), **deepseek_experts(256, 8, 2048, 1, 3),
)  # fmt: skip
GPT_OSS = config(
    "GptOssForCausalLM", 24, 2880, 64, 8, 201088, head_dim=64, intermediate_size=2880, attention_bias=True,
    num_local_experts=32, num_experts_per_tok=4, sliding_window=128,
    layer_types=["sliding_attention", "full_attention"] * 12,
)  # fmt: skip
MIMO_V2_FLASH = config(
    "MiMoV2FlashForCausalLM", 48, 4096, 64, 4, 152576, head_dim=192, v_head_dim=128, intermediate_size=16384,
    swa_num_attention_heads=64, swa_num_key_value_heads=8, swa_head_dim=192, swa_v_head_dim=128, sliding_window=128,
    hybrid_layer_pattern=[0 if i == 0 or i % 6 == 5 else 1 for i in range(48)], moe_layer_freq=[0] + [1] * 47,
    n_routed_experts=256, num_experts_per_tok=8, moe_intermediate_size=2048, n_shared_experts=None,
    add_swa_attention_sink_bias=True, add_full_attention_sink_bias=False,
)  # fmt: skip
MAMBA = {"mamba_num_heads": 64, "mamba_head_dim": 64, "ssm_state_size": 128, "n_groups": 8, "conv_kernel": 4}
NEMOTRON_3_NANO = config(
    "NemotronHForCausalLM", 52, 2688, 32, 2, 131072, head_dim=128, intermediate_size=1856, n_routed_experts=128,
    hybrid_override_pattern="MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME", num_experts_per_tok=6,
    moe_intermediate_size=1856, moe_shared_expert_intermediate_size=3712, **MAMBA,
)  # fmt: skip

GLM_4_5 = config(
    "Glm4MoeForCausalLM",
    92,
    5120,
    96,
    8,
    151552,
    head_dim=128,
    intermediate_size=12288,
    attention_bias=True,
    use_qk_norm=True,
    num_nextn_predict_layers=1,
    **deepseek_experts(160, 8, 1536, 1, 3),
)

# Name, configuration, published total and active in billions as printed (`None`: nothing that can be compared),
# and whether the active count has the embedding.
FAMILIES = [
    ("Llama 3.1 8B", LLAMA, 8.03, 8.03, True),
    (
        "Mistral 7B",
        config("MistralForCausalLM", 32, 4096, 32, 8, 32000, intermediate_size=14336, sliding_window=4096),
        7.24,
        7.24,
        True,
    ),
    (
        "Mixtral 8x7B",
        config(
            "MixtralForCausalLM",
            32,
            4096,
            32,
            8,
            32000,
            intermediate_size=14336,
            num_local_experts=8,
            num_experts_per_tok=2,
        ),
        46.7,
        12.9,
        True,
    ),
    (
        "Qwen2.5 7B",
        config(
            "Qwen2ForCausalLM",
            28,
            3584,
            28,
            4,
            152064,
            intermediate_size=18944,
            use_sliding_window=False,
            sliding_window=131072,
        ),
        7.62,
        7.62,
        True,
    ),
    (
        "Qwen1.5 MoE A2.7B",
        config(
            "Qwen2MoeForCausalLM", 24, 2048, 16, 16, 151936, intermediate_size=5632, **qwen_experts(60, 4, 1408, 5632)
        ),
        14.3,
        2.7,
        True,
    ),
    (
        "Qwen3 8B",
        config("Qwen3ForCausalLM", 36, 4096, 32, 8, 151936, head_dim=128, intermediate_size=12288),
        8.2,
        8.2,
        True,
    ),
    (
        "Qwen3 235B-A22B",
        config(
            "Qwen3MoeForCausalLM",
            94,
            4096,
            64,
            4,
            151936,
            head_dim=128,
            intermediate_size=12288,
            **qwen_experts(128, 8, 1536),
        ),
        235,
        22,
        True,
    ),
    (
        "Qwen3-Next 80B-A3B",
        config(
            "Qwen3NextForCausalLM",
            48,
            2048,
            16,
            2,
            151936,
            head_dim=256,
            intermediate_size=5120,
            full_attention_interval=4,
            **DELTA_NET,
            **qwen_experts(512, 10, 512, 512),
        ),
        80,
        None,
        True,
    ),
    (
        "DeepSeek-V2",
        config(
            "DeepseekV2ForCausalLM",
            60,
            5120,
            128,
            128,
            102400,
            intermediate_size=12288,
            topk_method="group_limited_greedy",
            **latent(1536),
            **deepseek_experts(160, 6, 1536, 2, 1),
        ),
        236,
        21,
        False,
    ),
    (
        "DeepSeek-V2-Lite",
        config(
            "DeepseekV2ForCausalLM",
            27,
            2048,
            16,
            16,
            102400,
            intermediate_size=10944,
            **latent(None),
            **deepseek_experts(64, 6, 1408, 2, 1),
        ),
        15.7,
        None,
        False,
    ),
    ("DeepSeek-V3", DEEPSEEK_V3, 671, 37, False),
    (
        "Kimi K2",
        config(
            "DeepseekV3ForCausalLM",
            61,
            7168,
            64,
            64,
            163840,
            intermediate_size=18432,
            topk_method="noaux_tc",
            num_nextn_predict_layers=0,
            **latent(1536),
            **deepseek_experts(384, 8, 2048, 1, 1),
        ),
        None,
        32,
        False,
    ),
    ("gpt-oss 20B", GPT_OSS, 20.9, 3.6, False),
    ("MiMo-V2-Flash", MIMO_V2_FLASH, 309, 15, True),
    ("GLM-4.5", GLM_4_5, None, None, False),
    (
        "Nemotron-H 8B",
        config(
            "NemotronHForCausalLM",
            52,
            4096,
            32,
            8,
            131072,
            attention_head_dim=128,
            intermediate_size=21504,
            hybrid_override_pattern="M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-",
            **(MAMBA | {"mamba_num_heads": 128}),
        ),
        8.1,
        8.1,
        True,
    ),
    ("Nemotron 3 Nano", NEMOTRON_3_NANO, 31.6, 3.6, True),
]


def rounding(printed: float) -> float:
    digits = len(str(printed).partition(".")[2])
    return 0.5 * 10.0**-digits


@pytest.mark.parametrize(("name", "given", "total", "active", "with_embedding"), FAMILIES, ids=[f[0] for f in FAMILIES])
def test_counts_are_the_published_ones(name, given, total, active, with_embedding):
    counts = model_parameters(model_from_config(given, name))
    ours = counts.active if with_embedding else counts.active_without_embedding
    for count, printed in ((counts.total, total), (ours, active)):
        if printed is not None:
            assert count / 1e9 == pytest.approx(printed, abs=max(0.005 * printed, rounding(printed)))


def test_glm_counts_without_embedding_and_head():
    """GLM-4.5 prints 355 B with its multi-token-prediction layer and 32 B active, both without embedding and head."""
    counts = model_parameters(model_from_config(GLM_4_5, "GLM-4.5"))
    outside = counts.embedding + counts.head
    assert (counts.total_with_mtp - outside) / 1e9 == pytest.approx(355, abs=0.5)
    assert (counts.active - outside) / 1e9 == pytest.approx(32, abs=0.5)


@pytest.mark.parametrize(("name", "given"), [f[:2] for f in FAMILIES], ids=[f[0] for f in FAMILIES])
def test_entry_file_round_trips(name, given, tmp_path):
    model = model_from_config(given, name)
    path = tmp_path / "own-model.yaml"
    path.write_text(to_entry_yaml(model, "config.json of somebody: 1"), encoding="utf-8")
    entry = catalog.load("models", path)
    assert entry.spec == model
    assert entry.sources["config"].title == "config.json of somebody: 1"


def test_entry_file_quotes_what_needs_it(tmp_path):
    model = model_from_config(LLAMA, "a: b # 模型")
    odd = {"true": model.blocks["dense"], "x, y]": model.blocks["dense"], "密": model.blocks["dense"]}
    layers = (("true", 1), ("x, y]", 2), ("密", 3))
    model = model.model_copy(update={"blocks": odd, "layers": layers})
    path = tmp_path / "odd.yaml"
    path.write_text(to_entry_yaml(model, "x"), encoding="utf-8")
    assert catalog.load("models", path).spec == model


@pytest.mark.parametrize(
    ("name", "given"), [("deepseek-v3", DEEPSEEK_V3), ("gpt-oss-20b", GPT_OSS), ("nemotron-3-nano", NEMOTRON_3_NANO)]
)
def test_catalog_models_are_those_of_their_configurations(name, given):
    ours, entry = model_from_config(given, name), catalog.model(name)
    assert (ours.blocks, ours.layers, ours.mtp_depths) == (entry.blocks, entry.layers, entry.mtp_depths)


def test_layers_are_in_true_order():
    flash = model_from_config(MIMO_V2_FLASH, "flash")
    assert flash.layers[:4] == (("full_dense", 1), ("sliding_moe", 4), ("full_moe", 1), ("sliding_moe", 5))
    assert flash.layer_kinds()[-1] == "full_moe"
    assert flash.blocks["sliding_moe"].mixer.sinks
    assert not flash.blocks["full_moe"].mixer.sinks
    assert model_from_config(NEMOTRON_3_NANO, "nano").layer_kinds()[4:7] == ("mamba", "attention", "moe")


def test_sliding_windows_of_qwen_begin_at_max_window_layers():
    given = config("Qwen2ForCausalLM", 4, 64, 4, 4, 100, intermediate_size=64, sliding_window=8)
    on = model_from_config(given | {"use_sliding_window": True, "max_window_layers": 3}, "x")
    assert on.layers == (("full_dense", 3), ("sliding_dense", 1))
    assert model_from_config(given | {"use_sliding_window": False}, "x").layers == (("dense", 4),)


def test_dense_layers_among_experts():
    given = config(
        "Qwen3MoeForCausalLM", 4, 64, 4, 4, 100, intermediate_size=64, **qwen_experts(4, 2, 32)
    ) | {"mlp_only_layers": [0, 1]}  # fmt: skip
    assert model_from_config(given, "x").layers == (("dense", 2), ("moe", 2))


def test_sparse_attention_indexer():
    indexer = {"index_n_heads": 64, "index_head_dim": 128, "index_topk": 2048}
    given = DEEPSEEK_V3 | indexer | {"architectures": ["DeepseekV32ForCausalLM"]}
    with_it, without = (model_parameters(model_from_config(c, "x")).total for c in (given, DEEPSEEK_V3))
    assert with_it - without == pytest.approx(0.85e9, abs=0.01e9)


def test_multi_token_prediction_of_nemotron_joins_its_parts():
    ahead = {"num_nextn_predict_layers": 1, "mtp_layers_block_type": ["attention", "moe"]}
    model = model_from_config(NEMOTRON_3_NANO | ahead, "x")
    assert model.mtp_block == "mtp"
    assert model.blocks["mtp"].mixer == model.blocks["attention"].mixer
    assert model.blocks["mtp"].feed_forward == model.blocks["moe"].feed_forward


def test_multi_token_prediction_may_have_parts_of_its_own():
    dense = config(
        "NemotronHForCausalLM", 2, 64, 4, 4, 100, intermediate_size=64, hybrid_override_pattern="M-", **MAMBA
    )
    model = model_from_config(dense | {"num_nextn_predict_layers": 1, "mtp_hybrid_override_pattern": "*-"}, "x")
    assert model.blocks["mtp"].mixer.kind == "gqa"
    assert set(model.layer_kinds()) == {"mamba", "mlp"}


def test_pattern_may_come_as_a_list():
    names = {"M": "mamba", "E": "moe", "*": "attention"}
    listed = dict(NEMOTRON_3_NANO)
    listed["layers_block_type"] = [names[x] for x in listed.pop("hybrid_override_pattern")]
    assert model_from_config(listed, "x") == model_from_config(NEMOTRON_3_NANO, "x")


def test_text_config_of_a_multimodal_model():
    shell = {"architectures": ["KimiK25ForConditionalGeneration"], "text_config": DEEPSEEK_V3}
    assert model_from_config(shell, "x") == model_from_config(DEEPSEEK_V3, "x")


def test_model_type_serves_without_architectures():
    given = {k: v for k, v in LLAMA.items() if k != "architectures"}
    assert model_from_config(given | {"model_type": "llama"}, "x") == model_from_config(LLAMA, "x")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "x: expected the mapping of a config.json, found list"),
        ({}, "x: missing key 'architectures'"),
        ({"architectures": []}, "x: architectures: expected a list of names"),
        ({"model_type": ["llama"]}, "is not covered"),
        ({"model_type": "lama"}, "did you mean 'llama'?"),
        ({"architectures": ["LamaForCausalLM"]}, "did you mean 'LlamaForCausalLM'?; covered: LlamaForCausalLM, "),
        ({k: v for k, v in LLAMA.items() if k != "hidden_size"}, "x: missing key 'hidden_size'"),
        ({**LLAMA, "hidden_size": None, "hiden_size": 5}, "did you mean 'hiden_size'?"),
        (LLAMA | {"hidden_size": "4096"}, "x: hidden_size: expected a whole number, 0 or more, found '4096'"),
        (LLAMA | {"hidden_size": 4096.5}, "x: hidden_size: expected a whole number"),
        (LLAMA | {"hidden_size": True}, "x: hidden_size: expected a whole number"),
        (LLAMA | {"vocab_size": -1}, "x: vocab_size: expected a whole number"),
        (LLAMA | {"vocab_size": math.nan}, "x: vocab_size: expected a whole number"),
        (LLAMA | {"vocab_size": 0}, "x: vocab: "),
        (LLAMA | {"num_attention_heads": 0}, "x: heads: "),
        (LLAMA | {"num_hidden_layers": 10**12}, "x: num_hidden_layers: expected 1 to 10000, found 1000000000000"),
        (LLAMA | {"attention_bias": "yes"}, "x: attention_bias: expected true or false, found 'yes'"),
        (GPT_OSS | {"num_experts_per_tok": 64}, "top_k 64 is more than the 32 experts"),
        (DEEPSEEK_V3 | {"topk_group": 16}, "top_groups 16 is more than the 8 groups"),
        (GPT_OSS | {"layer_types": ["full_attention"]}, "x: layer_types: expected 24 layers, found 1"),
        (GPT_OSS | {"layer_types": "full"}, "x: layer_types: expected a list"),
        (GPT_OSS | {"layer_types": ["ful_attention"] * 24}, "x: layer_types: found 'ful_attention', allowed: sliding_"),
        (MIMO_V2_FLASH | {"moe_layer_freq": [[]] * 48}, "x: moe_layer_freq: found [], allowed: 0, 1"),
        (NEMOTRON_3_NANO | {"hybrid_override_pattern": "MX"}, "x: hybrid_override_pattern: expected letters out of"),
        (NEMOTRON_3_NANO | {"hybrid_override_pattern": "ME"}, "num_hidden_layers is 52, but the pattern has 2 layers"),
        (NEMOTRON_3_NANO | {"hybrid_override_pattern": None}, "x: missing key 'layers_block_type'"),
    ],
)  # fmt: skip
def test_wrong_configurations_are_refused_in_one_line(given, message):
    with pytest.raises(SpecError) as caught:
        model_from_config(given, "x")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
