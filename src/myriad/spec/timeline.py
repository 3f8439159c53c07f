"""The operations of one training step on the stages of its pipeline, one by one."""

from __future__ import annotations

from typing import Literal

from myriad.spec.base import Spec
from myriad.spec.layout import Layout

OPERATION_KINDS = ("forward", "backward", "weight_gradient")
"""Where a schedule splits the backward pass, `backward` is the gradient of inputs alone."""


class Operations(Spec):
    """Operations as columns of equal length, by stage and in the order in which the stage runs them."""

    stage: tuple[int, ...]
    kind: tuple[int, ...]
    """Index into `OPERATION_KINDS`."""
    chunk: tuple[int, ...]
    """Position in the model, 0 first."""
    micro_batch: tuple[int, ...]
    start_s: tuple[float, ...]
    end_s: tuple[float, ...]
    with_next: tuple[bool, ...]
    """Runs together with the next operation: both start and end at once."""


class StageTransfers(Spec):
    """Activations and their gradients on their way, as columns of equal length."""

    kind: tuple[int, ...]
    """What was sent: the result of a forward (0) or of a backward (1)."""
    from_stage: tuple[int, ...]
    to_stage: tuple[int, ...]
    micro_batch: tuple[int, ...]
    start_s: tuple[float, ...]
    end_s: tuple[float, ...]


class StageTimeline(Spec):
    """One stage through the step."""

    stage: int
    busy_s: float
    held_s: float
    """For which sending keeps it from anything else."""
    idle_s: float
    peak_micro_batches: float
    """Activations held at the peak, in micro-batches of the whole stage."""
    peak_activation_bytes: float
    held_time_s: tuple[float, ...]
    held_bytes: tuple[float, ...]
    """Activations held from each time to the next; from the start of a forward to the end of the last operation of its
    backward pass."""


class StepTimeline(Spec):
    """Everything that `myriad timeline` answers: the micro-batches of one step, from first forward to last backward.

    Busy time of the slowest stage, bubble and transfers sum to `pipeline_s`, by timeline and by closed form.
    """

    format: Literal["myriad-timeline-1"] = "myriad-timeline-1"
    version: str
    subject: str
    layout: Layout
    num_micro_batches: int
    pipeline_s: float
    """From the first forward to the end of the last backward."""
    closed_pipeline_s: float
    """The same by the closed forms of the estimate."""
    busy_s: float
    """Of the slowest stage."""
    closed_busy_s: float
    """By the estimate: under DualPipe, where a device has two stages, as if it had the slowest twice."""
    bubble_s: float
    """Idle time of the slowest stage, if transfers took no time."""
    closed_bubble_s: float
    transfers_s: float
    """What transfers add."""
    closed_transfers_s: float
    step_s: float
    """The estimated step with the timeline in place of the closed forms."""
    estimated_step_s: float
    equal_chunks: bool
    within_closed_form: bool
    """Whether the closed form of the bubble is exact for so many micro-batches, if chunks are equal."""
    stages: tuple[StageTimeline, ...]
    operations: Operations
    transfers: StageTransfers
    windows_s: tuple[tuple[float, float], ...]
    """Spans of time whose operations, transfers and activations are here: one if all are, else the start, a part of
    the middle and the end."""
