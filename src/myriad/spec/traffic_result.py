"""What traffic got from a fabric."""

from __future__ import annotations

from typing import Literal

from myriad.spec.base import Spec
from myriad.spec.fabric import Routing
from myriad.spec.fabric_heat import FabricPictures
from myriad.spec.traffic import CollectiveTraffic, Conditions, Operation, TrafficKind, TrafficName


class TierUse(Spec):
    """How busy the links of one class were, one way, as shares of what they could carry in the time."""

    link_class: str
    direction: Literal["up", "down"]
    """Away from endpoints or towards them; of equal switches, from the smaller number to the larger."""
    links: int
    """That carry anything at all when whole."""
    mean_fraction: float
    """Of those that are not down."""
    max_fraction: float


class HotLink(Spec):
    """One of the busiest links."""

    link_class: str
    lower: str
    upper: str
    direction: Literal["up", "down"]
    used_fraction: float


class Run(Spec):
    """One simulation: how long everything took, and what it loaded."""

    makespan_s: float
    activity_s: dict[str, float]
    """End of each activity that ran at once."""
    use: tuple[TierUse, ...]
    hottest: tuple[HotLink, ...]
    flows: int
    """Rows of flows, of which one may stand for many."""
    solves: int
    """Times that fair rates were worked out."""
    simulated_s: float
    """Wall time of the simulation."""


class TrafficResult(Spec):
    """A collective on a fabric, beside what links alone would allow."""

    fabric: str
    cluster: str
    num_accelerators: int
    num_hosts: int
    num_endpoints: int
    num_switches: int
    num_links: int
    traffic: CollectiveTraffic
    group: int
    """Ranks per group."""
    groups: int
    """Of all jobs."""
    conditions: Conditions
    routing: Routing
    flows_per_pair: int
    efficiency: float
    run: Run
    algorithm_bytes_per_s: float
    """Size over time, as nccl-tests print it (`algbw`)."""
    bus_bytes_per_s: float
    """`busbw`: 2 (n-1)/n times that of an all-reduce, (n-1)/n of gathers, scatters and all-to-alls, else the same."""
    ideal_s: float
    """By the estimates' formula for the node's links, which knows no fabric."""
    ideal_bus_bytes_per_s: float
    pictures: FabricPictures | None = None
    """Where they were asked for."""


class StepTraffic(Spec):
    """One collective of a training step in the network, run by all its groups side by side."""

    kind: TrafficKind
    name: TrafficName
    block: str
    """Kind of blocks that it belongs to; empty where all do."""
    operation: Operation
    algorithm: str
    group: int
    """Ranks per group."""
    stride: int
    """Between the first two of a group, in rank order."""
    groups: int
    bytes_per_run: float
    runs_per_step: float
    sent_bytes_per_step: float
    """By one rank, to its own host too."""
    line_rate_s: float
    """Of one run if cards alone bound it; 0 where it stays inside hosts."""
    network_s: float
    """Of one run on the fabric as it is."""

    @property
    def ratio(self) -> float:
        """Time on the fabric over that at line rate."""
        return self.network_s / self.line_rate_s if self.line_rate_s else 1.0


class StepOnFabric(Spec):
    """A planned training step whose traffic meets a fabric."""

    study: str
    """What is looked at, in a few words."""
    fabric: str
    system: str
    job: str
    layout: str
    pool: str
    num_accelerators: int
    """Of the job."""
    conditions: Conditions
    traffic: tuple[StepTraffic, ...]
    slowdown: dict[str, float]
    """By kind: time of its collectives on the fabric over that at line rate, weighted by their time in a step."""
    planned_step_s: float
    """The estimate's, which takes line rate for granted."""
    step_s: float
    parts_s: dict[str, float]
    """Of `step_s`, by `spec.result.TIME_PARTS`."""
    simulated_s: float
    """Wall time of the simulations."""
    pictures: FabricPictures | None = None
    """Where they were asked for: of all traffic of a step, over the time that the network takes for it."""

    @property
    def change_fraction(self) -> float:
        """Growth of the step time over the plan's, as a share of it."""
        return self.step_s / self.planned_step_s - 1.0
