"""Training work: what one optimizer step computes, whatever the layout."""

from __future__ import annotations

from pydantic import Field

from myriad.spec.base import Count, Spec
from myriad.spec.calibration import Precision, Switch, software_and_release


class Optimizer(Spec):
    """Bytes that one trained parameter needs beside its weight."""

    name: str = "adam"
    weight_bytes: float = Field(default=2.0, ge=0)
    """The copy that the forward pass reads."""
    gradient_bytes: float = Field(default=4.0, ge=0)
    """Accumulated gradient (Megatron: fp32)."""
    master_bytes: float = Field(default=4.0, ge=0)
    """High-precision copy; sharded with the moments."""
    moment_bytes: float = Field(default=8.0, ge=0)
    """All moments together: 8 for Adam in fp32."""
    gradient_reduce_bytes: float = Field(default=4.0, ge=0)
    """Bytes per parameter on the wire when gradients are reduced."""
    step_bytes: float = Field(default=0.0, ge=0)
    """Copies of the gradient that the step makes and drops again, sharded with the moments: 4 where 16-bit gradients
    are cast to fp32, 6 where they are also flattened first (DeepSpeed)."""
    flat_step_copies: bool = False
    """These copies are one tensor each, which finds no place in the gaps that activations left; else they are made
    parameter by parameter and do."""


class TrainingWork(Spec):
    """One optimizer step: batch, sequence, precision, software."""

    seq_len: Count
    global_batch: Count
    """Sequences per optimizer step over the whole job."""
    precision: Precision = "bf16"
    optimizer: Optimizer = Optimizer()
    stack: str = "megatron-core"
    """Catalog id of the training software."""
    switches: tuple[Switch, ...] = ()
    """What of the software is turned on that is off by default."""
    expert_imbalance: float = Field(default=1.0, ge=1)
    """Tokens of the busiest expert rank over the mean; 1 is perfectly balanced."""
    expert_capacity: float | None = Field(default=None, gt=0)
    """Token-drop capacity factor; `None` is dropless."""

    @property
    def software(self) -> str:
        """The software, whatever its release."""
        return software_and_release(self.stack)[0]

    @property
    def release(self) -> str:
        """Its release; empty where none is named."""
        return software_and_release(self.stack)[1]
