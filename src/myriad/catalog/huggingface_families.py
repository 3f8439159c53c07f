"""From the keys of each family's `config.json` to layers. Each function follows that family's modelling code.

Where a key is absent, the default is the one of the family's configuration class in Hugging Face
transformers. What has no key but is fixed in the modelling code (Qwen2's biases, gpt-oss's sinks)
is written out here.
"""

from __future__ import annotations

from myriad.catalog.huggingface_config import Config, Labelled, LabelledFeedForward, assemble
from myriad.errors import SpecError
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

_ATTENTION_TYPES = ("sliding_attention", "full_attention")


def _attention(c: Config) -> GroupedQueryAttention:
    heads = c.count("num_attention_heads")
    return GroupedQueryAttention(
        heads=heads,
        kv_heads=c.count("num_key_value_heads", default=heads),
        head_dim=c.count("head_dim", "attention_head_dim", default=c.count("hidden_size") // max(heads, 1)),
    )


def _with(attention: GroupedQueryAttention, **update: int | bool | None) -> GroupedQueryAttention:
    return GroupedQueryAttention.model_validate(attention.model_dump() | update)


def _windowed(c: Config, attention: GroupedQueryAttention) -> list[Labelled]:
    """Full attention, or sliding windows where `layer_types` or `use_sliding_window` say so."""
    full: Labelled = ("full", attention)
    if not c.has("sliding_window"):
        return [full] * c.layers()
    sliding: Labelled = ("sliding", _with(attention, window_tokens=c.count("sliding_window")))
    if c.has("layer_types"):
        return [sliding if t == "sliding_attention" else full for t in c.per_layer("layer_types", _ATTENTION_TYPES)]
    if not c.flag("use_sliding_window", False):
        return [full] * c.layers()
    first = c.count("max_window_layers")
    return [sliding if i >= first else full for i in range(c.layers())]


def _dense(c: Config, key: str = "intermediate_size", gated: bool = True) -> LabelledFeedForward:
    return "dense", DenseFeedForward(width=c.count(key), gated=gated, bias=c.flag("mlp_bias", False))


def llama(c: Config) -> Model:
    """Llama 1 to 3: the optional bias is on all four projections."""
    bias = c.flag("attention_bias", False)
    attention = _with(_attention(c), qkv_bias=bias, output_bias=bias)
    return assemble(c, [("full", attention)] * c.layers(), [_dense(c)] * c.layers())


def mistral(c: Config) -> Model:
    """Mistral: a sliding window, if any, is in every layer."""
    window = c.count("sliding_window") if c.has("sliding_window") else None
    attention = _with(_attention(c), window_tokens=window)
    return assemble(c, [("", attention)] * c.layers(), [_dense(c)] * c.layers())


def mixtral(c: Config) -> Model:
    """Mixtral: Mistral with experts in every layer."""
    window = c.count("sliding_window") if c.has("sliding_window") else None
    attention = _with(_attention(c), window_tokens=window)
    moe = MixtureOfExperts(
        experts=c.count("num_local_experts"),
        top_k=c.count("num_experts_per_tok"),
        expert_width=c.count("intermediate_size"),
    )
    return assemble(c, [("", attention)] * c.layers(), [("moe", moe)] * c.layers())


def _qwen_feed_forwards(c: Config, shared: bool) -> list[LabelledFeedForward]:
    """Experts in every `decoder_sparse_step`-th layer that is not among `mlp_only_layers`."""
    if not c.count("num_experts", default=0):
        return [_dense(c)] * c.layers()
    moe = MixtureOfExperts(
        experts=c.count("num_experts"),
        top_k=c.count("num_experts_per_tok"),
        expert_width=c.count("moe_intermediate_size"),
        shared_width=c.count("shared_expert_intermediate_size") if shared else 0,
        shared_gate=shared,
    )
    step = c.count("decoder_sparse_step", default=1)
    dense_only = c.list_of("mlp_only_layers", range(c.layers())) if c.has("mlp_only_layers") else []
    is_moe = [step > 0 and (i + 1) % step == 0 and i not in dense_only for i in range(c.layers())]
    return [("moe", moe) if yes else _dense(c) for yes in is_moe]


def qwen2(c: Config) -> Model:
    """Qwen 1.5 to 2.5, dense or with shared and routed experts: bias on q, k, v only."""
    attention = _with(_attention(c), qkv_bias=c.flag("qkv_bias", True))
    return assemble(c, _windowed(c, attention), _qwen_feed_forwards(c, shared=True))


def qwen3(c: Config) -> Model:
    """Qwen 3, dense or with routed experts: norms on queries and keys."""
    bias = c.flag("attention_bias", False)
    attention = _with(_attention(c), qkv_bias=bias, output_bias=bias, qk_norm=True)
    return assemble(c, _windowed(c, attention), _qwen_feed_forwards(c, shared=False))


def qwen3_next(c: Config) -> Model:
    """Qwen3-Next and Qwen 3.5: gated delta nets, with gated full attention in every fourth layer."""
    bias = c.flag("attention_bias", False)
    attention = _with(_attention(c), qkv_bias=bias, output_bias=bias, qk_norm=True, output_gate=True)
    linear = GatedDeltaNet(
        key_heads=c.count("linear_num_key_heads"),
        value_heads=c.count("linear_num_value_heads"),
        key_head_dim=c.count("linear_key_head_dim"),
        value_head_dim=c.count("linear_value_head_dim"),
        conv_kernel=c.count("linear_conv_kernel_dim"),
    )
    if c.has("layer_types"):
        is_full = [t == "full_attention" for t in c.per_layer("layer_types", ("linear_attention", "full_attention"))]
    else:
        interval = c.count("full_attention_interval", default=4)
        is_full = [interval > 0 and (i + 1) % interval == 0 for i in range(c.layers())]
    mixers: list[Labelled] = [("full", attention) if yes else ("linear", linear) for yes in is_full]
    feed_forwards = _qwen_feed_forwards(c, shared=True)
    mtp = Block(mixer=attention, feed_forward=feed_forwards[-1][1])
    return assemble(c, mixers, feed_forwards, mtp_depths=c.count("mtp_num_hidden_layers", default=0), mtp=mtp)


def _routing_groups(c: Config) -> dict[str, int]:
    """Groups of experts that routing is limited to, where there is more than one."""
    groups, top_groups = c.count("n_group", default=1), c.count("topk_group", default=1)
    return {"groups": groups, "top_groups": top_groups} if groups > 1 else {}


def _deepseek_moe(c: Config, router_bias: bool) -> list[LabelledFeedForward]:
    """Dense layers first, then experts in every `moe_layer_freq`-th layer."""
    expert_width = c.count("moe_intermediate_size")
    moe = MixtureOfExperts(
        experts=c.count("n_routed_experts"),
        top_k=c.count("num_experts_per_tok"),
        expert_width=expert_width,
        shared_width=c.count("n_shared_experts", default=0) * expert_width,
        router_bias=router_bias,
        **_routing_groups(c),
    )
    first, every = c.count("first_k_dense_replace", default=0), c.count("moe_layer_freq", default=1)
    is_moe = [i >= first and every > 0 and i % every == 0 for i in range(c.layers())]
    return [("moe", moe) if yes else _dense(c) for yes in is_moe]


def deepseek(c: Config) -> Model:
    """DeepSeek V2 to V3.2, Kimi K2, GLM-5: latent attention, shared and routed experts, maybe an indexer."""
    attention = MultiLatentAttention(
        heads=c.count("num_attention_heads"),
        q_lora_rank=c.count("q_lora_rank") if c.has("q_lora_rank") else None,
        kv_lora_rank=c.count("kv_lora_rank"),
        qk_nope_head_dim=c.count("qk_nope_head_dim"),
        qk_rope_head_dim=c.count("qk_rope_head_dim"),
        v_head_dim=c.count("v_head_dim"),
        index_heads=c.count("index_n_heads", default=0),
        index_head_dim=c.count("index_head_dim", default=0),
        index_top_k=c.count("index_topk", default=0),
    )
    feed_forwards = _deepseek_moe(c, router_bias=c.values.get("topk_method") == "noaux_tc")
    depths = c.count("num_nextn_predict_layers", default=0)
    return assemble(c, [("", attention)] * c.layers(), feed_forwards, mtp_depths=depths)


def deepseek_v4(c: Config) -> Model:
    """DeepSeek V4: attention over keys folded 4 to 1 (indexed), 128 to 1, or a window only."""

    def attention(ratio: int) -> Labelled:
        indexed = ratio == 4
        label = {0: "window", 4: "sparse", 128: "compressed"}[ratio]
        return label, CompressedAttention(
            heads=c.count("num_attention_heads"),
            head_dim=c.count("head_dim"),
            q_lora_rank=c.count("q_lora_rank"),
            output_groups=c.count("o_groups"),
            output_lora_rank=c.count("o_lora_rank"),
            window_tokens=c.count("sliding_window"),
            compress_ratio=ratio,
            index_heads=c.count("index_n_heads") if indexed else 0,
            index_head_dim=c.count("index_head_dim") if indexed else 0,
            index_top_k=c.count("index_topk") if indexed else 0,
        )

    feed_forwards = _deepseek_moe(c, router_bias=True)
    return assemble(
        c,
        [attention(ratio) for ratio in c.per_layer("compress_ratios", (0, 4, 128))],
        feed_forwards,
        mtp_depths=c.count("num_nextn_predict_layers", default=0),
        mtp=Block(mixer=attention(0)[1], feed_forward=feed_forwards[-1][1]),
        residual_streams=c.count("hc_mult"),
    )


def glm4_moe(c: Config) -> Model:
    """GLM-4.5 and later of its kind: the optional bias is on q, k, v only."""
    attention = _with(_attention(c), qkv_bias=c.flag("attention_bias", False), qk_norm=c.flag("use_qk_norm", False))
    depths = c.count("num_nextn_predict_layers", default=0)
    feed_forwards = _deepseek_moe(c, router_bias=True)
    return assemble(c, [("full", attention)] * c.layers(), feed_forwards, mtp_depths=depths)


def gpt_oss(c: Config) -> Model:
    """gpt-oss: windows in every second layer, sinks, biases on every matrix."""
    bias = c.flag("attention_bias", True)
    attention = _with(_attention(c), qkv_bias=bias, output_bias=bias, sinks=True)
    moe = MixtureOfExperts(
        experts=c.count("num_local_experts"),
        top_k=c.count("num_experts_per_tok"),
        expert_width=c.count("intermediate_size"),
        bias=True,
        router_bias=True,
    )
    return assemble(c, _windowed(c, attention), [("moe", moe)] * c.layers())


def mimo(c: Config) -> Model:
    """MiMo-7B: Qwen 2 with multi-token prediction."""
    attention = _with(_attention(c), qkv_bias=c.flag("attention_bias", True))
    depths = c.count("num_nextn_predict_layers", default=0)
    return assemble(c, _windowed(c, attention), [_dense(c)] * c.layers(), mtp_depths=depths)


def mimo_v2_flash(c: Config) -> Model:
    """MiMo-V2: sliding windows with sinks in layers marked 1, full attention in those marked 0.

    The configuration does not state the multi-token-prediction depths.
    """
    bias = c.flag("attention_bias", False)
    full = _with(
        _attention(c),
        v_head_dim=c.count("v_head_dim"),
        qkv_bias=bias,
        sinks=c.flag("add_full_attention_sink_bias", False),
    )
    sliding = _with(
        full,
        heads=c.count("swa_num_attention_heads"),
        kv_heads=c.count("swa_num_key_value_heads"),
        head_dim=c.count("swa_head_dim"),
        v_head_dim=c.count("swa_v_head_dim"),
        window_tokens=c.count("sliding_window"),
        sinks=c.flag("add_swa_attention_sink_bias", False),
    )
    moe = MixtureOfExperts(
        experts=c.count("n_routed_experts"),
        top_k=c.count("num_experts_per_tok"),
        expert_width=c.count("moe_intermediate_size"),
        router_bias=True,
    )
    return assemble(
        c,
        [("sliding", sliding) if one else ("full", full) for one in c.per_layer("hybrid_layer_pattern", (0, 1))],
        [("moe", moe) if one else _dense(c) for one in c.per_layer("moe_layer_freq", (0, 1))],
    )


def minimax_m2(c: Config) -> Model:
    """MiniMax-M2. Its norms span all heads instead of one: 10 k weights per layer more than counted here."""
    attention = _with(_attention(c), qk_norm=c.flag("use_qk_norm", False))
    moe = MixtureOfExperts(
        experts=c.count("num_local_experts"),
        top_k=c.count("num_experts_per_tok"),
        expert_width=c.count("intermediate_size"),
        router_bias=c.flag("use_routing_bias", True),
    )
    depths = c.count("num_mtp_modules", default=0) if c.flag("use_mtp", False) else 0
    return assemble(c, [("full", attention)] * c.layers(), [("moe", moe)] * c.layers(), mtp_depths=depths)


def llama4(c: Config) -> Model:
    """Llama 4: chunked attention but for every fourth layer; experts in every n-th layer, one shared."""
    attention = _attention(c)
    chunked = _with(attention, chunk_tokens=c.count("attention_chunk_size"))
    moe = MixtureOfExperts(
        experts=c.count("num_local_experts"),
        top_k=c.count("num_experts_per_tok"),
        expert_width=c.count("intermediate_size"),
        shared_width=c.count("intermediate_size"),
    )
    step, interval = c.count("interleave_moe_layer_step"), c.count("nope_layer_interval", default=4)
    dense = _dense(c, "intermediate_size_mlp")
    layers = range(1, c.layers() + 1)
    return assemble(
        c,
        [("full", attention) if interval and i % interval == 0 else ("chunked", chunked) for i in layers],
        [("moe", moe) if step and i % step == 0 else dense for i in layers],
    )


def gemma4(c: Config) -> Model:
    """Gemma 4: wide heads with shared keys in full layers; a dense feed-forward, alone or beside experts."""
    if c.count("hidden_size_per_layer_input"):
        raise SpecError(f"{c.name}: embeddings per layer (hidden_size_per_layer_input) are not covered")
    sliding = _with(_attention(c), qk_norm=True, window_tokens=c.count("sliding_window"))
    full = _with(
        sliding,
        window_tokens=None,
        head_dim=c.count("global_head_dim"),
        kv_heads=c.count("num_global_key_value_heads", default=sliding.kv_heads),
        shared_kv=c.flag("attention_k_eq_v", False),
    )
    feed_forward = _dense(c)
    if c.flag("enable_moe_block", False):
        moe = MixtureOfExperts(
            experts=c.count("num_experts"),
            top_k=c.count("top_k_experts"),
            expert_width=c.count("moe_intermediate_size"),
            dense_width=c.count("intermediate_size"),
        )
        feed_forward = ("moe", moe)
    types = c.per_layer("layer_types", _ATTENTION_TYPES)
    mixers: list[Labelled] = [("sliding", sliding) if t == "sliding_attention" else ("full", full) for t in types]
    return assemble(c, mixers, [feed_forward] * c.layers(), post_norms=True, tied_by_default=True)


_NEMOTRON_LETTERS = {
    "linear_attention": "M",
    "mamba": "M",
    "full_attention": "*",
    "attention": "*",
    "moe": "E",
    "mlp": "-",
}


def _nemotron_letters(c: Config, pattern: str, names: str) -> str:
    """M for Mamba, * for attention, E for experts, - for a dense feed-forward."""
    if c.has(pattern):
        return c.letters(pattern, "M*E-")
    return "".join(_NEMOTRON_LETTERS[t] for t in c.list_of(names, tuple(_NEMOTRON_LETTERS)))


def nemotron_h(c: Config) -> Model:
    """Nemotron-H and Nemotron 3: every layer is one part alone; two matrices, not gated."""
    letters = _nemotron_letters(c, "hybrid_override_pattern", "layers_block_type")
    if c.has("num_hidden_layers") and len(letters) != c.layers():
        raise SpecError(f"{c.name}: num_hidden_layers is {c.layers()}, but the pattern has {len(letters)} layers")
    depths = c.count("num_nextn_predict_layers", default=0)
    ahead = _nemotron_letters(c, "mtp_hybrid_override_pattern", "mtp_layers_block_type") if depths else ""
    bias = c.flag("attention_bias", False)
    attention = _with(_attention(c), qkv_bias=bias, output_bias=bias)
    parts: dict[str, tuple[Labelled, LabelledFeedForward]] = {"*": (("attention", attention), ("", None))}
    if "M" in letters + ahead:
        mamba = Mamba2(
            heads=c.count("mamba_num_heads"),
            head_dim=c.count("mamba_head_dim"),
            state_dim=c.count("ssm_state_size"),
            groups=c.count("n_groups"),
            conv_kernel=c.count("conv_kernel"),
        )
        parts["M"] = (("mamba", mamba), ("", None))
    if "E" in letters + ahead:
        moe = MixtureOfExperts(
            experts=c.count("n_routed_experts"),
            top_k=c.count("num_experts_per_tok"),
            expert_width=c.count("moe_intermediate_size"),
            shared_width=c.count("moe_shared_expert_intermediate_size"),
            gated=False,
            router_bias=True,
            latent_dim=c.count("moe_latent_size") if c.has("moe_latent_size") else None,
        )
        parts["E"] = (("", None), ("moe", moe))
    if "-" in letters + ahead:
        parts["-"] = (("", None), ("mlp", _dense(c, gated=False)[1]))
    mtp = None
    if depths:
        mixer = next((parts[x][0][1] for x in ahead if parts[x][0][1]), None)
        mtp = Block(mixer=mixer, feed_forward=next((parts[x][1][1] for x in ahead if parts[x][1][1]), None))
    mixers, feed_forwards = zip(*(parts[x] for x in letters), strict=True)
    return assemble(c, mixers, feed_forwards, mtp_depths=depths, mtp=mtp)
