"""What of a job is no part of the model, as Megatron's configuration classes have it: data, optimizer, checkpoints."""

from __future__ import annotations

import shlex
from typing import Final

from myriad.errors import SpecError
from myriad.launch.training.frameworks.checkpoints import interval_steps
from myriad.launch.training.frameworks.layouts import refuse_layout, unfilled_chunks
from myriad.launch.training.frameworks.megatron_model import Fields, model_fields
from myriad.launch.training.frameworks.shape import shape_of
from myriad.spec.trainer import TrainerOptimizer
from myriad.spec.training_launch import TrainingLaunch

_MANY_QUEUES: Final = ("b200", "b300", "rubin")
"""Accelerators on which kernels need not share one queue for communication to start first."""


def job_fields(launch: TrainingLaunch, framework: str) -> tuple[Fields, tuple[str, ...]]:
    """All fields by section and name, as Megatron-Bridge's `ConfigContainer` calls them, and notes.

    Raises SpecError for what Megatron-Core cannot do.
    """
    _check_layout(launch)
    _check_switches(launch)
    model, notes = model_fields(launch, shape_of(launch, framework), framework)
    sections: dict[str, Fields] = {
        "model": model | _sizes(launch),
        "ddp": _data_parallel(launch),
        "optimizer": _optimizer(launch),
        "scheduler": {
            "lr_decay_style": "cosine",
            "lr_decay_iters": launch.steps,
            "lr_warmup_iters": min(TrainerOptimizer().warmup_steps, launch.steps - 1),
        },
        "train": {
            "micro_batch_size": launch.layout.micro_batch,
            "global_batch_size": launch.work.global_batch,
            "train_iters": launch.steps,
            "eval_iters": 0,
            "manual_gc": True,
            "manual_gc_interval": 100,
        },
        "checkpoint": _checkpoint(launch),
        "dataset": {"seq_length": launch.work.seq_len},
        "logger": {"log_interval": 1, "log_throughput": True},
        # Without stages both orders are one.
        "dist": {"use_tp_pp_dp_mapping": launch.layout.order == "tp-cp-ep-pp-dp" and launch.layout.pp > 1},
    }
    if "graph-step" in launch.work.switches:
        # The host would have to look at the loss within the graph.
        sections["rerun_state_machine"] = {"check_for_nan_in_loss": False}
    fields = {f"{name}.{key}": value for name, section in sections.items() for key, value in section.items()}
    defaults = "learning rate, rotary base, initialisation and balancing of experts are not described: usual ones"
    return fields, (*notes, *_data_notes(launch), defaults)


def environment(launch: TrainingLaunch) -> dict[str, str]:
    """What Megatron reads from the environment."""
    layout, switches = launch.layout, launch.work.switches
    many = (
        ("overlap-experts" in switches and layout.ep > 1)
        or layout.zero == 3
        or any(name in launch.accelerator for name in _MANY_QUEUES)
    )
    # One queue: a collective is launched before the product that it runs beside.
    found = {"CUDA_DEVICE_MAX_CONNECTIONS": "32" if many else "1"}
    if any(switch.startswith("graph-") for switch in switches):
        # Megatron-Core refuses graphs beside expandable segments, which start.sh asks for, without it.
        found["NCCL_GRAPH_REGISTER"] = "0"
    return found


def _check_layout(launch: TrainingLaunch) -> None:
    layout = launch.layout
    problems = {
        "zero": layout.zero == 2 and "gradients alone are not sharded (ZeRO-2)",
        "zero and pp": layout.zero == 3 and layout.pp > 1 and "sharded parameters exclude pipeline stages",
        "schedule": layout.schedule != "1f1b" and f"there is no schedule {layout.schedule}",
        "sp": layout.tp > 1 and not layout.sp and bool(launch.model.routed_experts())
        and "experts under tensor parallelism need sequence parallelism",
        "vpp": unfilled_chunks(launch),
    }  # fmt: skip
    refuse_layout(launch, "Megatron-Core", problems)


def _check_switches(launch: TrainingLaunch) -> None:
    """Raises SpecError for a switch that Megatron-Core's classes refuse beside the layout."""
    layout, switches, depths = launch.layout, launch.work.switches, launch.model.mtp_depths
    overlapped = "overlap-experts" in switches and layout.ep > 1
    needs = (
        ("overlap-tensor", layout.tp > 1 and not layout.sp, "sequence parallelism (layout.sp)"),
        ("overlap-experts", overlapped and layout.pp > layout.vpp == 1, "several chunks on each stage (layout.vpp)"),
        ("overlap-experts", overlapped and "full" in layout.recompute, "layers that are not recomputed whole"),
        ("overlap-experts", overlapped and depths > 1, "at most one prediction depth"),
        ("overlap-experts", overlapped and depths == layout.pp == 1, "stages (layout.pp) with a prediction depth"),
        ("graph-step", overlapped, "exchanges of experts that are not overlapped"),
        ("graph-mixers", "full" in layout.recompute, "layers that are not recomputed whole"),
        ("graph-routers", not {"full", "moe"}.isdisjoint(layout.recompute), "routers that are not recomputed"),
    )
    for switch, lacks, what in needs:
        if switch in switches and lacks:
            raise SpecError(f"switches: {switch} of Megatron-Core needs {what}, found {layout.text()}")


def _sizes(launch: TrainingLaunch) -> Fields:
    model, layout = launch.model, launch.layout
    fields: Fields = {
        "seq_length": launch.work.seq_len,
        "vocab_size": model.vocab,
        # Rows of the embedding as described, where tensor parallelism can cut them evenly.
        "make_vocab_size_divisible_by": 128 if model.vocab % layout.tp else 1,
        "share_embeddings_and_output_weights": model.tied_embeddings,
        "position_embedding_type": "learned_absolute" if model.learned_positions else "rope",
        "cross_entropy_loss_fusion": True,
        "cross_entropy_fusion_impl": "te",
    }
    return fields


def _data_parallel(launch: TrainingLaunch) -> Fields:
    layout, optimizer = launch.layout, launch.work.optimizer
    fields: Fields = {
        "grad_reduce_in_fp32": optimizer.gradient_bytes >= 4,
        "overlap_grad_reduce": True,
        "use_distributed_optimizer": layout.zero > 0,
        "overlap_param_gather": layout.zero > 0,
    }
    if layout.zero == 3:
        fields |= {"use_megatron_fsdp": True, "data_parallel_sharding_strategy": "optim_grads_params"}
    ranks = layout.dp * layout.cp
    if layout.zero and layout.shard not in (0, ranks):
        fields["num_distributed_optimizer_instances"] = ranks // layout.shard
    return fields


def _optimizer(launch: TrainingLaunch) -> Fields:
    ours, planned = TrainerOptimizer(), launch.work.optimizer
    fields: Fields = {
        "optimizer": "adam",
        "lr": ours.learning_rate,
        "min_lr": float(f"{ours.learning_rate / 10:g}"),
        "weight_decay": ours.weight_decay,
        "adam_beta1": ours.beta1,
        "adam_beta2": ours.beta2,
        "clip_grad": ours.clip_norm,
    }
    if planned.moment_bytes not in (8, 4):
        raise SpecError(
            f"optimizer.moment_bytes: found {planned.moment_bytes:g}; Megatron keeps both moments in 8 bytes "
            "(fp32) or 4 (bf16)"
        )
    if planned.moment_bytes == 4 or launch.layout.offload_optimizer:
        if launch.layout.zero == 0:
            raise SpecError("layout.zero: moments in 16 bits or in host memory need the distributed optimizer")
        fields["use_precision_aware_optimizer"] = True
    if planned.moment_bytes == 4:
        fields |= {"exp_avg_dtype": "bf16", "exp_avg_sq_dtype": "bf16"}
    if launch.layout.offload_optimizer:
        fields |= {"optimizer_cpu_offload": True, "optimizer_offload_fraction": 1.0}
    return fields


def _checkpoint(launch: TrainingLaunch) -> Fields:
    sharded = launch.layout.zero == 3
    return {
        "save": "checkpoints",
        "load": "checkpoints",
        "save_interval": interval_steps(launch),
        "ckpt_format": "fsdp_dtensor" if sharded else "torch_dist",
        "async_save": launch.checkpoint_asynchronous and not sharded,
    }


def data_words(data: str) -> list[str]:
    """Names of data, each with its weight before it or all without; quotes hold names with spaces together."""
    return shlex.split(data)


def _data_notes(launch: TrainingLaunch) -> tuple[str, ...]:
    found = []
    if launch.launch.data is None:
        found.append("no launch.data: it trains on made-up tokens")
    if launch.launch.tokenizer is None:
        found.append("no launch.tokenizer: one without text stands in, of the size of the vocabulary")
    if launch.layout.zero == 3 and launch.checkpoint_asynchronous:
        found.append("Megatron's FSDP saves its checkpoints while training waits")
    return tuple(found)
