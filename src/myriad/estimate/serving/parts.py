"""Times of parts of a pass, added up by kind."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

PASS_PARTS = (
    "gemm", "expert_gemm", "attention", "recurrent", "memory_bound", "head", "tp_comm", "ep_comm", "pp_comm", "host",
)  # fmt: skip
"""What the time of one pass is made of, in the order shown."""

Parts = dict[str, Array]
"""Seconds by kind, arrays (U,); kinds that are absent take no time."""


def add(total: Parts, more: Mapping[str, Array], times: npt.NDArray[np.float64 | np.bool_] | float = 1.0) -> None:
    """Adds `more`, `times` over, to `total`."""
    for part, seconds in more.items():
        total[part] = total[part] + times * seconds if part in total else times * seconds


def whole_s(parts: Mapping[str, Array]) -> Array:
    """All parts together, in seconds."""
    total: Array = np.sum(list(parts.values()), axis=0)
    return total
