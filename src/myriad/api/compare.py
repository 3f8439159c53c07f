"""What a chosen layout is held against: a given layout, and the same with more of each resource."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from myriad.api.split import refined
from myriad.api.training import Searched, check_divides, open_up, scaled, search_layouts
from myriad.estimate.setting import Setting
from myriad.estimate.training import estimate_layout
from myriad.spec.layout import Layout
from myriad.spec.result import Comparison, Sensitivity, TrainingEstimate

RESOURCES = ("matrix_rate", "memory_bandwidth", "memory_capacity", "scale_up", "scale_out", "latency", "gpus")
MORE_FRACTION = 0.1
"""Sensitivities ask what this share more buys; for latency, what this factor less does."""


def compare(
    setting: Setting, given: Layout, source: str, best: TrainingEstimate, searched: Searched | None
) -> Comparison:
    """The given layout beside the best: its own estimate, and its rank among those of as many accelerators."""
    check_divides(setting, given)
    estimate = open_up(setting, given)
    rank, of = None, 0
    if searched is not None:
        ranking = searched.ranking
        same = ranking.order[ranking.num_gpus[ranking.order] == estimate.world_size]
        of = len(same)
        if estimate.fits:
            rank = 1 + int(np.count_nonzero(ranking.step_s[same] < estimate.step_s * (1 - 1e-9)))
    return Comparison(
        layout=given,
        source=source,
        estimate=estimate,
        rank=rank,
        of=of,
        slower_fraction=estimate.step_s / best.step_s - 1,
    )


def sensitivities(setting: Setting, best: TrainingEstimate, searched: Searched | None) -> tuple[Sensitivity, ...]:
    """What ten per cent more of each resource buys.

    The layout stays, but for two resources: with more memory, the fastest layout on as many accelerators
    that then fits; with more accelerators than the layout uses, the fastest that then divides.
    """
    found = []
    for resource in RESOURCES:
        match resource:
            case "memory_capacity":
                if searched is None:
                    continue
                fits = searched.ranking.missing_bytes <= MORE_FRACTION * setting.device.memory_bytes
                fits &= searched.ranking.num_gpus == best.world_size
                step_s = min(best.step_s, float(searched.ranking.step_s[fits].min()))
            case "gpus":
                if searched is None:
                    continue
                step_s = min(best.step_s, _with_more_accelerators(setting, best))
            case _:
                step_s = estimate_layout(scaled(setting, resource, 1 + MORE_FRACTION), best.layout).step_s
        gain = 1 - step_s / best.step_s
        found.append(Sensitivity(resource=resource, change_fraction=MORE_FRACTION, step_s=step_s, gain_fraction=gain))
    return tuple(found)


def _with_more_accelerators(setting: Setting, best: TrainingEstimate) -> float:
    """The best step time that the added accelerators allow, in seconds; infinite if none of them can be used."""
    count = int(best.world_size * (1 + MORE_FRACTION))
    cluster = setting.cluster.model_copy(update={"num_accelerators": count})
    searched = search_layouts(replace(setting, cluster=cluster), least_gpus=best.world_size + 1, strictly=True)
    found = refined(searched, "time").ranking
    return float(found.step_s[found.order[0]]) if len(found.order) else float("inf")
