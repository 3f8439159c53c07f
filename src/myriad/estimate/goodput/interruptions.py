"""What interrupts one job, cause by cause, as rates and mean times."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

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
    """Share of events after which the machines reached leave service for `repair_s`."""
    nodes: int = 1
    """Machines reached; 0 where only processes end."""
    everybodys: bool = False
    """Of no machine, but of all at once: the file system, say."""
    speed: float = 1.0
    """Of the job while a slow event lasts."""
    lasts_s: float = math.inf
    """Of a slow event that ends by itself."""

    @property
    def gone(self) -> bool:
        """Whether machines leave service after each event, once `parted`."""
        return self.repaired > 0.0 and self.repair_s > 0.0 and self.nodes > 0

    @property
    def slow_s(self) -> float:
        """Mean time for which a slow event holds the job back: until it ends or is diagnosed, both exponential."""
        if self.effect != "slow":
            return 0.0
        known_s = self.detection_s + self.diagnosis_s
        return known_s if math.isinf(self.lasts_s) else known_s * self.lasts_s / max(known_s + self.lasts_s, 1e-9)

    @property
    def stops_per_s(self) -> float:
        """Events that stop the job: of slow ones those that are diagnosed in time and whose machine is taken out."""
        if self.effect != "slow":
            return self.per_s
        known_s = self.detection_s + self.diagnosis_s
        found = 1.0 if math.isinf(self.lasts_s) else self.lasts_s / max(known_s + self.lasts_s, 1e-9)
        return self.per_s * found if self.gone else 0.0


def parted(causes: Iterable[Interruption]) -> list[Interruption]:
    """The causes with events that take machines and events that leave them apart; those that never come left out."""
    found = []
    for cause in causes:
        for share, repaired in ((cause.repaired, 1.0), (1.0 - cause.repaired, 0.0)):
            if share > 0.0 and cause.per_s > 0.0:
                found.append(replace(cause, per_s=cause.per_s * share, repaired=repaired))
    return found


def survives(place: CheckpointPlace, cause: Interruption) -> bool:
    """Whether copies in one place outlive a cause, once `parted`.

    Peers hold each other's copies, so that the loss of one machine leaves all, and only the newest, which corruption
    has spoiled; a node's own disks go with it; storage stays.
    """
    if place == "storage":
        return True
    return not cause.gone if place == "node-disk" else cause.nodes <= 1 and cause.effect != "corrupt"
