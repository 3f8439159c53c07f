"""Robust fits: least mean absolute logarithmic error, so that long and short operations weigh the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from myriad.errors import SpecError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """Parameters that fit best, and how far off they are on the rows fitted."""

    parameters: tuple[float, ...]
    num_rows: int
    median_error: float
    """Median of |ln(model / measured)|."""
    p90_error: float


def fit_log(
    model_s: Callable[[tuple[float, ...]], Array],
    measured_s: Array,
    starts: tuple[tuple[float, ...], ...],
    upper: tuple[float, ...],
) -> Fit:
    """Positive parameters, none above `upper`, that bring `model_s(parameters)` nearest to the measured times.

    Tries several starts: the simplex search may end in a corner.
    """
    from scipy.optimize import minimize

    def parameters(x: Array) -> tuple[float, ...]:
        return tuple(float(np.exp(min(v, np.log(top)))) for v, top in zip(x, upper, strict=True))

    def loss(x: Array) -> float:
        return float(np.mean(np.abs(np.log(model_s(parameters(x)) / measured_s))))

    options = {"maxiter": 2500, "maxfev": 2500, "xatol": 1e-4, "fatol": 1e-6, "adaptive": True}
    ends = [minimize(loss, np.log(np.array(start)), method="Nelder-Mead", options=options) for start in starts]
    found = parameters(min(ends, key=lambda end: float(end.fun)).x)
    error = np.abs(np.log(model_s(found) / measured_s))
    return Fit(found, len(measured_s), float(np.median(error)), float(np.quantile(error, 0.9)))


def table(folder: Path, name: str) -> Any:
    """The rows of `folder/name.parquet` with all numbers as floats (products of sizes overflow integers)."""
    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise SpecError(f"--ops {folder}: there is no file {path.name}")
    import pandas as pd

    rows = pd.read_parquet(path)
    return rows.astype(dict.fromkeys(rows.select_dtypes("number").columns, float))
