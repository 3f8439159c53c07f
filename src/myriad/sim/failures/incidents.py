"""What breaks in one life of a cluster: columns of events in the order of their times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from myriad.spec.reliability import FailureCause

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

EFFECTS: Final = ("stop", "slow", "corrupt")
"""What the codes of `Incidents.effect` mean."""


@dataclass(frozen=True)
class Breakable:
    """A cluster as its failures see it: names looked up, units counted, nodes numbered in the order of the racks."""

    num_nodes: int
    accelerators_per_node: int
    links_per_node: int
    switches: float
    """Of the scale-out network, for all nodes."""
    causes: tuple[tuple[str, FailureCause], ...]
    nodes_per_leaf: int
    nodes_per_rack: int
    nodes_per_power_domain: int
    lemon_share: float
    lemon_times: float
    joined_s: FloatArray
    """By node: when it enters service, burn-in done; 0 for those there at the start. Shape (num_nodes,)."""
    age_s: FloatArray
    """By node: its age, burn-in included, when it enters service. Shape (num_nodes,)."""


@dataclass(frozen=True)
class Incidents:
    """Events by start. All arrays have the same length; times are seconds from the start of the plan.

    An event that starts while its nodes are out of service happens to nobody: who walks the events drops it.
    """

    start_s: FloatArray
    cause: IntArray
    """Index into `Breakable.causes`."""
    effect: IntArray
    """Index into `EFFECTS`."""
    node: IntArray
    """First node reached, or on which the event is where it reaches none."""
    num_nodes: IntArray
    """Nodes reached, `node` to `node + num_nodes - 1`; 0 where only the job stops."""
    detection_s: FloatArray
    diagnosis_s: FloatArray
    repair_s: FloatArray
    """0 where nothing is repaired."""
    speed: FloatArray
    """Of a job held back by a slow event; else 1."""
    lasts_s: FloatArray
    """Of a slow event that ends by itself; else infinite."""

    def __len__(self) -> int:
        return len(self.start_s)
