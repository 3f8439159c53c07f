"""The flagship's job on 10,000 accelerators, rendered for every software and scheduler: what is written, or refused.

Each software gets a layout of 10,000 ranks that it can run; the layout is given, and judged by the plan like any other.
Those that shard over replicas alone cannot hold a layer of the flagship, which their plan says; they get the small
model's job in its place.
Nothing is written and nothing is started.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from myriad import api, catalog
from myriad.errors import MyriadError
from myriad.spec.layout import Layout
from myriad.spec.result import Plan
from myriad.spec.system import System, TrainingJob
from myriad.spec.training_launch import HostsScheduler, KubernetesScheduler, RayScheduler, Scheduler, SlurmScheduler

SYSTEM = Path(__file__).parent.parent / "examples" / "human-car-home.yaml"
FLAGSHIP, SMALL, RANKS = "flagship-pretrain", "device-pretrain", 10_000

_PIPELINE: dict[str, Any] = {"cp": 2, "pp": 25, "ep": 16, "dp": 200}
"""The parallelism that the plan of the whole file chooses, on 200 replicas."""
_SHARDED: dict[str, Any] = {"dp": RANKS, "zero": 3, "recompute": "full"}
LAYOUTS: dict[str, tuple[str, str, str, int, dict[str, Any]]] = {
    "megatron-lm": (FLAGSHIP, "megatron-core", "fp8", 16_400, _PIPELINE),
    "megatron-bridge": (FLAGSHIP, "megatron-bridge", "fp8", 16_400, _PIPELINE),
    "torchtitan": (FLAGSHIP, "torchtitan", "bf16", 16_400, _PIPELINE | {"zero": 3, "shard": 80}),
    "deepspeed": (SMALL, "deepspeed", "bf16", 20_000, _SHARDED),
    "reference": (SMALL, "reference", "bf16", 20_000, _SHARDED),
}
"""Software -> job, stack of the estimate, precision, sequences per step, layout. torchtitan has no fp8 experts on
stages."""
DIFFERENCES: tuple[str, ...] = ("value-width", "sinks", "prediction-block", "window", "prediction-depths")
"""What a software may leave out of the flagship."""

SCHEDULERS: dict[str, Scheduler] = {
    "slurm": SlurmScheduler(partition="train"),
    "kubernetes": KubernetesScheduler(queue="train", topology=("block", "rack"), volume_claim="runs"),
    "kubernetes, TrainJob": KubernetesScheduler(api="trainjob", queue="train", volume_claim="runs"),
    "ray": RayScheduler(address="http://head:8265"),
    "hosts": HostsScheduler(hosts=tuple(f"node{number:04d}" for number in range(RANKS // 8))),
}


def ten_thousand(framework: str) -> Plan:
    """The plan of one software's job on all 10,000 accelerators of the pool."""
    system = catalog.read_spec(SYSTEM, System)
    name, stack, precision, batch, layout = LAYOUTS[framework]
    how = {
        "framework": framework,
        "image": "registry.example/train:1",
        "script": "train.py",
        "differences": DIFFERENCES,
    }
    job = system.jobs[name].model_dump() | {
        "stack": stack, "precision": precision, "global_batch": batch, "layout": Layout(**layout), "pools": ["own"],
        "launch": system.jobs[name].launch.model_dump() | how, "max_gpus": None,
    }  # fmt: skip
    # Beside its spares: without any, waiting for repairs would leave 10,000 accelerators no time to train.
    pool = system.pools["own"]
    pool = pool.model_copy(update={"count": RANKS + pool.spares})
    return api.plan(
        system.model_copy(
            update={
                "pools": {"own": pool}, "services": {}, "jobs": {name: TrainingJob.model_validate(job)},
            }
        )
    )  # fmt: skip


def on(plan: Plan, scheduler: Scheduler) -> Plan:
    """The same plan where the pool is run by another scheduler."""
    assert plan.described is not None
    pool = plan.described.pools["own"].model_copy(update={"scheduler": scheduler})
    return plan.model_copy(update={"described": plan.described.model_copy(update={"pools": {"own": pool}})})


def text() -> str:
    """One line for each software and scheduler."""
    lines = []
    for framework in LAYOUTS:
        plan = ten_thousand(framework)
        for name, scheduler in SCHEDULERS.items():
            try:
                launch = api.training_launch(on(plan, scheduler), steps=1000)
                files = api.training_files(launch)
                made = f"{launch.world_size:,} ranks, {launch.nodes:,} nodes: " + ", ".join(
                    f"{one.path} ({len(one.text):,} bytes)" for one in files
                )
            except MyriadError as error:
                made = f"refused: {error}"
            lines.append(f"{framework:16} {plan.jobs[0].name:18} {name:21} {made}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(f"{text()}\n")
