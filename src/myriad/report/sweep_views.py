"""What texts and pages show of a sweep that no row holds: the best, the fronts, the names of values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from myriad.report.numbers import Numbers, significant
from myriad.spec.sweep_result import COLUMN_OF, Scalar, SweepResult, SweepRow
from myriad.units import DAY_S, GIB, format_si


class Metric(NamedTuple):
    """A column of results: what one unit of it is on a page, and which end of it is the better one."""

    scale: float
    better: Literal["high", "low"]


METRICS: Final[dict[str, Metric]] = {
    "tokens_per_s": Metric(1.0, "high"),
    "tokens_per_s_per_gpu": Metric(1.0, "high"),
    "mfu": Metric(0.01, "high"),
    "step_s": Metric(1.0, "low"),
    "num_gpus": Metric(1.0, "low"),
    "gpu_hours_per_billion_tokens": Metric(1.0, "low"),
    "usd_per_million_tokens": Metric(1.0, "low"),
    "days": Metric(1.0, "low"),
    "gpu_hours": Metric(1.0, "low"),
    "cost_usd": Metric(1.0, "low"),
    "memory_peak_bytes": Metric(GIB, "low"),
}
"""Columns that a reader may put on an axis of a chart or see as a colour, in the order offered."""


def metrics_of(rows: Sequence[Mapping[str, Scalar]]) -> list[str]:
    """Those metrics that some of the flat rows have."""
    return [name for name in METRICS if any(row[name] is not None for row in rows)]


def column_of(key: str) -> str:
    """The column that holds a key of points."""
    return COLUMN_OF.get(key, key)


def value_text(key: str, value: Scalar, numbers: Numbers) -> str:
    """The value of a key of points, as its column holds it, in the unit that people use."""
    if value is None or value == "":
        return "–"
    if isinstance(value, str):
        return value
    match key:
        case "scale_out_bandwidth":
            return format_si(8 * value, "b/s")
        case "scale_up_bandwidth":
            return format_si(value, "B/s")
        case "price":
            return significant(value)
        case "memory_headroom":
            return numbers.change(value)
        case "deadline":
            return numbers.days(value / DAY_S)
        case "tokens":
            return numbers.large(value)
        case "expert_imbalance":
            return significant(value)
        case _:
            return numbers.integer(value)


def by_model(result: SweepResult) -> dict[str, list[SweepRow]]:
    """The rows with a layout, model by model: tokens of different models are not worth the same."""
    groups: dict[str, list[SweepRow]] = {}
    for row in result.rows:
        if row.found.status == "ok":
            groups.setdefault(row.point.model, []).append(row)
    return groups


def price_of_speed(rows: Sequence[SweepRow]) -> str:
    """The column that says what a token costs in these rows: money where all have a price, else accelerator-hours."""
    priced = all(row.usd_per_million_tokens is not None for row in rows)
    return "usd_per_million_tokens" if priced else "gpu_hours_per_billion_tokens"


def front(rows: Sequence[SweepRow]) -> list[SweepRow]:
    """The rows that no other beats in tokens per second and cost of a token at once, the fastest first."""
    column = price_of_speed(rows)
    known = [(row, row.found.tokens_per_s or 0.0, float(row.flat()[column] or 0.0)) for row in rows]
    best: list[SweepRow] = []
    cheapest = float("inf")
    for row, _, cost in sorted(known, key=lambda one: (-one[1], one[2])):
        if cost < cheapest:
            best.append(row)
            cheapest = cost
    return best


def reasons(result: SweepResult) -> list[tuple[int, str, str]]:
    """Why points have no layout: how many, the status, the reason; the most frequent first."""
    counted = Counter((row.found.status, row.found.reason) for row in result.rows if row.found.status != "ok")
    return [(count, status, reason) for (status, reason), count in counted.most_common()]


def statuses(result: SweepResult) -> Counter[str]:
    """How many rows have each status."""
    return Counter(row.found.status for row in result.rows)
