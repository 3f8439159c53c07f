"""torchtitan: the TOML that it reads, and a module that registers the described model at its sizes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from myriad.errors import SpecError
from myriad.estimate.placement import chunk_layers
from myriad.launch.arguments import check_flag
from myriad.launch.files import File
from myriad.launch.training.frameworks.checkpoints import KEPT_CHECKPOINTS, interval_steps
from myriad.launch.training.frameworks.layouts import refuse_layout, unfilled_chunks
from myriad.launch.training.frameworks.shape import accepted, shape_of
from myriad.launch.training.frameworks.start import HERE, Start
from myriad.launch.training.frameworks.torchtitan_model import Family, differences, family_of, module_text
from myriad.spec.calibration import Precision
from myriad.spec.engine_flags import EngineFlags
from myriad.spec.trainer import TrainerOptimizer
from myriad.spec.training_launch import TrainingLaunch

MODULE: Final = "myriad_flavor"
"""The file beside the TOML that registers the model."""
Table = dict[str, Any]

_SCHEDULES: Final = {
    ("1f1b", False): "1F1B",
    ("1f1b", True): "Interleaved1F1B",
    ("gpipe", False): "GPipe",
    ("zero-bubble", True): "InterleavedZeroBubble",
    ("zb-v", True): "ZBVZeroBubble",
}
"""By our name, and whether stages hold several chunks."""
_CONVERTERS: Final[dict[Precision, tuple[str, str, str]]] = {
    "fp8": ("float8", "recipe_name", "tensorwise"),
    "fp8-row": ("float8", "recipe_name", "rowwise"),
    "mxfp8": ("mx", "recipe_name", "mxfp8_cublas"),
}

_UNQUANTISED: Final = ["output", "router.gate"]
"""Products that stay in 16 bits, as elsewhere: logits, and the choice of experts."""


def start(launch: TrainingLaunch, flags: EngineFlags) -> tuple[Start, tuple[File, ...]]:
    """What each rank runs and the files that it reads. Raises SpecError for what torchtitan cannot do."""
    check_layout(launch)
    shape = shape_of(launch, flags.name)
    family = family_of(launch, shape)
    _check_work(launch, family)
    notes = (*accepted(launch, flags.name, differences(shape)), *_notes(launch, family))
    settings = config(launch)
    for path, value in _paths(settings):
        check_flag(flags, f"--{path}", value)
    words = ("-m", "torchtitan.train", "--job.config_file", f"{HERE}/torchtitan.toml", *launch.launch.arguments)
    files = (
        File("torchtitan.toml", toml_text(launch, settings, notes)),
        File(f"{MODULE}.py", module_text(launch, shape, family)),
    )
    return Start(words, shown_rank=_shown_rank(launch), modules=True, notes=notes), files


def check_layout(launch: TrainingLaunch) -> None:
    """Raises SpecError for a layout that torchtitan cannot run."""
    layout = launch.layout
    alone = layout.tp * layout.cp * layout.pp * layout.ep == 1
    ranks = layout.dp * layout.cp
    problems = {
        "zero": 0 < layout.zero < 3 and ranks > 1 and "it shards parameters too (ZeRO-3) or, alone, nothing (ZeRO-0)",
        "zero and tp": layout.zero == 0 and ranks > 1 and not alone and "replicas without sharding exclude all else",
        "shard": bool(layout.shard % layout.cp) and "a copy is sharded over whole context-parallel groups",
        "sp": layout.tp > 1 and not layout.sp and "tensor parallelism comes with sequence parallelism",
        "etp": layout.etp not in (1, layout.tp) and "expert-tensor parallel is 1 or tp",
        "schedule": layout.pp > 1 and (layout.schedule, layout.vpp > 1) not in _SCHEDULES and "it has no such schedule",
        "order": layout.order != "tp-cp-ep-dp-pp" and layout.pp > 1 and layout.dp > 1 and "stages are outermost",
        "recompute": not set(layout.recompute) <= {"core_attn", "full", "every_other_product"}
        and "it recomputes nothing, whole layers, or every other product",
        "offload_optimizer": layout.offload_optimizer and "optimizer states alone are not kept in host memory",
        "pp": layout.pp * layout.vpp > 1 and layout.num_micro_batches(launch.work.global_batch) < layout.pp
        and "there are fewer micro-batches than stages",
        "ep and dp": _experts_problem(launch),
        "vpp": unfilled_chunks(launch),
    }  # fmt: skip
    refuse_layout(launch, "torchtitan", problems)


def _check_work(launch: TrainingLaunch, family: Family) -> None:
    """Raises SpecError for what torchtitan stops at, or leaves out, when it starts: precision, switches, optimizer."""
    layout, work = launch.layout, launch.work
    kind, compiled = _CONVERTERS.get(work.precision, ("",))[0], "compile" in work.switches
    needs = (
        ("precision", kind == "float8" and bool(launch.model.routed_experts()) and layout.pp * layout.cp > 1,
         f"{work.precision} of experts needs pp 1 and cp 1"),
        ("precision", kind == "mx" and compiled and layout.tp > 1, f"{work.precision} that is compiled needs tp 1"),
        ("switches", "overlap-tensor" in work.switches and layout.tp > 1 and not compiled,
         "overlap-tensor needs compile"),
        ("switches", "dispatch-once" in work.switches and layout.ep > 1 and (family != "deepseek_v3" or layout.etp > 1),
         "dispatch-once needs multi-latent attention (deepseek_v3) and etp 1"),
    )  # fmt: skip
    for key, lacks, what in needs:
        if lacks:
            raise SpecError(f"{key}: in torchtitan {what}, found {family} on {layout.text()}")


def _experts_problem(launch: TrainingLaunch) -> str:
    """Why the weights of experts cannot be sharded, or empty.

    FSDP2 cuts whole experts over the ranks that hold the same ones; where those are more than the experts, the rows of
    each, which must divide (found by a dry run of 10,000 ranks).
    """
    layout = launch.layout
    for part in launch.model.routed_experts():
        shards = (layout.shard or layout.dp * layout.cp) * layout.tp // (layout.etp * layout.ep)
        rows = (part.expert_width // layout.etp, launch.model.hidden)
        if layout.ep > 1 and layout.zero and shards * layout.ep > part.experts and any(row % shards for row in rows):
            return (
                f"{part.experts // layout.ep} experts of a rank are fewer than the {shards} ranks that shard them, "
                f"which do not divide their {rows[0]} and {rows[1]} rows; shard over fewer ranks (layout.shard)"
            )
    return ""


def config(launch: TrainingLaunch) -> Table:
    """All settings by section, as its TOML nests them."""
    layout, work, ours = launch.layout, launch.work, TrainerOptimizer()
    batches = layout.num_micro_batches(work.global_batch)
    table: Table = {
        "job": {"dump_folder": ".", "description": f"{launch.name}: {launch.model_id}, {layout.text()}"},
        "experimental": {"custom_import": MODULE},
        "metrics": {"log_freq": 1, "disable_color_printing": True},
        "model": {"name": "myriad", "flavor": "planned", "converters": []},
        "optimizer": {"name": "AdamW", "lr": ours.learning_rate, "beta1": ours.beta1, "beta2": ours.beta2,
                      "weight_decay": ours.weight_decay},
        "lr_scheduler": {"warmup_steps": min(ours.warmup_steps, launch.steps - 1), "decay_type": "cosine",
                         "min_lr_factor": 0.1},
        "training": {
            # With stages, torchtitan's local batch is all micro-batches of a step; else what is computed at once.
            "local_batch_size": layout.micro_batch * (batches if layout.pp > 1 else 1),
            "global_batch_size": work.global_batch,
            "seq_len": work.seq_len,
            "steps": launch.steps,
            "max_norm": ours.clip_norm,
            "mixed_precision_param": "float32" if work.precision in ("fp32", "tf32") else "bfloat16",
            "mixed_precision_reduce": "float32",
        },
        "parallelism": _parallelism(launch),
        "checkpoint": {
            "enable": True, "folder": "checkpoints", "interval": interval_steps(launch),
            "keep_latest_k": KEPT_CHECKPOINTS,
            "async_mode": "async" if launch.checkpoint_asynchronous else "disabled", "last_save_model_only": False,
        },
        "activation_checkpoint": _recompute(launch),
        "compile": {"enable": "compile" in work.switches},
        # The first step takes long: memory is allocated, communicators are made.
        "comm": {"init_timeout_seconds": 1800, "train_timeout_seconds": 600},
    }  # fmt: skip
    if launch.launch.tokenizer is not None:
        table["model"]["hf_assets_path"] = launch.launch.tokenizer
    if launch.launch.data is not None:
        # The only loader of its table that takes any folder of records with a text.
        table["training"] |= {"dataset": "c4_test", "dataset_path": launch.launch.data}
    return table | _precision(launch, table["model"]["converters"])


def _parallelism(launch: TrainingLaunch) -> Table:
    layout = launch.layout
    ranks = layout.dp * layout.cp
    shard = 1 if layout.zero == 0 else (layout.shard or ranks) // layout.cp
    table: Table = {
        "data_parallel_replicate_degree": layout.dp // shard,
        "data_parallel_shard_degree": shard,
        "tensor_parallel_degree": layout.tp,
        "context_parallel_degree": layout.cp,
        "pipeline_parallel_degree": layout.pp,
        "enable_async_tensor_parallel": "overlap-tensor" in launch.work.switches and layout.tp > 1,
    }
    if launch.model.routed_experts():
        table |= {"expert_parallel_degree": layout.ep, "expert_tensor_parallel_degree": layout.etp}
        if layout.ep > 1 and "dispatch-once" in launch.work.switches:
            table["expert_parallel_comm_backend"] = "deepep"
    if layout.pp > 1:
        table |= {
            "pipeline_parallel_schedule": _SCHEDULES[layout.schedule, layout.vpp > 1],
            "pipeline_parallel_microbatch_size": layout.micro_batch,
            "module_fqns_per_model_part": modules_by_chunk(launch),
        }
    return table


def modules_by_chunk(launch: TrainingLaunch) -> list[list[str]]:
    """Names of the modules of each pipeline chunk, first to last."""
    model, layout = launch.model, launch.layout
    found, first = list[list[str]](), 0
    without_depths = model.model_copy(update={"mtp_depths": 0})
    in_turn = "count-layers" in launch.work.switches
    for size in chunk_layers(without_depths, layout.pp * layout.vpp, in_turn=in_turn, split=layout.split):
        found.append([f"layers.{layer}" for layer in range(first, first + size)])
        first += size
    found[0].insert(0, "tok_embeddings")
    found[-1] += ["norm", "output"]
    return found


def _recompute(launch: TrainingLaunch) -> Table:
    modules = launch.layout.recompute
    if "full" in modules:
        return {"mode": "full"}
    if "every_other_product" in modules:
        return {"mode": "selective", "selective_ac_option": "op"}
    return {"mode": "none"}


def _precision(launch: TrainingLaunch, converters: list[str]) -> Table:
    precision = launch.work.precision
    if precision in ("bf16", "fp32", "tf32"):
        return {}
    if precision not in _CONVERTERS:
        raise SpecError(f"precision: found {precision!r}; torchtitan has fp32, tf32, bf16, {', '.join(_CONVERTERS)}")
    kind, key, recipe = _CONVERTERS[precision]
    converters.append(f"quantize.linear.{kind}")
    table: Table = {"quantize": {"linear": {kind: {key: recipe, "filter_fqns": _UNQUANTISED}}}}
    if launch.model.routed_experts():
        converters.append(f"quantize.grouped_mm.{kind}")
        table["quantize"]["grouped_mm"] = {kind: {"fqns": ["experts"]}}
    return table


def _shown_rank(launch: TrainingLaunch) -> int:
    """The rank that knows the loss: the first of the last stage; stages are outermost."""
    layout = launch.layout
    last = 0 if layout.schedule == "zb-v" else layout.pp - 1
    return last * (layout.world_size // layout.pp)


def _notes(launch: TrainingLaunch, family: Family) -> tuple[str, ...]:
    notes = [f"the layers are those of torchtitan's {family}; rotary base and initialisation are its own"]
    if launch.launch.data is None:
        notes.append("no launch.data: it trains on made-up tokens")
    elif launch.launch.tokenizer is None:
        raise SpecError("launch.tokenizer: missing; torchtitan reads launch.data as text")
    if "core_attn" in launch.layout.recompute:
        notes.append("core attention is recomputed by its kernel, not by torchtitan")
    return tuple(notes)


def _paths(table: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found = []
    for key, value in table.items():
        path = f"{before}{key}"
        found += _paths(value, f"{path}.") if isinstance(value, Mapping) else [(path, value)]
    return found


def toml_text(launch: TrainingLaunch, settings: Mapping[str, Any], notes: tuple[str, ...]) -> str:
    """The settings as TOML, a table for each section."""
    head = [f"# {launch.name}: {launch.model_id}. Written by myriad launch.", *(f"# Note: {note}" for note in notes)]
    return "\n".join(head) + "\n" + "".join(_tables(settings, ()))


def _tables(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    own = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    lines = [f"\n[{'.'.join(path)}]\n"] if own and path else []
    lines += [f"{key} = {_toml(value)}\n" for key, value in own.items()]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += _tables(value, (*path, key))
    return lines


def _toml(value: Any) -> str:
    """One value; texts, numbers, booleans and lists of them look as in JSON."""
    return json.dumps(value, ensure_ascii=False)
