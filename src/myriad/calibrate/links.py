"""Scale-up link figures from measured NCCL times inside one node (NVIDIA AIConfigurator's tables).

One link serves all collectives, so its four figures are fitted to all_gather, reduce_scatter and alltoall together.
Of all_reduce, which has two ways, only the figures of the switch are fitted, where there is one; the ring is judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from myriad.calibrate.fitting import Array, Fit, fit_log, table
from myriad.estimate.nccl_tests import COLLECTIVES, TIMES, Collective
from myriad.estimate.tiers import place
from myriad.spec.cluster import Link

FITTED: Final[tuple[Collective, ...]] = ("all_gather", "reduce_scatter", "alltoall")


@dataclass(frozen=True)
class LinkFit:
    """The figures of a link and the median error of every collective."""

    efficiency: float
    latency_s: float
    half_bytes: float
    start_s: float
    fit: Fit
    reduction: tuple[float, float] | None
    """Share of the bandwidth and start of sums in the switch; `None` where it forms none."""
    median_error: dict[Collective, float]


def _link(bytes_per_s_one_way: float, figures: tuple[float, ...], reduction: tuple[float, ...] | None) -> Link:
    efficiency, latency_s, half_bytes, start_s = figures
    share, reduction_start_s = reduction or (None, 0.0)
    return Link(
        tier="scale-up", domain=1024, bytes_per_s_one_way=bytes_per_s_one_way,
        efficiency=efficiency, latency_s=latency_s, half_bytes=half_bytes, start_s=start_s,
        reduction_share=share, reduction_start_s=reduction_start_s,
    )  # fmt: skip


def fit_link(ops: Path, name: str, bytes_per_s_one_way: float, sums_in_switch: bool) -> LinkFit:
    """The scale-up link of one accelerator from `ops/<name>__nccl.parquet`."""
    rows = table(ops, f"{name}__nccl")
    rows = rows[rows["dtype"] == "half"]
    by_kind = {kind: rows[rows.collective == kind] for kind in COLLECTIVES}
    measured = {kind: of.latency_us.to_numpy() * 1e-6 for kind, of in by_kind.items()}

    def model_s(kind: Collective, p: tuple[float, ...], reduction: tuple[float, ...] | None = None) -> Array:
        placement = place(by_kind[kind].num_gpus.to_numpy(), 1.0, (_link(bytes_per_s_one_way, p, reduction),))
        return TIMES[kind](by_kind[kind].message_bytes.to_numpy(), placement)

    fit = fit_log(
        lambda p: np.concatenate([model_s(kind, p) for kind in FITTED]),
        np.concatenate([measured[kind] for kind in FITTED]),
        ((0.8, 1e-6, 1e7, 8e-6), (0.8, 1e-6, 3e6, 4e-6)), (1.0, 1e-4, 1e9, 1e-4),
    )  # fmt: skip
    reduction: tuple[float, float] | None = None
    if sums_in_switch:
        share, start_s = fit_log(
            lambda q: model_s("all_reduce", fit.parameters, q), measured["all_reduce"],
            ((0.65, 3e-5), (0.5, 5e-5)), (1.0, 1e-3),
        ).parameters  # fmt: skip
        reduction = (share, start_s)
    errors = {
        kind: float(np.median(np.abs(np.log(model_s(kind, fit.parameters, reduction) / measured[kind]))))
        for kind in COLLECTIVES
    }
    efficiency, latency_s, half_bytes, start_s = fit.parameters
    return LinkFit(efficiency, latency_s, half_bytes, start_s, fit, reduction, errors)
