"""One training step of one layout, opened up: rates, memory stage by stage, operation by operation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.layers import HIDDEN_KINDS, cells_of, recomputed_modules, recomputed_share
from myriad.estimate.operations import (
    Operation,
    Shop,
    block_operations,
    embedding_operations,
    head_operations,
    prediction_operations,
)
from myriad.estimate.placement import places_of, prediction_chunk, predicts_apart, stage_loads
from myriad.estimate.setting import Setting, model_flops_per_token
from myriad.estimate.stages import stage_counts
from myriad.estimate.table import evaluate_one
from myriad.spec.layout import Layout, LayoutTable
from myriad.spec.result import MEMORY_PARTS, TIME_PARTS, OperationTime, StageMemory, TrainingEstimate


def estimate_layout(setting: Setting, layout: Layout) -> TrainingEstimate:
    """One layout, opened up: parts of the time, memory of every stage.

    Raises InfeasibleError if there are too few layers for the pipeline chunks, or if they cannot lie as its split says.
    """
    if setting.model.num_layers + 2 < layout.pp * layout.vpp:
        raise InfeasibleError(f"{setting.model.num_layers} layers cannot fill {layout.pp} stages x {layout.vpp} chunks")
    evaluated = evaluate_one(setting, layout)
    table = evaluated.table
    stages = [evaluated.memory.parts(np.array([stage]))[:, 0] for stage in range(layout.pp)]
    work, device = setting.work, setting.device
    step_s = float(table.step_s[0])
    tokens_per_step = float(work.global_batch) * work.seq_len
    tokens_per_s = tokens_per_step / step_s
    model_flops = model_flops_per_token(setting)
    hardware_flops = model_flops + float(table.recompute_flops_per_token[0])
    peak = device.gemm_flops_per_s
    per_gpu = tokens_per_s / layout.world_size
    peak_bytes = float(table.memory_peak_bytes[0])
    return TrainingEstimate(
        layout=layout,
        world_size=layout.world_size,
        step_s=step_s,
        time_parts_s={p: float(v) for p, v in zip(TIME_PARTS, table.parts_s[:, 0], strict=True)},
        hidden_comm_s={k: float(v) for k, v in zip((*HIDDEN_KINDS, "dp_comm"), table.hidden_s[:, 0], strict=True)},
        tokens_per_step=tokens_per_step,
        tokens_per_s=tokens_per_s,
        tokens_per_s_per_gpu=per_gpu,
        model_flops_per_token=model_flops,
        hardware_flops_per_token=hardware_flops,
        mfu=model_flops * per_gpu / peak,
        hfu=hardware_flops * per_gpu / peak,
        peak_flops_per_s=peak,
        stages=stage_loads(
            setting.model, layout, setting.end_layers, setting.stack.counts_layers, evaluated.stage_s[:, 0]
        ),
        memory=tuple(
            StageMemory(
                stage=s,
                parts_bytes={p: float(v) for p, v in zip(MEMORY_PARTS, parts, strict=True)},
                total_bytes=float(parts.sum()),
            )
            for s, parts in enumerate(stages)
        ),
        memory_capacity_bytes=device.memory_bytes,
        memory_peak_bytes=peak_bytes,
        fits=peak_bytes <= device.memory_bytes,
        num_micro_batches=int(evaluated.num_micro_batches[0]),
        runs_on={},
        lower_bound_s=tokens_per_step * hardware_flops / (layout.world_size * peak),
    )


def layout_operations(setting: Setting, layout: Layout) -> tuple[OperationTime, ...]:
    """Every kind of operation of one step on the slowest stage; equal ones of different blocks are merged.

    The seconds are forward, backward and recomputation; their sum is the compute and recompute parts of
    the step time (host waits and communication are not operations).
    """
    layouts = LayoutTable.from_layouts([layout.without_split()])
    model, work = setting.model, setting.work
    evaluated = evaluate_one(setting, layout)
    stage = int(evaluated.slowest[0])
    micro_batches = float(evaluated.num_micro_batches[0])
    shop = Shop(setting.device, setting.stack, work)
    cells = cells_of(layouts, work)
    recomputed = recomputed_modules(layouts.recompute)
    merged: dict[tuple[str, str], OperationTime] = {}

    def add(operations: Sequence[Operation], times: float, inside_blocks: bool = False) -> None:
        for op in operations:
            again = float(recomputed_share(op, recomputed)[0]) if inside_blocks else 0.0
            seconds = float(((1 + again) * op.forward_s + op.backward_s)[0]) * times * micro_batches
            shape = ", ".join(f"{name} {float(size[0]):,.6g}" for name, size in op.sizes)
            before = merged.get((op.name, shape))
            merged[op.name, shape] = OperationTime(
                name=op.name,
                part=op.part,
                shape=shape,
                calls_per_step=times * micro_batches + (before.calls_per_step if before else 0.0),
                flops=float((3 + again) * op.forward_flops[0]),
                bytes=float(op.forward_bytes[0]),
                seconds_per_step=seconds + (before.seconds_per_step if before else 0.0),
            )

    places = places_of(layout)
    counts = stage_counts(setting, places, layout.split)
    kinds = model.block_kinds()
    if predicts_apart(model, layout.split):
        kinds = (*kinds, str(model.mtp_block))
    predicting = places[prediction_chunk(model, layout.split)]
    # Under DualPipe half of the micro-batches take the stage, and half its mirror.
    taken = {stage: 1.0} if layout.schedule != "dualpipe" else {stage: 0.5, layout.pp - 1 - stage: 0.5}
    for on_stage, share in taken.items():
        for kind, count in zip(kinds, counts[:, on_stage], strict=True):
            if count:
                block = model.blocks[kind]
                add(block_operations(block, model, cells, shop), share * float(count), inside_blocks=True)
        if on_stage == 0:
            add(embedding_operations(model, cells, shop), share)
        if on_stage == places[-1]:
            add(head_operations(model, cells, shop), share * (1.0 + model.mtp_depths))
        if on_stage == predicting:
            add(prediction_operations(model, cells, shop), share * float(model.mtp_depths))
    return tuple(sorted(merged.values(), key=lambda o: -o.seconds_per_step))
