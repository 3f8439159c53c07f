"""Results of judging the serving estimate by published runs: three errors a row, in all, by group and row by row."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from myriad.spec.base import Spec
from myriad.spec.model import Family
from myriad.spec.validation import GroupError

ErrorKind = Literal["tpot", "ttft", "throughput"]

ERROR_KINDS: tuple[ErrorKind, ...] = ("tpot", "ttft", "throughput")
"""What is judged: time per output token, time to the first token, tokens/s per GPU."""

SERVING_LEFT_OUT_KINDS = ("model", "accelerator")
"""What fits to the shipped rows leave out, to predict what they have not seen."""

SERVING_GROUP_KINDS = (
    "engine",
    "release",
    "accelerator",
    "model",
    "lineage",
    "family",
    "precision",
    "mode",
    "deployment",
    "concurrency",
    "speculation",
    "source",
)
"""What rows are grouped by: `lineage` is the name that a line of models shares; `deployment` aggregated or
disaggregated; `concurrency` the decade of requests at once; `speculation` how tokens were drafted, or none."""


class ServingRowResult(Spec):
    """One measured run and the estimate of it."""

    id: str
    errors: dict[ErrorKind, float | None]
    """predicted / measured - 1; `None` where the row does not state it."""
    measured: dict[ErrorKind, float | None]
    """Seconds, seconds, tokens/s per GPU."""
    predicted: dict[ErrorKind, float]
    measured_from: str
    """Where the measured throughput comes from; empty without."""
    source: str
    model: str
    family: Family
    lineage: str
    accelerator: str
    num_gpus: int
    precision: str
    engine: str
    release: str
    """Of the engine; empty where the row names none."""
    mode: str
    deployment: Literal["aggregated", "disaggregated"]
    concurrency: int | None
    """Requests at once; `None` where more wait than fit."""
    input_tokens: int
    output_tokens: int
    speculation: str
    layout: str
    """Replicas in one line: `2 x TP4 EP4`, with `prefill` and `decode` where they are apart."""
    assumed: tuple[str, ...]
    """What the source leaves open and the rule that filled it."""
    fits: bool
    saturated: bool
    """Whether the estimate says that requests queue for room."""


class ErrorSummary(Spec):
    """Errors of each kind, `None` where no row states it."""

    tpot: GroupError | None
    ttft: GroupError | None
    throughput: GroupError | None
    ttft_unsaturated: GroupError | None
    """TTFT of rows whose estimate is below saturation: above it, TTFT is a queue whose length the load decides."""


class ServingLeftOut(Spec):
    """Errors of rows by fits that left their group out."""

    overall: ErrorSummary
    groups: dict[str, ErrorSummary]
    """Group that was left out -> the errors of its rows."""


class ServingValidation(Spec):
    """The whole judgement; `per_row` has the largest errors first."""

    rows: int
    predicted: int
    answered_fraction: float
    """Share of rows with an estimate."""
    skipped: dict[str, int]
    """Reason -> count."""
    not_fitting: int
    """Runs that ran and are judged not to fit."""
    overall: ErrorSummary
    groups: dict[str, dict[str, ErrorSummary]]
    """Kind of group (`SERVING_GROUP_KINDS`) -> name of the group -> its errors."""
    per_row: tuple[ServingRowResult, ...]
    left_out: dict[str, ServingLeftOut] = Field(default={})
    """What was left out (`SERVING_LEFT_OUT_KINDS`) -> errors by the rest; of shipped rows alone."""
