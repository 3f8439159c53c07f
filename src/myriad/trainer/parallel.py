"""Where a rank stands in the layout."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import HashStore
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from myriad.errors import SpecError
from myriad.spec.trainer import TrainerConfig

AXES: Final = {"tp-cp-ep-dp-pp": ("pp", "dp", "tp"), "tp-cp-ep-pp-dp": ("dp", "pp", "tp")}
"""Slowest-varying first, as a mesh counts its ranks."""


@dataclass(frozen=True)
class Place:
    """One rank among all."""

    rank: int
    mesh: DeviceMesh
    device: torch.device

    @property
    def axes(self) -> tuple[str, ...]:
        """Of the mesh, slowest-varying first."""
        return self.mesh.mesh_dim_names or ()

    def index(self, axis: str) -> int:
        """Its number along one axis of the layout."""
        return self.mesh.get_local_rank(axis)


def placed(config: TrainerConfig, environment: Mapping[str, str]) -> TrainerConfig:
    """The configuration as these ranks can run it: with `elastic`, as many replicas as there are ranks for.

    Raises SpecError where ranks and layout do not go together.
    """
    layout, ranks = config.layout, int(environment.get("WORLD_SIZE", "1"))
    if ranks == layout.world_size:
        return config
    replica = layout.world_size // layout.dp
    dp, rest = divmod(ranks, replica)
    if not config.elastic or rest or config.global_batch % (dp * layout.micro_batch):
        raise SpecError(f"layout: {layout.text()} takes {layout.world_size} ranks, {ranks} were started")
    shard = 0 if layout.shard == layout.dp else layout.shard  # over all replicas, however many
    return config.model_copy(update={"layout": layout.model_copy(update={"dp": dp, "shard": shard})})


def join(config: TrainerConfig, environment: Mapping[str, str]) -> Place:
    """Meets the other ranks; alone without torchrun. Raises SpecError where a node has fewer GPUs than ranks."""
    rank, ranks = int(environment.get("RANK", "0")), int(environment.get("WORLD_SIZE", "1"))
    device = torch.device(config.device)
    if config.device == "cuda":
        here, gpus = int(environment.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
        if here > gpus:
            raise SpecError(f"device: cuda, but {here} ranks were started where PyTorch sees {gpus} GPUs")
        device = torch.device("cuda", int(environment.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if config.device == "cuda" else "gloo"
    if "MASTER_ADDR" in environment:
        dist.init_process_group(backend)
    else:
        dist.init_process_group(backend, store=HashStore(), rank=rank, world_size=ranks)
    axes = AXES[config.layout.order]
    sizes = tuple(getattr(config.layout, axis) for axis in axes)
    return Place(rank, init_device_mesh(config.device, sizes, mesh_dim_names=axes), device)


def set_deterministic(config: TrainerConfig) -> None:
    """The same numbers in every run of the same layout on the same machines. Nothing draws any but first weights."""
    if config.device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(config.threads)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
