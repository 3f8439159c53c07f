"""The module that registers a described model with torchtitan: the nearest of its families, at the sizes described."""

from __future__ import annotations

from typing import Any, Final, Literal

from myriad.errors import SpecError
from myriad.launch.training.frameworks.shape import Shape
from myriad.spec.model import GroupedQueryAttention, MixtureOfExperts, MultiLatentAttention
from myriad.spec.training_launch import Difference, TrainingLaunch

Family = Literal["llama3", "qwen3", "deepseek_v3"]

_CLASSES: Final[dict[Family, tuple[str, str, str, str]]] = {
    "llama3": ("TransformerModelArgs", "Transformer", "parallelize_llama", "llama3"),
    "qwen3": ("Qwen3ModelArgs", "Qwen3Model", "parallelize_qwen3", "qwen3"),
    "deepseek_v3": ("DeepSeekV3ModelArgs", "DeepSeekV3Model", "parallelize_deepseekv3", "deepseek_v3"),
}
"""Arguments, model, what spreads it, and folder."""


def family_of(launch: TrainingLaunch, shape: Shape) -> Family:
    """The family whose layers are nearest. Raises SpecError for sizes that none can have."""
    attention, model = shape.attention, shape.model

    def refuse(what: str) -> SpecError:
        return SpecError(f"model {launch.model_id}: torchtitan has no {what}")

    parts = [part for part in (shape.dense, shape.experts) if part is not None]
    if not all(part.gated for part in parts):
        raise refuse("feed-forward parts without a gate")
    if model.learned_positions:
        raise refuse("learned positions")
    if shape.experts is not None:
        if shape.experts.latent_dim is not None:
            raise refuse("experts on a narrower latent")
        if shape.experts.shared_width % shape.experts.expert_width:
            raise refuse("shared experts of another width than the routed ones")
        if launch.work.expert_capacity is not None:
            raise refuse("capacity of experts: no token is dropped")
    if isinstance(attention, MultiLatentAttention):
        if model.tied_embeddings:
            raise refuse("tied embeddings in deepseek_v3")
        return "deepseek_v3"
    tied_over_stages = model.tied_embeddings and launch.layout.pp > 1
    if tied_over_stages:
        raise refuse("tied embeddings over pipeline stages")
    plain = attention.head_dim * attention.heads == model.hidden and not attention.qk_norm
    return "llama3" if plain and shape.experts is None and not model.tied_embeddings else "qwen3"


def differences(shape: Shape) -> list[Difference]:
    """What its families leave out of the model."""
    attention, found = shape.attention, list[Difference]()
    if shape.window is not None:
        found.append("window")
    if any(shape.sinks):
        found.append("sinks")
    if isinstance(attention, GroupedQueryAttention):
        if attention.v_head_dim not in (None, attention.head_dim):
            found.append("value-width")
        if attention.chunk_tokens is not None:
            found.append("chunks")
        if attention.output_gate:
            found.append("output-gate")
    elif attention.index_top_k:
        found.append("sparse-attention")
    parts = [part for part in (shape.dense, shape.experts) if part is not None]
    qkv, output = getattr(attention, "qkv_bias", False), getattr(attention, "output_bias", False)
    if qkv or output or any(part.bias for part in parts):
        found.append("bias")
    if shape.experts is not None and shape.experts.shared_gate:
        found.append("shared-gate")
    if shape.model.mtp_depths:
        found.append("prediction-depths")
    if shape.post_norms:
        found.append("post-norms")
    if shape.model.norm != "rmsnorm":
        found.append("norm")
    return found


def module_text(launch: TrainingLaunch, shape: Shape, family: Family) -> str:
    """Python that registers the model as `myriad`, flavor `planned`."""
    arguments_class, model_class, parallelize, folder = _CLASSES[family]
    values = _ARGUMENTS[family](shape)
    balanced = shape.experts is not None and shape.experts.router_bias
    optimizers = "build_optimizers_with_moe_load_balancing" if balanced else "build_optimizers"
    experts = ["from torchtitan.models.moe import MoEArgs\n"] if shape.experts is not None else []
    mixed = _mixed(shape, family)
    made_up = launch.launch.data is None
    loaders = (
        "from torch.utils.data import IterableDataset\n"
        "from torchtitan.components.dataloader import ParallelAwareDataloader\n"
        if made_up
        else "from torchtitan.components.tokenizer import build_hf_tokenizer\n"
        "from torchtitan.hf_datasets.text_datasets import build_text_dataloader\n"
    )
    blocks = f"from torchtitan.models.{folder}.model.model import FeedForward\n" if mixed else ""
    return f'''"""Registers {launch.model_id} with torchtitan, as its family {folder}. Written by myriad launch."""

{"import torch" + chr(10) if made_up else ""}{loaders}from torchtitan.components.loss import build_cross_entropy_loss
from torchtitan.components.lr_scheduler import build_lr_schedulers
from torchtitan.components.optimizer import {optimizers}
from torchtitan.distributed.pipeline_parallel import pipeline_llm
from torchtitan.models.{folder}.infra.parallelize import {parallelize}
from torchtitan.models.{folder}.model.args import {arguments_class}
from torchtitan.models.{folder}.model.model import {model_class}
{blocks}{"".join(experts)}from torchtitan.protocols.train_spec import TrainSpec, register_train_spec

PLANNED = {arguments_class}(
{"".join(f"    {name}={value},{chr(10)}" for name, value in values.items())})
{_mixed_text(shape, model_class) if mixed else ""}{_MADE_UP if made_up else ""}
register_train_spec(
    "myriad",
    TrainSpec(
        model_cls={"Model" if mixed else model_class},
        model_args={{"planned": PLANNED}},
        parallelize_fn={parallelize},
        pipelining_fn=pipeline_llm,
        build_optimizers_fn={optimizers},
        build_lr_schedulers_fn=build_lr_schedulers,
        build_dataloader_fn={"made_up_tokens" if made_up else "build_text_dataloader"},
        build_tokenizer_fn={"None" if made_up else "build_hf_tokenizer"},
        build_loss_fn=build_cross_entropy_loss,
    ),
)
'''


def _mixed(shape: Shape, family: Family) -> bool:
    """Whether layers of both kinds come in an order that the family has no argument for."""
    if not any(shape.routed) or all(shape.routed):
        return False
    return family == "qwen3"


def _mixed_text(shape: Shape, model_class: str) -> str:
    dense = [layer for layer, routed in enumerate(shape.routed) if not routed]
    return f'''
DENSE = {dense!r}
"""Layers without experts; the family has experts in all layers or in none."""


class Model({model_class}):
    def __init__(self, model_args):
        super().__init__(model_args)
        for layer in DENSE:
            block = self.layers[str(layer)]
            del block.moe
            block.moe_enabled = False
            block.feed_forward = FeedForward(dim=model_args.dim, hidden_dim=model_args.hidden_dim)

'''


_MADE_UP: Final = '''

class MadeUpTokens(IterableDataset):
    """Random tokens, as many as it takes; each data-parallel rank has its own."""

    def __init__(self, seq_len, seed):
        self.seq_len, self.seed = seq_len, seed

    def __iter__(self):
        random = torch.Generator().manual_seed(self.seed)
        while True:
            tokens = torch.randint(PLANNED.vocab_size, (self.seq_len + 1,), generator=random)
            yield {"input": tokens[:-1]}, tokens[1:]


def made_up_tokens(dp_world_size, dp_rank, tokenizer, job_config):
    training = job_config.training
    return ParallelAwareDataloader(
        MadeUpTokens(training.seq_len, dp_rank), dp_rank, dp_world_size, batch_size=training.local_batch_size
    )

'''


def _llama3(shape: Shape) -> dict[str, Any]:
    attention, dense = shape.attention, shape.dense
    assert isinstance(attention, GroupedQueryAttention)
    assert dense is not None
    # Its width is int(multiplier * int(8 / 3 * dim)), rounded up to a multiple: of the width itself, that is the width.
    return {
        "dim": shape.model.hidden,
        "n_layers": shape.model.num_layers,
        "n_heads": attention.heads,
        "n_kv_heads": attention.kv_heads,
        "vocab_size": shape.model.vocab,
        "multiple_of": dense.width,
        "ffn_dim_multiplier": round(dense.width / int(8 * shape.model.hidden / 3) * 0.99, 6),
    }


def _qwen3(shape: Shape) -> dict[str, Any]:
    attention = shape.attention
    assert isinstance(attention, GroupedQueryAttention)
    values: dict[str, Any] = {
        "dim": shape.model.hidden,
        "n_layers": shape.model.num_layers,
        "n_heads": attention.heads,
        "n_kv_heads": attention.kv_heads,
        "head_dim": attention.head_dim,
        "vocab_size": shape.model.vocab,
        "qk_norm": attention.qk_norm,
        "enable_weight_tying": shape.model.tied_embeddings,
    }
    if shape.dense is not None:
        values["hidden_dim"] = shape.dense.width
    if shape.experts is not None:
        values |= {"moe_enabled": True, "moe_inter_dim": shape.experts.expert_width, "moe_args": _moe(shape.experts)}
    return values


def _deepseek_v3(shape: Shape) -> dict[str, Any]:
    attention, model = shape.attention, shape.model
    assert isinstance(attention, MultiLatentAttention)
    leading = shape.routed.index(True) if any(shape.routed) else model.num_layers
    if not all(shape.routed[leading:]):
        raise SpecError(f"model {model.name}: torchtitan's deepseek_v3 has dense layers only before those with experts")
    values: dict[str, Any] = {
        "dim": model.hidden,
        "n_layers": model.num_layers,
        "n_dense_layers": leading,
        "n_heads": attention.heads,
        "vocab_size": model.vocab,
        "q_lora_rank": attention.q_lora_rank or 0,
        "kv_lora_rank": attention.kv_lora_rank,
        "qk_nope_head_dim": attention.qk_nope_head_dim,
        "qk_rope_head_dim": attention.qk_rope_head_dim,
        "v_head_dim": attention.v_head_dim,
    }
    if shape.dense is not None:
        values["inter_dim"] = shape.dense.width
    if shape.experts is not None:
        values |= {"moe_inter_dim": shape.experts.expert_width, "moe_args": _moe(shape.experts)}
    return values


_ARGUMENTS: Final = {"llama3": _llama3, "qwen3": _qwen3, "deepseek_v3": _deepseek_v3}


def _moe(part: MixtureOfExperts) -> str:
    values: dict[str, Any] = {
        "num_experts": part.experts,
        "num_shared_experts": part.shared_width // part.expert_width,
        "top_k": part.top_k,
        "score_func": '"sigmoid"' if part.router_bias else '"softmax"',
        "route_norm": True,
        "score_before_experts": False,
        "load_balance_coeff": 1e-3 if part.router_bias else None,
    }
    if part.top_groups is not None:
        values |= {"num_expert_groups": part.groups, "num_limited_groups": part.top_groups}
    return f"MoEArgs({', '.join(f'{name}={value}' for name, value in values.items())})"
