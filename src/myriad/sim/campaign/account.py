"""Where the wall time went, by category and by cause, and the log of events."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from myriad.sim.campaign.described import EVENT_KINDS, CampaignRun
from myriad.spec.ledger import CATEGORIES

(PRODUCTIVE, CHECKPOINT, LOST_WORK, DETECTION, DIAGNOSIS, RESTART, WAITING, DEGRADED, MAINTENANCE) = range(
    len(CATEGORIES)
)
_KIND: Final = {kind: code for code, kind in enumerate(EVENT_KINDS)}
_NOT_OF_CAUSES: Final = (CHECKPOINT, MAINTENANCE)


class Blame(NamedTuple):
    """Who pays for what comes now: a cause, its node, its row in the log; -1 where there is none."""

    cause: int = -1
    node: int = -1
    row: int = -1


NOBODY: Final = Blame()
"""Windows, growth, the first start."""


class Account:
    """Sums that grow while a campaign is walked through."""

    def __init__(self, num_causes: int) -> None:
        self.ledger_s = [0.0] * len(CATEGORIES)
        self.interruptions = [0] * num_causes
        self.cost_s = [0.0] * (num_causes + 1)
        """The last one is nobody's."""
        self.times: list[float] = []
        self.kinds: list[int] = []
        self.causes: list[int] = []
        self.nodes: list[int] = []
        self.lost: list[float] = []

    def spend(self, category: int, cause: int, seconds: float) -> None:
        self.ledger_s[category] += seconds
        if category not in _NOT_OF_CAUSES:
            self.cost_s[cause] += seconds

    def log(self, now_s: float, kind: str, cause: int = -1, node: int = -1) -> int:
        """Row of the event, to say later what it cost."""
        self.times.append(now_s)
        self.kinds.append(_KIND[kind])
        self.causes.append(cause)
        self.nodes.append(node)
        self.lost.append(0.0)
        return len(self.times) - 1

    def lose(self, blame: Blame, seconds: float) -> None:
        """Work that was done and did not last."""
        self.spend(LOST_WORK, blame.cause, seconds)
        if blame.row >= 0:
            self.lost[blame.row] += seconds

    def closed(self, wall_s: float, progress_s: float, finished: bool) -> CampaignRun:
        """All of it, with the progress that is left as what was productive."""
        self.ledger_s[PRODUCTIVE] = progress_s
        return CampaignRun(
            ledger_s=np.array(self.ledger_s),
            wall_s=wall_s,
            finished=finished,
            interruptions=np.array(self.interruptions, dtype=np.int64),
            cost_s=np.array(self.cost_s[:-1]),
            event_s=np.array(self.times),
            event_kind=np.array(self.kinds, dtype=np.int64),
            event_cause=np.array(self.causes, dtype=np.int64),
            event_node=np.array(self.nodes, dtype=np.int64),
            event_lost_s=np.array(self.lost),
        )
