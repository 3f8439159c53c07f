"""What a cluster's own logs say about how it breaks: figures with intervals, and what the logs left open."""

from __future__ import annotations

from typing import Literal

from myriad.spec.base import Spec
from myriad.spec.reliability import Component, Effect


class Interval(Spec):
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float


class DurationFit(Spec):
    """A time that varies from event to event."""

    events: int
    """It was fitted to."""
    mean_s: Interval
    law: Literal["fixed", "exponential", "lognormal"]
    variation: float
    """Standard deviation over the mean."""


class CauseFit(Spec):
    """One cause of the log."""

    name: str
    component: Component
    common: bool
    """Whether a common name led to it; other causes are kept as the log calls them."""
    names: tuple[str, ...]
    """What the log calls it."""
    effect: Effect
    speed: float
    """Of a job that it holds back; 1 for other effects."""
    events: int
    per_1000_node_days: Interval
    """With a shape: the mean over the first year of age."""
    shape: Interval | None
    """Weibull shape by age; `None` below 20 events."""
    shape_used: float
    """1 unless a constant rate is rejected."""
    exponential_p: float | None
    """Likelihood-ratio test of a constant rate; it is rejected below 0.05."""
    burst: float
    """Mean number of events that come together on a node."""
    burst_within_s: float
    repaired: float | None
    """Share of events after which a node left service; `None` where the log has no downtime."""
    repair: DurationFit | None
    detection: DurationFit | None
    diagnosis: DurationFit | None


class LemonNode(Spec):
    """A node with significantly more events than the others."""

    node: str
    events: int
    probability: float
    """Of so many events on any one of all nodes if all were alike (Bonferroni)."""


class LemonFit(Spec):
    """Nodes that fail far more often than the others."""

    nodes: tuple[LemonNode, ...]
    share: Interval
    """Of all nodes, by a mixture of two Poisson laws: more than the nodes that can be told by name."""
    times: float


class StepRestart(Spec):
    """A place in a step log where training stopped and went on."""

    time_s: float
    """Of the last step before it, from the start of the log."""
    step: int
    lost_steps: int
    """Trained again."""
    down_s: float
    """From the last step before it to the start of the first one after it."""


class SlowPeriod(Spec):
    """A stretch of a step log that ran slower than usual."""

    start_s: float
    end_s: float
    speed: float
    """As a share of the usual one."""


class StepLogFit(Spec):
    """What a run's step log says. The parts of the wall time sum to it."""

    steps: int
    """Trained that last."""
    step_s: float
    """Median."""
    wall_s: float
    ettr: float
    """Productive over wall time; productive is each lasting step at the median time."""
    restarts: tuple[StepRestart, ...]
    mean_time_to_interruption_s: Interval | None
    """Of wall time; `None` without a restart."""
    restart_s: DurationFit | None
    lost_steps: int
    checkpoint_steps: float | None
    """Between two checkpoints that block; `None` where no long steps come regularly."""
    checkpoint_interval_s: float | None
    checkpoint_blocking_s: float | None
    """Median."""
    slow: tuple[SlowPeriod, ...]
    productive_s: float
    lost_work_s: float
    down_s: float
    checkpoint_s: float
    slow_s: float
    other_s: float
    """The rest: jitter of the steps, pauses that are none of these."""


class ReliabilityFit(Spec):
    """A cluster's own reliability, from its logs."""

    format: Literal["myriad-reliability-fit-1"] = "myriad-reliability-fit-1"
    name: str
    log: str
    """File that it was read from."""
    num_nodes: int
    accelerators_per_node: int
    days: float
    incidents: int
    per_1000_node_days: Interval
    """All causes that stop, slow or corrupt jobs."""
    mttf_s: dict[int, Interval]
    """Accelerators of a job -> mean time to its interruption, by the law of all nodes alike."""
    causes: tuple[CauseFit, ...]
    """The most frequent first."""
    lemons: LemonFit | None
    """`None` where no node stands out, or the log names none."""
    steps: StepLogFit | None = None
    assumed: tuple[str, ...]
    """What the logs left open, and what was taken."""
