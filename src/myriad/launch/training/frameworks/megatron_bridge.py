"""Megatron-Bridge (NeMo): a script that fills its `ConfigContainer` and trains."""

from __future__ import annotations

from pprint import pformat
from typing import Any, Final

from myriad.launch.arguments import check_flag
from myriad.launch.files import File
from myriad.launch.training.frameworks.checkpoints import KEPT_CHECKPOINTS
from myriad.launch.training.frameworks.megatron_job import data_words, environment, job_fields
from myriad.launch.training.frameworks.megatron_model import Value
from myriad.launch.training.frameworks.start import HERE, Start
from myriad.spec.engine_flags import EngineFlags
from myriad.spec.training_launch import TrainingLaunch

_CLASSES: Final = {
    "ddp": "DistributedDataParallelConfig",
    "optimizer": "OptimizerConfig",
    "scheduler": "SchedulerConfig",
    "train": "TrainingConfig",
    "checkpoint": "CheckpointConfig",
    "logger": "LoggerConfig",
    "tokenizer": "TokenizerConfig",
    "dist": "DistributedInitConfig",
    "rerun_state_machine": "RerunStateMachineConfig",
}
"""Sections of the container that are made from fields alone, and their classes; the last only where it is asked for."""

_BLEND: Final = "from megatron.core.datasets.utils import get_blend_from_list\n"
_MOMENTS: Final = 'OPTIMIZER |= {"exp_avg_dtype": torch.bfloat16, "exp_avg_sq_dtype": torch.bfloat16}\n'


def start(launch: TrainingLaunch, flags: EngineFlags) -> tuple[Start, tuple[File, ...]]:
    """What each rank runs, and the script. Raises SpecError for what the release does not know or cannot do."""
    fields, notes = job_fields(launch, flags.name)
    sections = _sections(launch, fields)
    for section, values in sections.items():
        for key, value in values.items():
            check_flag(flags, f"{section}.{key}", value)
    words = (f"{HERE}/pretrain.py", *launch.launch.arguments)
    text = _script(launch, sections, notes)
    return Start(words, environment(launch), notes=notes), (File("pretrain.py", text),)


def _sections(launch: TrainingLaunch, fields: dict[str, Value]) -> dict[str, dict[str, Value]]:
    found: dict[str, dict[str, Value]] = {}
    for path, value in fields.items():
        section, _, key = path.partition(".")
        found.setdefault(section, {})[key] = value
    model, tokenizer = found["model"], launch.launch.tokenizer
    if model.get("bf16") or model.get("fp16"):
        kind = "bf16" if model.get("bf16") else "fp16"
        found["optimizer"][kind] = True
    found["optimizer"]["use_distributed_optimizer"] = found["ddp"]["use_distributed_optimizer"]
    found["tokenizer"] = (
        {"tokenizer_type": "NullTokenizer", "vocab_size": launch.model.vocab - 1}
        if tokenizer is None
        else {"tokenizer_type": "HuggingFaceTokenizer", "tokenizer_model": tokenizer}
    )
    found["dataset"] |= {"random_seed": 1234, "reset_position_ids": False, "reset_attention_mask": False,
                         "eod_mask_loss": False, "num_workers": 8}  # fmt: skip
    if launch.launch.data is not None:
        found["dataset"]["split"] = "100,0,0"
    model |= _on_in_megatron_lm(launch, model)
    if model.get("fp8"):
        found["optimizer"]["fp8_recipe"] = model["fp8_recipe"]
        found["ddp"]["fp8_param_gather"] = bool(model.get("fp8_param"))
    found["checkpoint"]["most_recent_k"] = KEPT_CHECKPOINTS
    if launch.layout.zero == 3:
        found["dist"]["use_megatron_fsdp"] = True
        model["gradient_accumulation_fusion"] = False
    return found


def _on_in_megatron_lm(launch: TrainingLaunch, model: dict[str, Value]) -> dict[str, Value]:
    """What Megatron-LM does unless told otherwise, and Megatron-Bridge's own recipes turn on one by one."""
    found: dict[str, Value] = {
        "should_pad_vocab": True,  # to multiples of make_vocab_size_divisible_by and tp
        "bias_activation_fusion": bool(model["gated_linear_unit"] or model["add_bias_linear"]),
        "bias_dropout_fusion": True,
    }
    if model["position_embedding_type"] == "rope" and not model.get("multi_latent_attention"):
        found["apply_rope_fusion"] = True
    if launch.layout.vpp > 1:
        found |= {"overlap_p2p_comm": True, "batch_p2p_comm": False}
    return found


def _script(launch: TrainingLaunch, sections: dict[str, dict[str, Value]], notes: tuple[str, ...]) -> str:
    model = sections["model"]
    latent = bool(model.pop("multi_latent_attention", False))
    provider, module = ("MLAModelProvider", "mla_provider") if latent else ("GPTModelProvider", "gpt_provider")
    dataset = "MockGPTDatasetConfig" if launch.launch.data is None else "GPTDatasetConfig"
    made_from = {name: of for name, of in _CLASSES.items() if name in sections}
    classes = sorted({*made_from.values(), dataset, "ConfigContainer"} - {"TokenizerConfig"})
    tables = "".join(f"{name.upper()} = {_literal(values)}\n" for name, values in sections.items())
    data = launch.launch.data
    # It tells weights from names as Megatron-LM does.
    blend = "" if data is None else f", blend=get_blend_from_list({data_words(data)!r})"
    kind = "bfloat16" if model.get("bf16") else "float16" if model.get("fp16") else "float32"
    made = "".join(f"        {name}={of}(**{name.upper()}),\n" for name, of in made_from.items())
    return f'''"""{launch.name}: {launch.model_id}, {launch.layout.text()}. Written by myriad launch.

{"".join(f"Note: {note}{chr(10)}" for note in notes)}"""

import torch
import torch.nn.functional as functional
from megatron.bridge.models.{module} import {provider}
from megatron.bridge.training.config import (
{"".join(f"    {name},{chr(10)}" for name in classes)})
from megatron.bridge.training.gpt_step import forward_step
from megatron.bridge.training.pretrain import pretrain
from megatron.bridge.training.tokenizers.config import TokenizerConfig
{"" if data is None else _BLEND}
{tables}
MODEL |= {{"params_dtype": torch.{kind}, "pipeline_dtype": torch.{kind}}}
if MODEL["gated_linear_unit"]:
    MODEL["activation_func"] = functional.silu
{_MOMENTS if "exp_avg_dtype" in sections["optimizer"] else ""}
if __name__ == "__main__":
    config = ConfigContainer(
        model={provider}(**MODEL),
        dataset={dataset}(**DATASET{blend}),
{made}    )
    pretrain(config, forward_step)
'''


def _literal(values: dict[str, Any]) -> str:
    """As Python has it; lists where Megatron's classes ask for lists."""
    lists = {key: list(value) if isinstance(value, tuple) and key != "window_size" else value
             for key, value in values.items()}  # fmt: skip
    return pformat(lists, width=100, sort_dicts=False, compact=True)
