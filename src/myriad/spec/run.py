"""A run: one job that was started, what happened to it, and how it compares with its promise.

A run has submissions (what a scheduler was given), and each of these has lives: a scheduler that requeues, or an
elastic agent, starts the ranks again within one submission. Ranks write events; the supervisor reads them and adds
its own.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from myriad.spec.base import Spec
from myriad.spec.training_launch import Promise

RunState = Literal["created", "queued", "running", "restarting", "finished", "failed", "cancelled"]

ENDED: Final[tuple[RunState, ...]] = ("finished", "failed", "cancelled")

RankEventKind = Literal["start", "step", "wait", "checkpoint", "finish", "error"]
SupervisorEventKind = Literal[
    "created", "submitted", "adopted", "queued", "running", "exit", "node-failed", "hang", "slow-rank",
    "slow-recovered", "unhealthy-node", "restart", "retuned", "cancel", "finished", "failed", "cancelled", "trouble",
]  # fmt: skip
"""`trouble` is anything that the supervisor met and went on from: a scheduler that did not answer, a full disk."""


class RankEvent(Spec):
    """One line of `events/LIFE/rank-00000.jsonl`, which a rank appends to and flushes.

    LIFE is `SSS.RRR`: the number of the submission, and how often ranks were started again within it, both from 0
    (environment MYRIAD_SUBMISSION, and TORCHELASTIC_RESTART_COUNT plus SLURM_RESTART_COUNT). Every rank writes
    `start`, `step` and `error`, and `wait` from within a wait for others that lasts for a minute; rank 0 also
    `checkpoint` and `finish`.
    """

    kind: RankEventKind
    time_s: float
    """Unix time at the end of what happened."""
    rank: int
    step: int | None = None
    """Steps count from 1; of `start` the step that was restored, 0 without a checkpoint; of `wait` the first
    that is not done yet."""
    step_s: float | None = None
    """Wall time of the step."""
    own_s: float | None = None
    """Part of it in which the rank computed and waited for nobody; what a slow rank shows in."""
    loss: float | None = None
    """Mean over all tokens of the step; rank 0."""
    gradient_norm: float | None = None
    """Of all gradients together, before they were clipped; rank 0."""
    tokens: int | None = None
    """Trained on since the start of the run, this step included; rank 0."""
    tokens_crc: int | None = None
    """CRC-32 over the CRC-32s of the step's sequences in their order, whichever ranks had them; rank 0."""
    memory_bytes: int | None = None
    """Peak of the rank so far."""
    blocking_s: float | None = None
    """Of `checkpoint`: time for which training stood still."""
    write_s: float | None = None
    """Of `checkpoint`: until it could be read back."""
    read_s: float | None = None
    """Of `start`: reading the checkpoint."""
    start_s: float | None = None
    """Of `start`: from the start of the process to the first step that could begin, reading included."""
    bytes: int | None = None
    """Of `checkpoint`: on disk, all ranks."""
    host: str | None = None
    """Of `start`."""
    pid: int | None = None
    """Of `start`."""
    world_size: int | None = None
    """Of `start`."""
    text: str | None = None
    """Of `error`; of `start`, a checkpoint that was skipped because it was broken."""


class RunEvent(Spec):
    """One thing that happened to a run, as its supervisor saw it."""

    time_s: float
    """Unix time."""
    kind: SupervisorEventKind
    submission: int | None = None
    life: str | None = None
    rank: int | None = None
    node: str | None = None
    step: int | None = None
    text: str = ""


class StepRecord(Spec):
    """One step as it was trained; a step that was lost and trained again has two."""

    life: str
    step: int
    time_s: float
    step_s: float
    loss: float | None
    tokens: int | None
    tokens_crc: int | None
    memory_bytes: int | None
    kept: bool = True
    """Whether its result lasts; otherwise a restart went back behind it."""


class Compared(Spec):
    """One figure that was promised, and what it was."""

    figure: str
    """Key of its text: step_s, tokens_per_s, mfu, memory_peak_bytes, ettr, checkpoint_blocking_s, ..."""
    promised: float | None
    low: float | None = None
    """Of the promise's own band."""
    high: float | None = None
    measured: float | None
    """`None` while nothing says."""
    measured_low: float | None = None
    """95 % interval of what was measured."""
    measured_high: float | None = None
    unit: str


class RunSummary(Spec):
    """One line of `myriad runs`."""

    run: str
    """Id: name and number, `pretrain-0003`."""
    name: str
    state: RunState
    scheduler: str
    folder: str
    created_s: float
    ended_s: float | None = None
    step: int = 0
    steps: int
    loss: float | None = None
    restarts: int = 0
    supervised: bool = False
    """Whether a supervisor watches it now."""
    reason: str = ""
    """Why it failed, or waits."""


class LedgerSegment(Spec):
    """One stretch of a run's time and what it went into; Unix times."""

    begin_s: float
    end_s: float
    category: str


class RunReport(Spec):
    """Promise and reality of one run, finished or not."""

    format: Literal["myriad-run-1"] = "myriad-run-1"
    summary: RunSummary
    promise: Promise
    compared: tuple[Compared, ...]
    ledger_s: dict[str, float]
    """Wall time by category, as simulations name them; sums to `wall_s`."""
    wall_s: float
    segments: tuple[LedgerSegment, ...] = ()
    """The same in order of time, without a gap; what few pixels show alike is not joined."""
    steps: tuple[StepRecord, ...]
    events: tuple[RunEvent, ...]
    checkpoint_interval_s: float | None = None
    """Now in force."""
    tokens_lost: int = 0
    """Trained on more than once because a restart went back behind them."""
    interruptions: int = 0
    """Lives that had trained and ended before the run did."""
    interrupted_s: tuple[float, ...] = ()
    """When each of them finished its last step or checkpoint; Unix times."""
    expected_end_s: float | None = None
    """Unix time of the end at the measured pace and share of productive time; `None` once it has ended."""
    notes: tuple[str, ...] = Field(default=())
