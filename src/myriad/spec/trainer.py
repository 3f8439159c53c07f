"""What the reference trainer is told: one file for all ranks of a run, and one that may change while it runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from myriad.spec.base import Count, CountOrZero, Fraction, Seconds, Spec
from myriad.spec.layout import Layout
from myriad.spec.model import Model


class TrainerOptimizer(Spec):
    """AdamW with a linear warm-up and a cosine decay to a tenth."""

    learning_rate: float = Field(default=3e-4, gt=0)
    beta1: Fraction = 0.9
    beta2: Fraction = 0.95
    weight_decay: float = Field(default=0.1, ge=0)
    warmup_steps: CountOrZero = 10
    clip_norm: float = Field(default=1.0, ge=0)
    """Largest norm of all gradients together; 0 does not clip."""


class TrainerData(Spec):
    """Where tokens come from. The tokens of a step depend on seed and step alone, whatever the layout."""

    text: str | None = None
    """A file whose bytes are the tokens; `None`: the text that comes with the trainer."""
    seed: CountOrZero = 0


class TrainerCheckpoint(Spec):
    """When and where the state is saved."""

    folder: str = "checkpoints"
    """Relative to the folder of the run."""
    interval: Seconds | None = None
    """From the end of one to the start of the next."""
    every_steps: Count | None = None
    """Or by steps; both may be given, whichever comes first."""
    keep: Count = 2
    """The newest so many whole ones stay."""
    asynchronous: bool = False


class TrainerConfig(Spec):
    """One run of the reference trainer."""

    model: Model
    layout: Layout
    seq_len: Count
    global_batch: Count
    steps: Count
    precision: Literal["fp32", "bf16"] = "fp32"
    device: Literal["cpu", "cuda"] = "cpu"
    optimizer: TrainerOptimizer = TrainerOptimizer()
    data: TrainerData = TrainerData()
    checkpoint: TrainerCheckpoint = TrainerCheckpoint()
    folder: str
    """Of the run: events, checkpoints, the control file."""
    seed: CountOrZero = 0
    """Of the first weights."""
    threads: Count = 1
    """Of one rank on a CPU."""
    log_every: Count = 1
    """Steps between lines on standard output; events come with every step."""
    elastic: bool = False
    """Whether there may be fewer ranks than the layout has: `dp` then follows, and the global batch stays."""

    @model_validator(mode="after")
    def _batch_divides(self) -> TrainerConfig:
        at_once = self.layout.dp * self.layout.micro_batch
        if self.global_batch % at_once:
            raise ValueError(f"global_batch: {self.global_batch} is no multiple of dp x micro_batch, {at_once}")
        return self


class TrainerControl(Spec):
    """`control.json` in the folder of a run: what a supervisor asks of a trainer that runs. Read after every step."""

    checkpoint_interval_s: float | None = None
    """In place of the configured one."""
    checkpoint_at_step: int | None = None
    """Save after this step whatever the interval."""
    stop_after_step: int | None = None
    """Save and end with exit code 0 after this step."""
