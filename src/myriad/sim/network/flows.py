"""Flows, phases of flows, and what runs at once: the traffic that a network is asked to carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Flows:
    """Messages that start together, arrays (F,).

    A row stands for `members` equal flows of `bytes_` each, which share links as so many flows do. `source` and
    `target` are vertices of the network: endpoints, or switches where a row stands for flows from all endpoints below
    one (their own links are then rows apart, from endpoint to switch).
    """

    source: IntArray
    target: IntArray
    bytes_: Array
    members: IntArray

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True)
class Phase:
    """Flows that must all arrive before the next phase begins; done `repeats` times over."""

    flows: Flows
    repeats: int = 1
    latency_s: float = 0.0
    """Added to each repeat: start-up and propagation."""


@dataclass(frozen=True)
class Activity:
    """Phases one after the other: a collective, or what one job sends. Several run at once and share the links."""

    name: str
    phases: tuple[Phase, ...]
    start_s: float = 0.0
