"""What interrupts one job, cause by cause, as rates and mean times."""

from __future__ import annotations

import math
from dataclasses import dataclass

from myriad.spec.recovery import CheckpointPlace
from myriad.spec.reliability import Effect


@dataclass(frozen=True)
class Interruption:
    """One cause as one job meets it. Times are means, in seconds."""

    name: str
    per_s: float
    """Events that meet the job, all of its machines in service."""
    effect: Effect = "stop"
    detection_s: float = 0.0
    diagnosis_s: float = 0.0
    repair_s: float = 0.0
    repaired: float = 1.0
    """Share of events after which the machines reached leave service."""
    nodes: int = 1
    """Machines reached; 0 where only processes end."""
    speed: float = 1.0
    """Of the job while a slow event lasts."""
    lasts_s: float = math.inf
    """Of a slow event that ends by itself."""

    @property
    def found(self) -> float:
        """Share of events that are found: of slow ones those that have not ended before (both times exponential)."""
        return 1.0 if math.isinf(self.lasts_s) else self.lasts_s / (self.lasts_s + self.detection_s)

    @property
    def slow_s(self) -> float:
        """Mean time for which a slow event holds the job back."""
        if self.effect != "slow":
            return 0.0
        return self.detection_s * self.found + self.diagnosis_s * self.found

    @property
    def stops_per_s(self) -> float:
        """Events that end in a restart."""
        return self.per_s * self.found


def survives(place: CheckpointPlace, nodes: int) -> bool:
    """Whether copies in one place outlive the loss of so many machines at once.

    Peers hold each other's copies, so that the loss of one machine leaves all; a node's own disks go with it; storage
    stays.
    """
    return place == "storage" or nodes == 0 or (place == "peer-memory" and nodes == 1)
