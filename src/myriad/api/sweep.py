"""Sweeps: the search of `search_training` at every point of a grid, one row each."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from myriad import __version__, catalog
from myriad.api.clusters import on_fabric
from myriad.api.fingerprint import fingerprint
from myriad.api.search import search_training
from myriad.engine import Engine, Journal, Local, run_points
from myriad.errors import InfeasibleError, LaunchError, MissingDataError, MyriadError, SpecError
from myriad.spec.cluster import Cluster
from myriad.spec.job import TrainingWork
from myriad.spec.model import Model
from myriad.spec.sweep import Grid, SweepPoint
from myriad.spec.sweep_result import Found, SweepResult, SweepRow
from myriad.units import DAY_S, HOUR_S, format_seconds

Progress = Callable[[int, int], None]
Started = Callable[[int, int, int], None]
"""Called once before the work with the number of points, of searches, and of searches that are done already."""


def sweep(
    grid: Grid | Path,
    *,
    journal: Path | None = None,
    engine: Engine | None = None,
    started: Started | None = None,
    progress: Progress | None = None,
) -> SweepResult:
    """One row for every point of a grid: the best layout there, or why there is none.

    Points that differ in price or tokens alone share a search. `journal` names a file that keeps each finished
    search: a second call, also of another grid, takes from it what it holds and what this installation would
    find again. The engine is this machine unless given. Raises SpecError for a grid that is wrong or names what
    the catalog does not have; what is wrong with one point only is said in its row.
    """
    start = time.perf_counter()
    read = catalog.read_spec(grid, Grid) if isinstance(grid, Path) else grid
    try:
        _check_names(read)
        rates = {"USD": 1.0, **catalog.usd_per_currency()}
        points = list(read.points())
        prices = [None if point.price is None else point.price.usd(rates) for point in points]
    except (SpecError, MissingDataError) as error:
        raise type(error)(catalog.located(grid, str(error)) if isinstance(grid, Path) else str(error)) from None
    of_point = [searched_point(point) for point in points]
    keys = [point_key(point) for point in of_point]
    found: dict[str, Found] = {}
    with ExitStack() as stack:
        kept = None if journal is None else stack.enter_context(Journal(journal))
        if kept is not None:
            found = {key: Found.model_validate(kept.results[key]) for key in dict.fromkeys(keys) if key in kept.results}
        reused = len(found)
        left = {key: point for key, point in zip(keys, of_point, strict=True) if key not in found}
        searches = reused + len(left)

        def finished(key: str, one: Found) -> None:
            if kept is not None:
                kept.add(key, one.model_dump(mode="json"))
            found[key] = one
            if progress is not None:
                progress(len(found), searches)

        if started is not None:
            started(len(points), searches, reused)
        if progress is not None and left:
            progress(reused, searches)
        run_points(left, partial(search_point, resting_on=fingerprint()), engine or Local(), finished)
    return SweepResult(
        name=read.name,
        description=read.description,
        version=__version__,
        varied=read.varied,
        rows=tuple(row_of(point, found[key], price) for point, key, price in zip(points, keys, prices, strict=True)),
        searches=searches,
        reused=reused,
        sweep_s=time.perf_counter() - start,
    )


def _check_names(grid: Grid) -> None:
    """Raises SpecError for a name that the catalog lacks, before any search begins."""
    looked_up: Mapping[str, Callable[[str], object]] = {
        "model": catalog.model, "accelerator": _machine, "stack": catalog.stack, "fabric": catalog.fabric,
    }  # fmt: skip
    for key, look_up in looked_up.items():
        for place, name in grid.values(key):
            if name is None:
                continue
            try:
                look_up(name)
            except (SpecError, MissingDataError) as error:
                raise type(error)(f"{place}: {error}") from None


def _machine(name: str) -> Cluster:
    """Any cluster of a kind of accelerator or node."""
    number = catalog.node(name).num_accelerators if catalog.find("nodes", name) is not None else 1
    return catalog.cluster(f"{name}:{number}")


def searched_point(point: SweepPoint) -> SweepPoint:
    """The point without what its search does not look at."""
    unused = {"price"} if point.deadline is not None else {"price", "tokens"}
    return point.model_copy(update=dict.fromkeys(unused))


def point_key(point: SweepPoint) -> str:
    """What a finished search is kept under: a digest of its point and of all that its result rests on."""
    text = json.dumps(point.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(f"{text}\n{fingerprint()}".encode()).hexdigest()[:32]


def search_point(point: SweepPoint, resting_on: str) -> Found:
    """The best layout at a point, or why there is none.

    Raises LaunchError where this process has other formulas or another catalog than the sweep.
    """
    if fingerprint() != resting_on:
        raise LaunchError(
            "a worker has another version of Myriad or of its catalog than this machine; install the same on both"
        )
    start = time.perf_counter()
    try:
        found = _searched(point)
    except InfeasibleError as error:
        found = Found(status="infeasible", reason=str(error))
    except MyriadError as error:
        found = Found(status="error", reason=str(error))
    return found.model_copy(update={"search_s": time.perf_counter() - start})


def _searched(point: SweepPoint) -> Found:
    cluster = cluster_of_point(point)
    limit_s = None
    if point.deadline is not None and point.tokens is not None:
        limit_s = point.deadline * point.seq_len * point.global_batch / point.tokens
    result = search_training(
        _model(point),
        cluster,
        TrainingWork(
            seq_len=point.seq_len,
            global_batch=point.global_batch,
            precision=point.precision,
            optimizer=point.optimizer,
            stack=point.stack,
            switches=point.switches,
            expert_imbalance=point.expert_imbalance,
        ),
        objective=point.objective,
        least_gpus=point.least_gpus,
        step_limit_s=limit_s,
        memory_headroom=point.memory_headroom,
        top=1,
        cores=1,  # engines run a point on every core
    )
    best, band = result.best, result.best.band
    if limit_s is not None and best.step_s > limit_s:
        raise InfeasibleError(
            f"no layout is fast enough: a step may take {format_seconds(limit_s)}, "
            f"the nearest takes {format_seconds(best.step_s)}"
        )
    across = {link.tier: link.bytes_per_s_one_way for link in reversed(cluster.links)}  # the nearest of each
    return Found(
        status="ok",
        scale_up_bytes_per_s=across.get("scale-up"),
        scale_out_bytes_per_s=across.get("scale-out"),
        layout=best.layout,
        num_gpus=best.world_size,
        low_step_s=None if band is None else band.low_step_s,
        high_step_s=None if band is None else band.high_step_s,
        band_basis=None if band is None else band.basis,
        layouts_evaluated=result.layouts_evaluated,
        layouts_fitting=result.layouts_fitting,
        **{name: getattr(best, name) for name in _AS_ESTIMATED},
    )


_AS_ESTIMATED: Final = (
    "step_s", "tokens_per_s", "tokens_per_s_per_gpu", "mfu", "hfu", "memory_peak_bytes", "memory_capacity_bytes",
    "time_parts_s", "caveats",
)  # fmt: skip


def cluster_of_point(point: SweepPoint) -> Cluster:
    """The cluster of a point on its fabric, its own bandwidths in place of the node's.

    Raises SpecError, MissingDataError, or InfeasibleError where the fabric cannot join so many.
    """
    cluster = catalog.cluster(f"{point.accelerator}:{point.gpus}")
    own = {"scale-up": point.scale_up_bandwidth, "scale-out": point.scale_out_bandwidth}
    links = tuple(
        link if own.get(link.tier) is None else link.model_copy(update={"bytes_per_s_one_way": own[link.tier]})
        for link in cluster.links
    )
    machines = cluster.model_copy(update={"links": links})
    if point.fabric is None:
        return machines
    node, _ = catalog.counted_node(f"{point.accelerator}:{point.gpus}")
    return on_fabric(machines, node, catalog.fabric(point.fabric))


def _model(point: SweepPoint) -> Model:
    model = catalog.model(point.model)
    if point.mtp_depths is None:
        return model
    if point.mtp_depths > model.mtp_depths:
        raise SpecError(f"mtp_depths: {model.name} has {model.mtp_depths}, found {point.mtp_depths}")
    return model.model_copy(update={"mtp_depths": point.mtp_depths})


def row_of(point: SweepPoint, found: Found, usd_per_gpu_s: float | None) -> SweepRow:
    """The row of a point: hours and money per token, and of the whole job where its tokens are given."""
    price = None if usd_per_gpu_s is None else usd_per_gpu_s * HOUR_S
    row = SweepRow(point=point, found=found, price_usd_per_gpu_hour=price)
    if found.tokens_per_s is None or found.num_gpus is None:
        return row
    gpu_s_per_token = found.num_gpus / found.tokens_per_s
    values = {"gpu_hours_per_billion_tokens": gpu_s_per_token * 1e9 / HOUR_S}
    if usd_per_gpu_s is not None:
        values["usd_per_million_tokens"] = gpu_s_per_token * usd_per_gpu_s * 1e6
    if point.tokens is not None:
        values |= {
            "days": point.tokens / found.tokens_per_s / DAY_S,
            "gpu_hours": point.tokens * gpu_s_per_token / HOUR_S,
        }
        if usd_per_gpu_s is not None:
            values["cost_usd"] = point.tokens * gpu_s_per_token * usd_per_gpu_s
    return row.model_copy(update=values)
