"""Simulates traffic on a network, flow by flow: how long it takes, and how busy each link is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from myriad.errors import SpecError
from myriad.estimate.fabric.network import Network
from myriad.sim.network.events import Simulation
from myriad.sim.network.flows import Activity, Array
from myriad.sim.network.graph import shares_of
from myriad.sim.network.routing import router_of
from myriad.spec.fabric import Routing


@dataclass(frozen=True)
class ActivityRun:
    """What became of an activity."""

    name: str
    start_s: float
    end_s: float
    phase_s: Array
    """(phases,) time of each with all its repeats and latencies; they follow one another."""


@dataclass(frozen=True)
class NetworkRun:
    """What a simulation gives."""

    makespan_s: float
    """When the last activity ends; the clock starts at 0."""
    activities: tuple[ActivityRun, ...]
    link_bytes: Array
    """(2 L,) bytes over each directed link: 2 i up, 2 i + 1 down."""
    link_utilisation: Array
    """(2 L,) mean over the makespan, of the bandwidth that damage has left; 0 where a link is down."""
    num_solves: int
    """Times that fair rates were worked out."""


def simulate(
    network: Network,
    activities: Sequence[Activity],
    routing: Routing = "spray",
    *,
    flows_per_pair: int = 1,
    seed: int = 0,
    efficiency: npt.ArrayLike = 1.0,
    tolerance: float = 1e-3,
) -> NetworkRun:
    """Runs all activities on the network until the last flow has arrived, and gives times in seconds.

    Flows share links max-min fairly at every moment. `efficiency` is the share of their bandwidth that links carry as
    payload (protocol, incast), one number or one per link (L,). `flows_per_pair` and `seed` are for ECMP.

    Rates are set again only when flows start, or when some end and others could go faster for it. After such an end
    the others keep their rates for a while, and what has been left stays idle, until one of those that have ended since
    could have sent `tolerance` times its own bytes. So no flow is ever too fast, and the run is exactly that of
    messages of which none is more than `tolerance` longer: times are about that much too long at most, though a longer
    message can upset the order in which others end. With 0 every end counts. Flows of equal bytes that start together
    need one solution, and it is exact.

    A phase that runs alone is simulated once, however often it repeats. Where others run beside it, so many repeats are
    taken as one, without a pause for the slowest flow between them, that no more than 8 are left.

    Traffic between cards of one host does not enter the network and takes no time here. Left out: packets, queues,
    congestion control and its ramp, retransmission. Raises SpecError or InfeasibleError where traffic has no path.
    """
    share = np.asarray(efficiency, np.float64)
    if not ((share > 0) & (share <= 1)).all():
        raise SpecError("efficiency: must lie above 0 and not above 1")
    if tolerance < 0:
        raise SpecError("tolerance: must not be negative")
    usable = replace(network, bytes_per_s=network.bytes_per_s * share)
    simulation = Simulation(router_of(usable, routing, flows_per_pair, seed), activities, tolerance)
    simulation.run()
    makespan_s = max((one.end_s for one in simulation.progress), default=0.0)
    carried = np.repeat(network.bytes_per_s, 2) * makespan_s
    return NetworkRun(
        makespan_s=makespan_s,
        activities=tuple(
            ActivityRun(one.activity.name, one.activity.start_s, one.end_s, np.array(one.phase_s))
            for one in simulation.progress
        ),
        link_bytes=simulation.link_bytes,
        link_utilisation=shares_of(carried, simulation.link_bytes),
        num_solves=simulation.num_solves,
    )
