"""Results of judging estimates by measurements: errors in all, by group and row by row."""

from __future__ import annotations

from typing import Literal

from myriad.spec.base import Spec

GROUP_KINDS = ("source", "accelerator", "family", "precision", "gpus", "stack", "parallelism")
"""What rows are grouped by: `family` is dense, moe or hybrid; `gpus` the decade of the GPU count."""


class GroupError(Spec):
    """Errors of some rows; each error is predicted / measured - 1."""

    rows: int
    mean_abs_error: float
    median_abs_error: float
    p90_abs_error: float
    bias: float
    """Mean signed error: above 0 the estimate promises too much."""


class RowResult(Spec):
    """One measured run and the estimate of it."""

    id: str
    measured: float
    predicted: float
    error: float
    """predicted / measured - 1."""
    unit: str = "tokens/s/GPU"
    measured_from: str
    """What the source prints and how it became tokens/s."""
    source: str
    model: str
    family: Literal["dense", "moe", "hybrid"]
    accelerator: str
    num_gpus: int
    precision: str
    stack: str
    parallelism: str
    layout: str
    """The layout in one line, see `Layout.text`."""
    assumed: tuple[str, ...]
    """What the source leaves open and the rule that filled it."""
    step_s: float
    fits: bool
    memory_peak_bytes: float
    memory_capacity_bytes: float
    judges_memory: bool
    """Whether the layout can be written in full, so that `fits` can be held against the run."""
    measured_memory_peak_bytes: float | None = None


class MemoryJudgement(Spec):
    """Whether runs that ran are judged to fit."""

    rows: int
    """Rows whose layout can be written in full."""
    fitting: int
    fitting_fraction: float
    not_fitting: tuple[str, ...]
    """Ids of the runs that ran and are judged not to fit."""
    peak_rows: int
    """Rows that print a memory peak."""
    peak_mean_abs_error: float
    peak_bias: float


class Validation(Spec):
    """The whole judgement; `per_row` has the largest errors first."""

    rows: int
    predicted: int
    skipped: dict[str, int]
    """Reason -> count."""
    mean_abs_error: float
    median_abs_error: float
    p90_abs_error: float
    bias: float
    groups: dict[str, dict[str, GroupError]]
    """Kind of group (`GROUP_KINDS`) -> name of the group -> its errors."""
    per_row: tuple[RowResult, ...]
    memory: MemoryJudgement


class RankedSet(Spec):
    """The measured layouts of one job, and how well the estimate ranks them."""

    source: str
    model: str
    accelerator: str
    num_gpus: int
    global_batch: int
    seq_len: int
    precision: str
    stack: str
    layouts: int
    spearman: float
    """Rank correlation of predicted and measured step times."""
    regret: float
    """Measured time of the layout ranked first over the best measured one, minus 1."""
    picked: str
    """The layout ranked first, see `Layout.text`."""
    picked_measured_s: float
    best: str
    """The layout measured fastest."""
    best_measured_s: float


class RankingGroup(Spec):
    """Some sets together; every set counts once, whatever its size."""

    sets: int
    layouts: int
    median_spearman: float
    lowest_spearman: float
    mean_regret: float
    worst_regret: float


class RankingValidation(Spec):
    """How well layouts of one job are ranked; `per_set` has the largest regrets first."""

    rows: int
    skipped: dict[str, int]
    """Reason -> count of rows."""
    overall: RankingGroup
    by_source: dict[str, RankingGroup]
    per_set: tuple[RankedSet, ...]
