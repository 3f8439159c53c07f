"""Collectives by the names of nccl-tests, with the sizes and the bus bandwidth that it defines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from myriad.estimate.collectives import all_gather_s, all_reduce_s, all_to_all_s, reduce_scatter_s
from myriad.estimate.tiers import Array, Placement
from myriad.spec.traffic import CollectiveName

Collective = Literal["all_reduce", "all_gather", "reduce_scatter", "alltoall"]
"""Names as in nccl-tests. Its size is that of the buffer that is reduced, of the whole result of an all-gather, of
the whole input of a reduce-scatter, and of all that one rank sends in an all-to-all, its own part included."""
COLLECTIVES: Final[tuple[Collective, ...]] = get_args(Collective)

Benchmark = Collective | Literal["broadcast", "sendrecv"]
"""All names; of the last two the size is what one rank sends."""

TIMES: Final[dict[Benchmark, Callable[[npt.ArrayLike, Placement], Array]]] = {
    "all_reduce": all_reduce_s,
    "all_gather": all_gather_s,
    "reduce_scatter": reduce_scatter_s,
    "alltoall": all_to_all_s,
    "broadcast": all_gather_s,
}
"""Collective -> time of a size on a placed group, in seconds; a broadcast as an all-gather of as many bytes."""

NAMED: Final[dict[CollectiveName, Benchmark]] = {
    "all-reduce": "all_reduce", "all-gather": "all_gather", "reduce-scatter": "reduce_scatter",
    "all-to-all": "alltoall", "broadcast": "broadcast", "send-recv": "sendrecv",
}  # fmt: skip
"""What nccl-tests call the collectives that users ask for."""


def bus_factor(collective: Benchmark, ranks: npt.ArrayLike) -> Array:
    """Bus bandwidth over algorithm bandwidth: 2 (n-1)/n of an all-reduce, 1 of broadcast and sendrecv, else (n-1)/n.

    Source: nccl-tests, doc/PERFORMANCE.md.
    """
    n = np.asarray(ranks, float)
    if collective in ("broadcast", "sendrecv"):
        return np.ones_like(n)
    factor: Array = (2.0 if collective == "all_reduce" else 1.0) * (n - 1.0) / n
    return factor


def bus_bandwidth(collective: Collective, bytes_: npt.ArrayLike, ranks: npt.ArrayLike, seconds: npt.ArrayLike) -> Array:
    """Bus bandwidth of a collective that took so long, in bytes/s: what each rank's link would carry in a ring.

        bytes / seconds * bus_factor

    Sums in a switch carry less, so that their bus bandwidth may lie above the link's own.

    >>> float(bus_bandwidth("all_reduce", 8e9, 8, 0.028))
    500000000000.0
    """
    found: Array = np.asarray(bytes_, float) / np.asarray(seconds, float) * bus_factor(collective, ranks)
    return found
