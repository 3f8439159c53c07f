"""A measured machine in a few figures."""

from __future__ import annotations

from myriad.spec.base import Spec
from myriad.spec.calibration import Precision


class MeasuredSummary(Spec):
    """What `myriad measure` found; the catalog entries beside it hold more."""

    name: str
    """Id of its catalog entries."""
    processor: str
    ranks: int
    """Measured at once."""
    threads: int
    """Of each, on a CPU."""
    precision: Precision
    peak_flops_per_s: float
    """Of the best product, per rank."""
    memory_bytes_per_s: float
    """Of the best stream, per rank, reads and writes."""
    launch_s: float
    """Of the smallest kernel."""
    link_bytes_per_s: float | None
    """Bus bandwidth of the best collective; `None` for one rank."""
    median_errors: dict[str, float]
    """Median of |ln(model / measured)| by what was fitted."""
    spread: float
    """How much longer the slowest repetition of a row took than its fastest, the median over rows."""
    busy_cores: float
    """Cores of the host that others kept busy, in the second before."""
    num_rows: int
