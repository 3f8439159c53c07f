"""Enumerates the layouts of one replica and what its batches may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from myriad.estimate.serving.machine import Array, Cut
from myriad.search.serving_rules import ServingCase, rules_of, violations

MOST_TENSOR, MOST_STAGES = 64, 16
FEWEST_AT_ONCE, MOST_AT_ONCE = 0.25, 8192.0
"""Sequences that decode in one stage's turn; a stage that is often idle has less than one."""


@dataclass(frozen=True)
class EnumeratedLayouts:
    """Layouts that the engine runs, how many there were in all, and why the others went."""

    layouts: Cut
    total: int
    rejected: dict[str, int]


def _powers(limit: int) -> list[int]:
    return [2**i for i in range(limit.bit_length()) if 2**i <= limit]


def _sizes(limit: int, whole: int) -> list[int]:
    """Powers of two up to the limit, and divisors of the whole."""
    return sorted({*_powers(limit), *(d for d in range(1, limit + 1) if whole % d == 0)})


def enumerate_serving_layouts(case: ServingCase, num_gpus: int) -> EnumeratedLayouts:
    """Every layout of a replica on up to so many accelerators that the engine of the case runs.

    tp and pp are powers of two, dp also the divisors of the number of accelerators; ep divides tp * dp. For a model
    without experts, data-parallel attention and ep are looked at once, at 2, so that they are counted but cost nothing.
    """
    sparse = bool(case.model.routed_experts())
    rows = [
        (tp, pp, dp, ep)
        for tp in _powers(min(MOST_TENSOR, num_gpus))
        for pp in _powers(min(MOST_STAGES, num_gpus // tp))
        for dp in (_sizes(num_gpus // tp // pp, num_gpus) if sparse else [1, 2])
        for ep in ([e for e in range(1, tp * dp + 1) if tp * dp % e == 0] if sparse else [1])
    ]
    columns = np.array(rows, dtype=float).T
    layouts = Cut(tp=columns[0], pp=columns[1], dp=columns[2], ep=columns[3])
    bad, rejected = violations(rules_of(case.work.software), case, layouts)
    return EnumeratedLayouts(layouts.take(np.flatnonzero(~bad)), len(rows), rejected)


def batches(ratio: float) -> Array:
    """Sequences at once that are worth a look, a constant ratio apart."""
    steps = int(np.ceil(np.log(MOST_AT_ONCE / FEWEST_AT_ONCE) / np.log(ratio)))
    grid: Array = FEWEST_AT_ONCE * ratio ** np.arange(steps + 1, dtype=float)
    return grid
