"""What modules of several kinds share: norms, and tensors as this rank holds them under tensor parallelism."""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Partial, Replicate
from torch.nn.functional import linear, rms_norm

from myriad.spec.model import Model

NORM_EPSILON: Final = 1e-6


class RMSNorm(nn.RMSNorm):
    """A norm in the type of its input: under autocast that is narrower than its weight, which PyTorch does not fuse."""

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=NORM_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)


def norm(model: Model) -> nn.Module:
    """A norm over the model's width: a weight per element, and a bias where it is a layer norm."""
    if model.norm == "layernorm":
        return nn.LayerNorm(model.hidden, eps=NORM_EPSILON)
    return RMSNorm(model.hidden)


def local(parameter: Tensor) -> Tensor:
    """The part of a parameter that this rank has: all of it, unless it was cut."""
    return parameter.to_local() if isinstance(parameter, DTensor) else parameter


def common(tensor: Tensor) -> Tensor:
    """All of a tensor, on every rank of its group, for use in that rank's own part of a sum.

    So is its gradient on each rank a part of a sum only, and marked as such: it is summed where the tensor comes from.
    """
    if not isinstance(tensor, DTensor):
        return tensor
    whole = tensor.redistribute(placements=[Replicate()] * tensor.device_mesh.ndim)
    return whole.to_local(grad_placements=[Partial()] * tensor.device_mesh.ndim)


def num_sharing(tensor: Tensor) -> int:
    """How many ranks have all of a tensor and add what it gives to one sum."""
    return tensor.device_mesh.size() if isinstance(tensor, DTensor) else 1


class CommonLinear(nn.Linear):
    """A projection that no rank has a part of, of rows that are a part of a sum or come from `common`."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, common(self.weight), None if self.bias is None else common(self.bias))
