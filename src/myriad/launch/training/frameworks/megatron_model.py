"""A model and its layout as Megatron-Core's `TransformerConfig` has them; Megatron-LM and Megatron-Bridge share it."""

from __future__ import annotations

from typing import Final

from myriad.errors import SpecError
from myriad.estimate.placement import chunk_layers, prediction_chunk
from myriad.launch.training.frameworks.shape import Shape, accepted, prediction_block
from myriad.spec.calibration import Precision
from myriad.spec.model import DenseFeedForward, GroupedQueryAttention, MixtureOfExperts, MultiLatentAttention
from myriad.spec.training_launch import Difference, TrainingLaunch

Value = bool | int | float | str | tuple[int, ...] | tuple[str, ...]
Fields = dict[str, Value]
"""Fields of configuration classes; what is not there keeps its default."""

_RECIPES: Final[dict[Precision, tuple[str, str]]] = {
    "fp8": ("hybrid", "tensorwise"),
    "fp8-block": ("hybrid", "blockwise"),
    "mxfp8": ("e4m3", "mxfp8"),
}
"""FP8 format and recipe by precision."""


def model_fields(launch: TrainingLaunch, shape: Shape, framework: str) -> tuple[Fields, tuple[str, ...]]:
    """Fields of the model, and what is trained otherwise than described.

    Raises SpecError for a difference that the job does not accept, or what Megatron-Core cannot do.
    """
    notes = accepted(launch, framework, _differences(shape))
    return (
        _sizes(shape) | _attention(shape) | _feed_forward(shape) | _experts(launch, shape) | _layout(launch)
        | _recompute(launch, shape) | _precision(launch) | _switches(launch, shape),
        notes,
    )  # fmt: skip


def _differences(shape: Shape) -> list[Difference]:
    attention, found = shape.attention, list[Difference]()
    if isinstance(attention, GroupedQueryAttention):
        if attention.v_head_dim not in (None, attention.head_dim):
            found.append("value-width")
        if attention.chunk_tokens is not None:
            found.append("chunks")
        if any(shape.sinks) and not all(shape.sinks):
            found.append("sinks")
    elif attention.index_top_k:
        found.append("sparse-attention")
    if shape.post_norms:
        found.append("post-norms")
    if not _biases_fit(shape):
        found.append("bias")
    block = prediction_block(shape.model)
    last = shape.model.blocks[shape.model.layer_kinds()[-1]]
    if block is not None and block.feed_forward != last.feed_forward:
        found.append("prediction-block")
    return found


def _biases(shape: Shape) -> tuple[bool, bool, bool]:
    """Whether queries, keys and values, the output of attention, and feed-forward products have a bias."""
    attention = shape.attention
    qkv, output = getattr(attention, "qkv_bias", False), getattr(attention, "output_bias", False)
    parts = [part for part in (shape.dense, shape.experts) if part is not None]
    return qkv, output, any(part.bias for part in parts)


def _biases_fit(shape: Shape) -> bool:
    """One switch is for all products but that of queries, keys and values, and turns that on too."""
    qkv, output, feed_forward = _biases(shape)
    parts = [part for part in (shape.dense, shape.experts) if part is not None]
    return output == feed_forward and (qkv or not output) and len({part.bias for part in parts}) == 1


def _sizes(shape: Shape) -> Fields:
    model = shape.model
    fields: Fields = {
        "num_layers": model.num_layers,
        "hidden_size": model.hidden,
        "normalization": "RMSNorm" if model.norm == "rmsnorm" else "LayerNorm",
    }
    if model.mtp_depths:
        fields["mtp_num_layers"] = model.mtp_depths
    return fields


def _attention(shape: Shape) -> Fields:
    attention = shape.attention
    qkv, output, feed_forward = _biases(shape)
    fields: Fields = {
        "num_attention_heads": attention.heads,
        "add_bias_linear": output and feed_forward,
        "add_qkv_bias": qkv,
        # No dropout anywhere: what is described has none.
        "hidden_dropout": 0.0,
        "attention_dropout": 0.0,
    }
    if isinstance(attention, MultiLatentAttention):
        fields |= {
            "multi_latent_attention": True,
            "kv_lora_rank": attention.kv_lora_rank,
            "qk_head_dim": attention.qk_nope_head_dim,
            "qk_pos_emb_head_dim": attention.qk_rope_head_dim,
            "v_head_dim": attention.v_head_dim,
            # Latents are normed, as DeepSeek does; it is this switch that does it.
            "qk_layernorm": True,
        }
        if attention.q_lora_rank is not None:
            fields["q_lora_rank"] = attention.q_lora_rank
        return fields
    fields |= {
        "num_query_groups": attention.kv_heads,
        "kv_channels": attention.head_dim,
        "qk_layernorm": attention.qk_norm,
        "attention_output_gate": attention.output_gate,
    }
    if shape.window is not None:
        # Tokens to the left of the query itself, and to its right.
        fields["window_size"] = (shape.window - 1, 0)
        if None in shape.windows:
            fields["window_attn_skip_freq"] = tuple(int(window is not None) for window in shape.windows)
    if all(shape.sinks):
        fields["softmax_type"] = "learnable"
    return fields


def _feed_forward(shape: Shape) -> Fields:
    part: DenseFeedForward | MixtureOfExperts | None = shape.dense or shape.experts
    assert part is not None
    width = part.width if isinstance(part, DenseFeedForward) else part.expert_width
    return {"ffn_hidden_size": width, "gated_linear_unit": part.gated}


def _experts(launch: TrainingLaunch, shape: Shape) -> Fields:
    part, layout, work = shape.experts, launch.layout, launch.work
    if part is None:
        return {}
    once = layout.ep > 1 and (work.software == "megatron-bridge" or "dispatch-once" in work.switches)
    fields: Fields = {
        "num_moe_experts": part.experts,
        "moe_router_topk": part.top_k,
        "moe_ffn_hidden_size": part.expert_width,
        "moe_layer_freq": tuple(int(routed) for routed in shape.routed),
        "moe_grouped_gemm": True,
        "moe_permute_fusion": True,
        "moe_token_dispatcher_type": "flex" if once else "alltoall",
        "moe_router_dtype": "fp32",
    }
    if once:
        fields["moe_flex_dispatcher_backend"] = "deepep"
    if part.router_bias:
        # A bias per expert that balances them, and sigmoid scores, which alone it goes with.
        fields |= {
            "moe_router_score_function": "sigmoid",
            "moe_router_enable_expert_bias": True,
            "moe_router_load_balancing_type": "seq_aux_loss",
            "moe_aux_loss_coeff": 1e-4,
        }
    else:
        fields |= {"moe_router_load_balancing_type": "aux_loss", "moe_aux_loss_coeff": 1e-3}
        if part.top_k == 1:
            fields["moe_router_pre_softmax"] = True
    if part.top_groups is not None:
        fields |= {"moe_router_num_groups": part.groups, "moe_router_group_topk": part.top_groups}
    if part.shared_width:
        fields["moe_shared_expert_intermediate_size"] = part.shared_width
        fields["moe_shared_expert_gate"] = part.shared_gate
    if part.latent_dim is not None:
        fields["moe_latent_size"] = part.latent_dim
    if work.expert_capacity is not None:
        fields |= {"moe_expert_capacity_factor": work.expert_capacity, "moe_pad_expert_input_to_capacity": not once}
    return fields


def _layout(launch: TrainingLaunch) -> Fields:
    layout = launch.layout
    fields: Fields = {
        "tensor_model_parallel_size": layout.tp,
        "pipeline_model_parallel_size": layout.pp,
        "context_parallel_size": layout.cp,
        "sequence_parallel": layout.sp and layout.tp > 1,
    }
    if layout.cp > 1:
        fields["cp_comm_type"] = "p2p"
    if launch.model.routed_experts():
        fields |= {"expert_model_parallel_size": layout.ep, "expert_tensor_parallel_size": layout.etp}
    chunks = layout.pp * layout.vpp
    if layout.pp > 1 and (layout.split or launch.model.num_layers % chunks):
        fields["pipeline_model_parallel_layout"] = stages_text(launch)
    elif layout.vpp > 1:
        fields["virtual_pipeline_model_parallel_size"] = layout.vpp
    return fields


def stages_text(launch: TrainingLaunch) -> str:
    """What lies on each chunk: E embedding, t layer, m prediction depth, L loss; chunks end at |."""
    model, layout = launch.model, launch.layout
    chunks = layout.pp * layout.vpp
    in_turn = "count-layers" in launch.work.switches
    sizes = chunk_layers(model, chunks, end_layers=1 + model.mtp_depths, in_turn=in_turn, split=layout.split)
    predicting = prediction_chunk(model, layout.split) % chunks
    return "|".join(
        ("E" if chunk == 0 else "")
        + _times("t", size)
        + (_times("m", model.mtp_depths) if chunk == predicting else "")
        + ("L" if chunk == chunks - 1 else "")
        for chunk, size in enumerate(sizes)
    )


def _times(what: str, count: int) -> str:
    return f"{what}*{count}" if count > 2 else what * count


def _recompute(launch: TrainingLaunch, shape: Shape) -> Fields:
    modules = launch.layout.recompute
    if not modules:
        return {}
    if "every_other_product" in modules:
        raise SpecError("layout.recompute: Megatron-Core does not recompute by operation")
    if "full" in modules:
        return {"recompute_granularity": "full", "recompute_method": "uniform", "recompute_num_layers": 1}
    if "mla_up_proj" in modules and not isinstance(shape.attention, MultiLatentAttention):
        raise SpecError("layout.recompute: mla_up_proj is of multi-latent attention, which the model has not")
    if "moe_act" in modules and shape.experts is None:
        raise SpecError("layout.recompute: moe_act is of experts, which the model has not")
    return {"recompute_granularity": "selective", "recompute_modules": modules}


def _precision(launch: TrainingLaunch) -> Fields:
    precision = launch.work.precision
    if precision in ("fp32", "tf32"):
        return {}
    if precision == "fp16":
        return {"fp16": True}
    fields: Fields = {"bf16": True}
    if precision in _RECIPES:
        fields["fp8"], fields["fp8_recipe"] = _RECIPES[precision]
        if launch.work.optimizer.weight_bytes < 2:
            fields["fp8_param"] = True
        if launch.model.routed_experts():
            fields["moe_router_padding_for_quantization"] = True
    elif precision == "nvfp4":
        fields |= {"fp4": "e2m1", "fp4_recipe": "nvfp4"}
    elif precision != "bf16":
        known = ["fp32", "tf32", "fp16", "bf16", *_RECIPES, "nvfp4"]
        raise SpecError(f"precision: Megatron-Core has no recipe for {precision!r}; allowed: {', '.join(known)}")
    return fields


def _switches(launch: TrainingLaunch, shape: Shape) -> Fields:
    switches, fields = launch.work.switches, Fields()
    if "overlap-tensor" in switches and launch.layout.tp > 1:
        fields["tp_comm_overlap"] = True
    if "overlap-experts" in switches and launch.layout.ep > 1:
        fields["overlap_moe_expert_parallel_comm"] = True
    scopes = (("attn",) if "graph-mixers" in switches else ()) + (
        ("moe_router", "moe_preprocess") if "graph-routers" in switches and shape.experts is not None else ()
    )
    if "graph-step" in switches:
        fields |= {"cuda_graph_impl": "local", "cuda_graph_scope": ("full_iteration",)}
    elif scopes:
        fields |= {"cuda_graph_impl": "transformer_engine", "cuda_graph_scope": scopes}
    if "cuda_graph_impl" in fields:
        fields["use_te_rng_tracker"] = True
    return fields
