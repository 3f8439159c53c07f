"""How a described cluster breaks, as its jobs meet it."""

from __future__ import annotations

from typing import Literal

from myriad.spec.base import Spec
from myriad.spec.reliability import Component, Effect


class ShownCause(Spec):
    """One cause, over the whole cluster."""

    name: str
    component: Component
    effect: Effect
    per_1000_node_days: float
    """Interruptions of a job on all nodes."""
    low: float | None
    """Where the entry gives a range."""
    high: float | None
    detection_s: float
    diagnosis_s: float
    repair_s: float
    repaired: float
    """Share of events after which machines leave service."""


class ShownReliability(Spec):
    """One profile on one cluster."""

    format: Literal["myriad-reliability-1"] = "myriad-reliability-1"
    name: str
    cluster: str
    nodes: int
    per_1000_node_days: float
    """Of all causes, over the first year of age."""
    causes: tuple[ShownCause, ...]
    """The most frequent first."""
    mttf_s: dict[int, float]
    """Accelerators of a job -> mean time to its interruption on a cluster of its size."""
    lemon_share: float
    lemon_times: float
