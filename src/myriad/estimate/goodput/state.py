"""The training state that a checkpoint holds."""

from __future__ import annotations

from myriad.estimate.parameters import model_parameters
from myriad.spec.job import Optimizer
from myriad.spec.model import Model


def state_bytes_per_parameter(optimizer: Optimizer) -> float:
    """Bytes of a checkpoint per trained parameter: weight, its master copy, all moments.

    14 for Adam in mixed precision, as BLOOM kept them; frameworks that save the master copy alone keep 12. Gradients
    are not kept, nor is what the data loader and the generators of random numbers need, which is small.

    >>> state_bytes_per_parameter(Optimizer())
    14.0
    """
    return optimizer.weight_bytes + optimizer.master_bytes + optimizer.moment_bytes


def state_bytes(model: Model, optimizer: Optimizer, per_parameter: float | None = None) -> float:
    """Bytes of a checkpoint of the whole model, its prediction depths included.

    `per_parameter` where it is known; else what the optimizer keeps.
    """
    each = state_bytes_per_parameter(optimizer) if per_parameter is None else per_parameter
    return model_parameters(model).total_with_mtp * each
