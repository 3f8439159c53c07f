"""First weights, drawn by name: the same parameter starts equal on whatever rank or stage it is built."""

from __future__ import annotations

import hashlib
from math import sqrt
from typing import Final

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

DEVIATION: Final = 0.02
"""Standard deviation of matrices; those that write to the residual stream have it over sqrt(2 layers), as GPT-2."""

ONES: Final = ("norm.weight", "skip")
ZEROS: Final = ("bias", "sinks")
WRITES_RESIDUAL: Final = (".o.weight", ".down.weight", ".experts.down", ".latent_up.weight")
DECAYS: Final = (1.0, 16.0)
STEP_EXPONENTS: Final = (-3.0, -1.0)
"""Decay rates of the heads of a scan, and powers of ten of their steps: evenly over the ranges of Mamba-2's code."""


def first_value(name: str, shape: torch.Size, seed: int, num_layers: int) -> Tensor:
    """The first value of a parameter in fp32: drawn from seed and name alone."""
    if name.endswith(ONES):
        return torch.ones(shape)
    if name.endswith(ZEROS):
        return torch.zeros(shape)
    if name.endswith("decay_log"):
        return torch.linspace(*DECAYS, shape[0]).log()
    if name.endswith("step_shift"):
        return torch.logspace(*STEP_EXPONENTS, shape[0]).expm1().log()
    drawn = hashlib.sha256(f"{seed} {name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(drawn[:8], "big") >> 1)
    deviation = DEVIATION / sqrt(2 * num_layers) if name.endswith(WRITES_RESIDUAL) else DEVIATION
    if name.endswith("conv.weight"):
        deviation = 1.0 / sqrt(shape[-1])
    return torch.randn(shape, generator=generator) * deviation


@torch.no_grad()
def initialise(module: nn.Module, seed: int, num_layers: int, aliases: dict[str, str] | None = None) -> None:
    """Give every parameter its first value; a cut one takes its part of it. `aliases` names the drawn for the named."""
    for name, parameter in module.named_parameters():
        value = first_value((aliases or {}).get(name, name), parameter.shape, seed, num_layers)
        if isinstance(parameter, DTensor):
            mesh, placements = parameter.device_mesh, parameter.placements
            parameter.copy_(distribute_tensor(value.to(mesh.device_type), mesh, placements, src_data_rank=None))
        else:
            parameter.copy_(value)
