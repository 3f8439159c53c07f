"""Scale-up link figures from measured NCCL times inside one node (NVIDIA AIConfigurator's tables).

One link serves all collectives, so its four figures are fitted to all_gather, reduce_scatter and
alltoall together, on messages of 16 KiB and more. all_reduce is judged, not fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from myriad.calibrate.fitting import Array, Fit, fit_log, table
from myriad.estimate.collectives import (
    Placement,
    all_gather_s,
    all_reduce_s,
    all_to_all_s,
    place,
    reduce_scatter_s,
)
from myriad.spec.cluster import Link

COLLECTIVES: dict[str, Callable[[Array, Placement], Array]] = {
    "all_gather": all_gather_s,
    "reduce_scatter": reduce_scatter_s,
    "alltoall": all_to_all_s,
    "all_reduce": all_reduce_s,
}
FITTED = ("all_gather", "reduce_scatter", "alltoall")
SMALLEST_BYTES = 2.0**14


@dataclass(frozen=True)
class LinkFit:
    """The four figures of a link and the median error of every collective."""

    efficiency: float
    latency_s: float
    half_bytes: float
    start_s: float
    fit: Fit
    median_error: dict[str, float]

    def link(self, bytes_per_s_one_way: float) -> Link:
        """The link of that bandwidth with these figures."""
        return _link(bytes_per_s_one_way, (self.efficiency, self.latency_s, self.half_bytes, self.start_s))


def _link(bytes_per_s_one_way: float, figures: tuple[float, ...]) -> Link:
    efficiency, latency_s, half_bytes, start_s = figures
    return Link(
        tier="scale-up", domain=1024, bytes_per_s_one_way=bytes_per_s_one_way,
        efficiency=efficiency, latency_s=latency_s, half_bytes=half_bytes, start_s=start_s,
    )  # fmt: skip


def fit_link(ops: Path, name: str, bytes_per_s_one_way: float) -> LinkFit:
    """The scale-up link of one accelerator from `ops/<name>__nccl.parquet`."""
    rows = table(ops, f"{name}__nccl")
    rows = rows[(rows["dtype"] == "half") & (rows.message_bytes >= SMALLEST_BYTES)]
    by_kind = {kind: rows[rows.collective == kind] for kind in COLLECTIVES}
    measured = {kind: of.latency_us.to_numpy() * 1e-6 for kind, of in by_kind.items()}

    def model_s(kind: str, p: tuple[float, ...]) -> Array:
        placement = place(by_kind[kind].num_gpus.to_numpy(), 1.0, (_link(bytes_per_s_one_way, p),))
        return COLLECTIVES[kind](by_kind[kind].message_bytes.to_numpy(), placement)

    fit = fit_log(
        lambda p: np.concatenate([model_s(kind, p) for kind in FITTED]),
        np.concatenate([measured[kind] for kind in FITTED]),
        ((0.8, 2e-6, 1e7, 8e-6), (0.8, 3e-6, 3e7, 4e-6)), (1.0, 1e-4, 1e9, 1e-4),
    )  # fmt: skip
    errors = {
        kind: float(np.median(np.abs(np.log(model_s(kind, fit.parameters) / measured[kind])))) for kind in COLLECTIVES
    }
    efficiency, latency_s, half_bytes, start_s = fit.parameters
    return LinkFit(efficiency, latency_s, half_bytes, start_s, fit, errors)
