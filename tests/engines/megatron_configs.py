"""Megatron-Core's own configuration classes, given what arguments say. Needs megatron-core, and nothing of Myriad.

    python megatron_configs.py flags               prints the arguments of megatron_arguments.txt as JSON, after looking
                                                   for the field that each sets in the classes of the package, and for
                                                   the name of the argument where they state it
    python megatron_configs.py accept < LINES      reads one JSON list of arguments a line; prints for each `null`, or
                                                   why its classes refuse the values

Megatron-LM's argument parser is in no package: which argument sets which field stands in megatron_arguments.txt. The
classes run their whole validation (`__post_init__`). TransformerEngine needs a GPU to be installed: its version
and its kernels for permuting tokens are pretended to that validation.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.metadata
import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
import torch  # noqa: E402
import torch.nn.functional as functional  # noqa: E402
from megatron.core import utils  # noqa: E402
from megatron.core.distributed import DistributedDataParallelConfig  # noqa: E402
from megatron.core.optimizer import OptimizerConfig  # noqa: E402
from megatron.core.transformer import transformer_config  # noqa: E402
from megatron.core.transformer.moe import moe_utils  # noqa: E402

transformer_config.is_te_min_version = lambda *_, **__: True
utils.is_te_min_version = lambda *_, **__: True
for name in (
    "fused_permute",
    "fused_permute_with_probs",
    "fused_sort_chunks_by_index",
    "fused_unpermute",
    "fused_sort_chunks_by_index_with_probs",
):
    setattr(moe_utils, name, getattr(moe_utils, name, object()))
CLASSES = {
    "model": transformer_config.MLATransformerConfig,
    "ddp": DistributedDataParallelConfig,
    "optimizer": OptimizerConfig,
}
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
PLAIN = {"q_lora_rank", "kv_lora_rank", "qk_head_dim", "qk_pos_emb_head_dim", "v_head_dim"}
"""Fields of multi-latent attention alone."""


def known():
    rows = [line.split() for line in Path(__file__).with_name("megatron_arguments.txt").read_text("utf-8").splitlines()]
    return {flag: (takes, where) for flag, takes, where in (row for row in rows if row and row[0] != "#")}


def flags():
    found = {}
    for flag, (takes, where) in known().items():
        section, _, name = where.partition(".")
        if where != "-":
            fields = {field.name: field for field in dataclasses.fields(CLASSES[section])}
            if name not in fields:
                raise SystemExit(f"{flag}: {CLASSES[section].__name__} has no field {name}")
            called = fields[name].metadata.get("argparse_meta", {}).get("arg_names", [flag])
            if flag not in called:
                raise SystemExit(f"{flag}: {name} is set by {called}")
        found[flag] = {"choices": takes.split("|")} if takes not in ("text", "int", "float", "nothing") else {}
        if takes in ("int", "float", "nothing"):
            found[flag] = {"takes": takes}
    release = importlib.metadata.version("megatron-core")
    return {"engine": "megatron-lm", "release": release, "flags": dict(sorted(found.items()))}


def parsed(arguments):
    """Flag -> its values; every word without dashes belongs to the flag before it."""
    given, names, flag = {}, known(), ""
    for word in arguments:
        if not word.startswith("--"):
            given[flag].append(word)
            continue
        if word not in names or word in given:
            raise ValueError(f"{word}: unknown, or given twice")
        flag, given[word] = word, []
    return given


def value_of(flag, words):
    takes, where = known()[flag]
    name = where.partition(".")[2]
    if takes == "nothing":
        if words:
            raise ValueError(f"{flag} takes nothing")
        return not flag.startswith(("--disable-", "--no-"))
    choices = takes.split("|") if "|" in takes else None
    if choices and not set(words) <= set(choices):
        raise ValueError(f"{flag}: {words} are not among {choices}")
    if name in ("recompute_modules", "cuda_graph_scope"):
        return words
    (word,) = words
    if name == "window_size":
        return tuple(map(int, word.split(",")))
    if name in ("moe_layer_freq", "window_attn_skip_freq"):
        # As Megatron-LM does: a sum of repeated lists, evaluated.
        assert not set(word) - set("[]()*+,01 23456789"), word
        return eval(compile(ast.parse(word, mode="eval"), flag, "eval"))
    if name.endswith("_dtype") and word in DTYPES and where.startswith("optimizer"):
        return DTYPES[word]
    return {"int": int, "float": float}.get(takes, str)(word)


def configs(arguments):
    """The three configurations, validated."""
    values = {"model": {}, "ddp": {}, "optimizer": {}}
    given = parsed(arguments)
    for flag, words in given.items():
        where = known()[flag][1]
        value = value_of(flag, words)
        if where != "-":
            section, _, name = where.partition(".")
            values[section][name] = value
    model = values["model"]
    if model.get("gated_linear_unit"):
        model["activation_func"] = functional.silu
    model["params_dtype"] = torch.bfloat16 if model.get("bf16") else torch.float32
    if model["pipeline_model_parallel_size"] > 1:
        model["pipeline_dtype"] = model["params_dtype"]
    values["optimizer"] |= {
        "bf16": model.get("bf16", False),
        "use_distributed_optimizer": values["ddp"].get("use_distributed_optimizer", False),
    }
    latent = model.get("multi_latent_attention", False)
    if not latent and PLAIN & set(model):
        raise ValueError(f"only multi-latent attention has {PLAIN & set(model)}")
    classes = CLASSES if latent else CLASSES | {"model": transformer_config.TransformerConfig}
    made = {name: classes[name](**values[name]) for name in values}
    _check(given, made["model"])
    for name, wanted in values.items():
        for field, value in wanted.items():
            if field not in ("pipeline_model_parallel_layout", "cuda_graph_scope", "recompute_modules"):
                found = getattr(made[name], field)
                if found != value and not (field == "qk_layernorm" and found):
                    raise ValueError(f"{name}.{field}: given {value}, kept {found}")
    return made


def _check(given, model):
    """What Megatron-LM checks of arguments beside the classes: patterns as long as the model is deep, batches."""
    for pattern in (model.moe_layer_freq, model.window_attn_skip_freq):
        if isinstance(pattern, list) and len(pattern) != model.num_layers:
            raise ValueError(f"a pattern of {len(pattern)} for {model.num_layers} layers")
    layout = model.pipeline_model_parallel_layout
    if layout is not None:
        layout.validate_layer_layout(model.num_layers, model.mtp_num_layers)
    if int(given["--global-batch-size"][0]) % int(given["--micro-batch-size"][0]):
        raise ValueError("micro-batches do not divide the batch")


def main():
    if sys.argv[1] == "flags":
        json.dump(flags(), sys.stdout)
        return
    for line in sys.stdin:
        try:
            configs(json.loads(line))
            said = None
        except Exception as error:  # noqa: BLE001  # whatever it raises is a refusal
            said = f"{type(error).__name__}: {error}"[:500]
        sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
