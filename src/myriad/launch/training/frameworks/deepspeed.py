"""DeepSpeed: `ds_config.json` for the user's own script, which has the model."""

from __future__ import annotations

import json
from typing import Any, Final

from myriad.errors import SpecError
from myriad.launch.arguments import check_keys
from myriad.launch.files import File
from myriad.launch.training.frameworks.checkpoints import interval_steps
from myriad.launch.training.frameworks.start import HERE, Start
from myriad.spec.calibration import Precision
from myriad.spec.engine_flags import EngineFlags, OptionKey
from myriad.spec.trainer import TrainerOptimizer
from myriad.spec.training_launch import TrainingLaunch

_PRECISIONS: Final[dict[Precision, dict[str, Any]]] = {
    "fp32": {},
    "tf32": {},
    "bf16": {"bf16": {"enabled": True}},
    "fp16": {"fp16": {"enabled": True}},
}


def start(launch: TrainingLaunch, flags: EngineFlags) -> tuple[Start, tuple[File, ...]]:
    """What each rank runs, and its configuration. Raises SpecError without a script, and for what DeepSpeed lacks."""
    if launch.launch.script is None:
        raise SpecError("launch.script: missing; DeepSpeed has no training script of its own")
    settings = config(launch)
    known = {name: OptionKey(keys=flag.keys) for name, flag in flags.flags.items()}
    check_keys(flags.name, "ds_config.json", known, settings)
    words = (
        launch.launch.script, "--deepspeed", "--deepspeed_config", f"{HERE}/ds_config.json", *launch.launch.arguments
    )  # fmt: skip
    environment = {
        "MYRIAD_STEPS": str(launch.steps),
        "MYRIAD_SEQ_LEN": str(launch.work.seq_len),
        "MYRIAD_CHECKPOINTS": "checkpoints",
        "MYRIAD_CHECKPOINT_STEPS": str(interval_steps(launch)),
    }
    given = {"MYRIAD_DATA": launch.launch.data, "MYRIAD_TOKENIZER": launch.launch.tokenizer}
    environment |= {name: value for name, value in given.items() if value is not None}
    notes = (
        f"model, data, length of sequences, steps and checkpoints are the script's: it reads {', '.join(environment)}",
        *(["whole layers are recomputed: the script has to"] if "full" in launch.layout.recompute else []),
        *(["the model is compiled: the script has to"] if "compile" in launch.work.switches else []),
    )
    file = File("ds_config.json", json.dumps(settings, indent=1) + "\n")
    return Start(words, environment, notes=notes), (file,)


def config(launch: TrainingLaunch) -> dict[str, Any]:
    """The configuration. Raises SpecError for a layout or precision that DeepSpeed's ZeRO alone cannot run."""
    layout, work, ours = launch.layout, launch.work, TrainerOptimizer()
    if layout.tp * layout.cp * layout.pp * layout.ep > 1:
        raise SpecError(
            f"layout: DeepSpeed is rendered for data parallelism (ZeRO) alone, found {layout.text()}; "
            "tensor, context, pipeline and expert parallelism are matters of the script's model"
        )
    if work.precision not in _PRECISIONS:
        raise SpecError(f"precision: found {work.precision!r}; DeepSpeed has {', '.join(_PRECISIONS)}")
    if not set(layout.recompute) <= {"full"}:
        raise SpecError(f"layout.recompute: found {'+'.join(layout.recompute)}; with DeepSpeed it is none or full")
    zero: dict[str, Any] = {"stage": layout.zero}
    if layout.zero:
        zero |= {"overlap_comm": True, "contiguous_gradients": True, "reduce_scatter": True}
    if layout.zero and layout.shard not in (0, layout.dp):
        raise SpecError(f"layout.shard: found {layout.shard}; DeepSpeed shards over all {layout.dp} ranks")
    if layout.offload_optimizer:
        if not layout.zero:
            raise SpecError("layout.offload_optimizer: DeepSpeed offloads sharded states only (ZeRO-1 to 3)")
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": True}
    dtype = "fp32" if work.optimizer.gradient_bytes >= 4 else "bf16"
    return {
        "train_batch_size": work.global_batch,
        "train_micro_batch_size_per_gpu": layout.micro_batch,
        "gradient_accumulation_steps": layout.num_micro_batches(work.global_batch),
        "steps_per_print": 1,
        "gradient_clipping": ours.clip_norm,
        "optimizer": {
            "type": "AdamW",
            "params": {"lr": ours.learning_rate, "betas": [ours.beta1, ours.beta2], "weight_decay": ours.weight_decay},
        },
        "zero_optimization": zero,
        **_PRECISIONS[work.precision],
        "data_types": {"grad_accum_dtype": dtype},
    }
