"""What a sweep found: one row per point, and the flat columns that tables and files have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

from pydantic import Field

from myriad.spec.base import Spec
from myriad.spec.layout import Layout
from myriad.spec.result import TIME_PARTS, BandBasis
from myriad.spec.split import split_text
from myriad.spec.sweep import SweepPoint

Status = Literal["ok", "infeasible", "error"]
Scalar = str | int | float | bool | None


class Found(Spec):
    """The outcome of one search: its best layout, or why there is none."""

    status: Status
    """`infeasible`: no layout fits or is fast enough. `error`: the point itself is wrong."""
    reason: str = ""
    scale_up_bytes_per_s: float | None = None
    """Bandwidth of one accelerator, one way, as used; `None` where the cluster has no such tier."""
    scale_out_bytes_per_s: float | None = None
    layout: Layout | None = None
    num_gpus: int | None = None
    """Accelerators that the layout uses."""
    step_s: float | None = None
    low_step_s: float | None = None
    """The band around `step_s`."""
    high_step_s: float | None = None
    band_basis: BandBasis | None = None
    tokens_per_s: float | None = None
    tokens_per_s_per_gpu: float | None = None
    mfu: float | None = None
    hfu: float | None = None
    memory_peak_bytes: float | None = None
    memory_capacity_bytes: float | None = None
    time_parts_s: dict[str, float] = Field(default={})
    """By `TIME_PARTS`; sums to `step_s`."""
    caveats: tuple[str, ...] = ()
    layouts_evaluated: int = 0
    layouts_fitting: int = 0
    search_s: float = 0.0
    """Wall time of the search."""


class SweepRow(Spec):
    """One point, what the search found there, and what that means in hours and money."""

    point: SweepPoint
    found: Found
    price_usd_per_gpu_hour: float | None = None
    gpu_hours_per_billion_tokens: float | None = None
    usd_per_million_tokens: float | None = None
    days: float | None = None
    """Of the whole job, where `tokens` are given; as `gpu_hours` and `cost_usd`."""
    gpu_hours: float | None = None
    cost_usd: float | None = None

    def flat(self) -> dict[str, Scalar]:
        """The row as one value per column of `COLUMNS`."""
        return {name: column.value(self) for name, column in COLUMNS.items()}


class SweepResult(Spec):
    """All rows of a sweep, in the order of its grid."""

    format: Literal["myriad-sweep-1"] = "myriad-sweep-1"
    name: str
    description: str
    version: str
    varied: tuple[str, ...]
    """Keys of points that differ between points."""
    rows: tuple[SweepRow, ...]
    searches: int
    """Points that differ in more than money; each is searched once."""
    reused: int
    """Searches that an earlier call had finished."""
    sweep_s: float
    """Wall time of this call."""


class Column(NamedTuple):
    """One column of a table of rows."""

    kind: type[str] | type[int] | type[float] | type[bool]
    value: Callable[[SweepRow], Scalar]


def _optimizer(row: SweepRow) -> str:
    """Its name and what differs from the default."""
    changed = row.point.optimizer.model_dump(exclude_defaults=True, exclude={"name"})
    return " ".join([row.point.optimizer.name, *(f"{key}={value:g}" for key, value in changed.items())])


def _of_point(name: str) -> Callable[[SweepRow], Any]:
    return lambda row: getattr(row.point, name)


def _of_found(name: str) -> Callable[[SweepRow], Any]:
    return lambda row: getattr(row.found, name)


def _of_layout(name: str) -> Callable[[SweepRow], Any]:
    def value(row: SweepRow) -> Any:
        found = None if row.found.layout is None else getattr(row.found.layout, name)
        return "+".join(found) if isinstance(found, tuple) else found

    return value


def _of_time(part: str) -> Callable[[SweepRow], Any]:
    return lambda row: row.found.time_parts_s.get(part, 0.0) if row.found.status == "ok" else None


def _of_row(name: str) -> Callable[[SweepRow], Any]:
    return lambda row: getattr(row, name)


COLUMNS: Final[dict[str, Column]] = {
    "model": Column(str, _of_point("model")),
    "accelerator": Column(str, _of_point("accelerator")),
    "gpus": Column(int, _of_point("gpus")),
    "fabric": Column(str, _of_point("fabric")),
    "scale_up_bytes_per_s": Column(float, lambda row: row.found.scale_up_bytes_per_s or row.point.scale_up_bandwidth),
    "scale_out_bytes_per_s": Column(
        float, lambda row: row.found.scale_out_bytes_per_s or row.point.scale_out_bandwidth
    ),
    "seq_len": Column(int, _of_point("seq_len")),
    "global_batch": Column(int, _of_point("global_batch")),
    "precision": Column(str, _of_point("precision")),
    "optimizer": Column(str, _optimizer),
    "stack": Column(str, _of_point("stack")),
    "switches": Column(str, lambda row: "+".join(row.point.switches)),
    "expert_imbalance": Column(float, _of_point("expert_imbalance")),
    "mtp_depths": Column(int, _of_point("mtp_depths")),
    "objective": Column(str, _of_point("objective")),
    "least_gpus": Column(int, _of_point("least_gpus")),
    "memory_headroom": Column(float, _of_point("memory_headroom")),
    "tokens": Column(float, _of_point("tokens")),
    "deadline_s": Column(float, _of_point("deadline")),
    "price_usd_per_gpu_hour": Column(float, _of_row("price_usd_per_gpu_hour")),
    "status": Column(str, _of_found("status")),
    "reason": Column(str, _of_found("reason")),
    "layout": Column(str, lambda row: "" if row.found.layout is None else row.found.layout.text()),
    "tp": Column(int, _of_layout("tp")),
    "sp": Column(bool, _of_layout("sp")),
    "pp": Column(int, _of_layout("pp")),
    "vpp": Column(int, _of_layout("vpp")),
    "split": Column(str, lambda row: None if row.found.layout is None else split_text(row.found.layout.split)),
    "cp": Column(int, _of_layout("cp")),
    "ep": Column(int, _of_layout("ep")),
    "etp": Column(int, _of_layout("etp")),
    "dp": Column(int, _of_layout("dp")),
    "zero": Column(int, _of_layout("zero")),
    "shard": Column(int, _of_layout("shard")),
    "micro_batch": Column(int, _of_layout("micro_batch")),
    "recompute": Column(str, _of_layout("recompute")),
    "offload_optimizer": Column(bool, _of_layout("offload_optimizer")),
    "schedule": Column(str, _of_layout("schedule")),
    "order": Column(str, _of_layout("order")),
    "num_gpus": Column(int, _of_found("num_gpus")),
    "step_s": Column(float, _of_found("step_s")),
    "low_step_s": Column(float, _of_found("low_step_s")),
    "high_step_s": Column(float, _of_found("high_step_s")),
    "band_basis": Column(str, _of_found("band_basis")),
    "tokens_per_s": Column(float, _of_found("tokens_per_s")),
    "tokens_per_s_per_gpu": Column(float, _of_found("tokens_per_s_per_gpu")),
    "mfu": Column(float, _of_found("mfu")),
    "hfu": Column(float, _of_found("hfu")),
    "memory_peak_bytes": Column(float, _of_found("memory_peak_bytes")),
    "memory_capacity_bytes": Column(float, _of_found("memory_capacity_bytes")),
    **{f"{part}_s": Column(float, _of_time(part)) for part in TIME_PARTS},
    "gpu_hours_per_billion_tokens": Column(float, _of_row("gpu_hours_per_billion_tokens")),
    "usd_per_million_tokens": Column(float, _of_row("usd_per_million_tokens")),
    "days": Column(float, _of_row("days")),
    "gpu_hours": Column(float, _of_row("gpu_hours")),
    "cost_usd": Column(float, _of_row("cost_usd")),
    "caveats": Column(str, lambda row: "; ".join(row.found.caveats)),
    "layouts_evaluated": Column(int, _of_found("layouts_evaluated")),
    "layouts_fitting": Column(int, _of_found("layouts_fitting")),
    "search_s": Column(float, _of_found("search_s")),
}
"""The columns of a row, in the order of files, and the type of each. A value that does not apply is `None`."""

COLUMN_OF: Final = {
    "scale_up_bandwidth": "scale_up_bytes_per_s", "scale_out_bandwidth": "scale_out_bytes_per_s",
    "deadline": "deadline_s", "price": "price_usd_per_gpu_hour",
}  # fmt: skip
"""The column of a key of points, where it is called otherwise."""
