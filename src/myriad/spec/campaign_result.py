"""What many simulated lives of a training campaign say: its end, its goodput, what costs it most, what would help."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from myriad.spec.base import Spec
from myriad.spec.recovery import CheckpointPlace
from myriad.spec.reliability import Effect


class Spread(Spec):
    """A figure over all runs."""

    mean: float
    low: float
    """Of the 95 % confidence interval of the mean."""
    high: float
    p10: float
    p50: float
    p90: float


class Share(Spec):
    """A probability from so many of so many runs, with its 95 % interval (Wilson)."""

    value: float
    low: float
    high: float


class CheckpointLine(Spec):
    """One place of checkpoints as it was simulated."""

    to: CheckpointPlace
    interval_s: float
    chosen: bool
    """Whether the interval was searched rather than given."""
    blocking_s: float
    write_s: float
    read_s: float
    young_s: float
    """Young's interval for its blocking time and this job's mean time to interruption."""
    daly_s: float
    state_bytes: float | None = None


class CauseLine(Spec):
    """One cause of interruptions."""

    name: str
    component: str
    effect: Effect = "stop"
    """What becomes of the state of a job: work that a `corrupt` event spoils is lost when it is found."""
    interruptions: Spread
    wall_s: Spread
    """Wall time that they took."""


IMPROVEMENTS: Final = (
    "one_spare", "ten_spares", "hot_spares", "detection_minute", "detection_half", "diagnosis_half", "repair_half",
    "crews_twice", "restart_half", "best_interval", "blocking_half", "peer_memory", "cause_half", "lemons_out",
    "burn_in", "elastic", "replica",
)  # fmt: skip
"""Names of the changes that are tried. `cause_half` comes once for each of the costliest causes."""


class Improvement(Spec):
    """One change and what it is worth, from the same draws with and without it."""

    name: str
    """One of `IMPROVEMENTS`, the key of its text."""
    detail: str
    """What exactly was changed, with numbers."""
    days_saved: Spread
    """Of the run, run by run."""
    usd_saved: Spread | None
    """Those days at the cost of a day; `None` without terms."""
    usd_cost: float | None = None
    """What the change itself costs, where a price is known."""


class LifeEvent(Spec):
    """Something that happened in the run that is shown."""

    time_s: float
    kind: str
    """One of `EVENT_KINDS` of the simulation."""
    cause: str = ""
    node: int | None = None
    lost_s: float = 0.0


class DoubtedEnd(Spec):
    """The end of the same runs where the step may take other than estimated, by the band of its estimate."""

    band_share: float
    """Of measured runs that the band holds."""
    low_step_s: float
    high_step_s: float
    finish_quantiles_s: tuple[float | None, ...]
    """At 1, 2, ... 99 %; `None` beyond what the runs reach."""
    in_time: float | None
    """Probability of the deadline."""


class CampaignResult(Spec):
    """One training job, simulated many times on its pool."""

    job: str
    pool: str
    num_accelerators: int
    num_nodes: int
    spare_nodes: int
    mode: Literal["restart", "elastic", "replica"]
    reliability: str
    """Name of what its failures were drawn from."""
    runs: int
    seed: int
    ideal_s: float
    """Productive time at full speed."""
    finished: Share
    """Runs that ended within the horizon."""
    horizon_s: float
    wall_s: Spread
    """Until the end, of runs that ended; to the horizon of the others."""
    finish_quantiles_s: tuple[float | None, ...]
    """At 1, 2, ... 99 % of the runs; `None` beyond the horizon."""
    deadline_s: float | None
    in_time: Share | None
    doubted: DoubtedEnd | None = None
    """With the doubt about the step beside that about failures; `None` where the plan states no band."""
    ettr: Spread
    """Productive over wall time."""
    expected_ettr: float | None
    """By the closed form, before any simulation."""
    expected_range: tuple[float, float] | None = None
    """The same with all rates at the worse and at the better end of their published ranges, where there are any."""
    ledger_s: dict[str, Spread]
    """By category; the means sum to that of `wall_s`."""
    mean_time_to_interruption_s: float | None
    causes: tuple[CauseLine, ...]
    checkpoints: tuple[CheckpointLine, ...]
    usd_per_day: float | None
    """Of the accelerators of the job, spares not counted."""
    improvements: tuple[Improvement, ...] = ()
    """The most valuable first."""
    life: tuple[LifeEvent, ...] = ()
    """Of the run whose end is nearest to the median."""
    life_run: int | None = None
    """Number of that run."""
    life_ledger_s: dict[str, float] = Field(default_factory=dict)
    assumed: tuple[str, ...] = ()
    """What the file left open, and what was taken."""


class SimulatedPlan(Spec):
    """Everything that `myriad simulate` answers."""

    format: Literal["myriad-simulation-1"] = "myriad-simulation-1"
    system: str
    version: str
    currency: str
    usd_per_currency: float
    campaigns: tuple[CampaignResult, ...]
    missing: dict[str, str] = Field(default_factory=dict)
    """Job -> why it was not simulated."""
    simulate_s: float
