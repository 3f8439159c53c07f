"""A run of a small job for tests: its launch, its folder, lines as ranks write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout
from myriad.spec.model import Block, DenseFeedForward, GroupedQueryAttention, Model
from myriad.spec.training_launch import LocalScheduler, Promise, TrainingLaunch

MODEL = Model(
    name="tiny",
    hidden=32,
    vocab=256,
    blocks={
        "dense": Block(
            mixer=GroupedQueryAttention(heads=4, kv_heads=2, head_dim=8), feed_forward=DenseFeedForward(width=64)
        )
    },
    layers=(("dense", 2),),
)


def small_launch(name: str = "pretrain", steps: int = 20, **promise: Any) -> TrainingLaunch:
    """A job of four ranks on this machine."""
    promised = {"step_s": 0.1, "tokens_per_step": 512, "model_flops_per_token": 1e5, "peak_flops_per_s": 1e11,
                "memory_peak_bytes": 1e8, "mfu": 0.1} | promise  # fmt: skip
    return TrainingLaunch(
        name=name, system="test", job=name, pool="lab", model_id="tiny", model=MODEL, layout=Layout(dp=4),
        work=TrainingWork(seq_len=64, global_batch=8), steps=steps, accelerator="cpu", node="this", gpus_per_node=4,
        device="cpu",
        nodes=1, scheduler=LocalScheduler(), promise=Promise(**promised),
    )  # fmt: skip


def write_events(folder: Path, life: str, rank: int, *events: dict[str, Any]) -> Path:
    """Appends lines as a rank does; `folder` is that of the run."""
    path = folder / "events" / life / f"rank-{rank:05d}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for event in events:
            file.write(json.dumps({"time_s": 1.0, "rank": rank} | event) + "\n")
    return path


def a_step(step: int, **more: Any) -> dict[str, Any]:
    """One step of a rank, which took a tenth of a second."""
    return {"kind": "step", "step": step, "step_s": 0.1, "own_s": 0.05, "time_s": float(step)} | more
