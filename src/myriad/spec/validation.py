"""Results of judging estimates by measurements: errors in all, by group and row by row."""

from __future__ import annotations

from pydantic import Field

from myriad.spec.base import Fraction, Spec
from myriad.spec.fitted import Bands
from myriad.spec.model import Family

GROUP_KINDS = ("source", "accelerator", "family", "lineage", "precision", "gpus", "stack", "parallelism")
"""What rows are grouped by: `family` is dense, moe or hybrid; `lineage` the name that a line of models shares;
`gpus` the decade of the GPU count."""


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
    left_out_errors: dict[str, float] = Field(default={})
    """The same by fits that left its group out, by `LEFT_OUT_KINDS`; empty for runs that nothing was fitted to."""
    unit: str = "tokens/s/GPU"
    measured_from: str
    """What the source prints and how it became tokens/s."""
    source: str
    model: str
    family: Family
    lineage: str
    accelerator: str
    num_gpus: int
    precision: str
    stack: str
    release: str = ""
    """Of the software, where the catalog tells it from others."""
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
    read_memory_parts_bytes: dict[str, float] | None = None
    """The estimate of what the source prints as its peak, by part: perhaps of the last stage, or without context."""


class PeakError(Spec):
    """One printed memory peak and the estimate of it."""

    id: str
    stack: str
    model: str
    layout: str
    measured_bytes: float
    predicted_bytes: float
    fragmenting_bytes: float
    """What comes and goes in the prediction, where the source counts the gaps that it leaves; else 0."""
    other_bytes: float
    """The rest of the prediction, fragmentation left out."""
    error: float
    """predicted / measured - 1."""


class MemoryGroup(Spec):
    """The memory judgement of one software or accelerator."""

    rows: int
    fitting: int
    least_spare_fraction: float | None
    """Share of the device's memory left over in the fullest run; below 0 it is judged not to fit."""
    peak: GroupError | None
    """`None` where no row prints a peak."""


class MemoryJudgement(Spec):
    """Whether runs that ran are judged to fit, and how near printed peaks are met."""

    rows: int
    """Rows whose layout can be written in full."""
    fitting: int
    fitting_fraction: float
    fitting_with_margin: dict[float, int]
    """Share of the device's memory -> rows judged to leave at least that much of it over."""
    not_fitting: tuple[str, ...]
    """Ids of the runs that ran and are judged not to fit."""
    peak_rows: int
    """Rows that print a memory peak."""
    peak_mean_abs_error: float
    peak_p90_abs_error: float
    peak_bias: float
    peaks: tuple[PeakError, ...]
    """Largest errors first."""
    groups: dict[str, dict[str, MemoryGroup]]
    """`stack` or `accelerator` -> name -> its judgement."""


LEFT_OUT_KINDS = ("lineage", "stack", "accelerator", "gpus")
"""What is left out in turn, group by group, when the estimate is judged by runs that it was not fitted to."""


class LeftOut(Spec):
    """Errors of runs predicted by a fit to all others: every group of one kind was left out in turn."""

    overall: GroupError
    groups: dict[str, GroupError]
    in_band: Fraction | None = None
    """Share of the runs inside the band that their estimate would have stated, the band coming from other runs."""


class Fitted(Spec):
    """What was fitted to the judged runs, and how the estimate does without them."""

    parameters: int
    rows: int
    """Runs fitted."""
    fewest_rows: int
    """Runs that the parameter which the fewest runs bear on has an effect on."""
    bands: Bands
    left_out: dict[str, LeftOut]
    """By `LEFT_OUT_KINDS`."""


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
    fitted: Fitted | None = None
    """For the shipped runs, which the estimate is fitted to."""


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
