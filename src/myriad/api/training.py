"""Estimate and search one training job on one cluster; names are looked up here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from myriad import catalog
from myriad.api.domain import caveats
from myriad.errors import InfeasibleError, SpecError
from myriad.estimate.device import device
from myriad.estimate.training import (
    Setting,
    estimate_layout,
    estimate_table,
    layout_operations,
    model_flops_per_token,
)
from myriad.search.rank import Objective, Progress, Ranking, describe, evaluate_all, pareto_rows, rank
from myriad.search.rules import DIVISION_RULES, Case, runs_on, violations
from myriad.search.space import Enumerated, default_space, enumerate_layouts
from myriad.spec.cluster import Cluster
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout, LayoutTable
from myriad.spec.model import Model
from myriad.spec.result import OperationTime, RankedLayout, SearchResult, TrainingEstimate
from myriad.units import format_bytes


def setting_of(model: str | Model, cluster: str | Cluster, work: TrainingWork) -> Setting:
    """Model, cluster and work with all names looked up. Raises SpecError or MissingDataError."""
    found_model = catalog.model(model) if isinstance(model, str) else model
    found_cluster = catalog.cluster(cluster) if isinstance(cluster, str) else cluster
    kernels, calibrated = catalog.kernels(found_cluster.accelerator_id)
    return Setting(
        model=found_model,
        cluster=found_cluster,
        work=work,
        device=device(found_cluster.accelerator, kernels, work.precision, calibrated),
        stack=catalog.stack(work.stack),
    )


def estimate_training(
    model: str | Model, cluster: str | Cluster, layout: Layout, work: TrainingWork
) -> TrainingEstimate:
    """Time, memory and rates of one layout.

    A layout that does not fit in memory is estimated all the same, with `fits` false. Raises SpecError
    for one that does not divide, or that needs more accelerators than there are.
    """
    setting = setting_of(model, cluster, work)
    check_divides(setting, layout)
    return open_up(setting, layout)


def check_divides(setting: Setting, layout: Layout) -> None:
    """Raises SpecError with the reason and the numbers if the layout cannot exist for this job."""
    case = Case(setting.model, setting.cluster, setting.work)
    _, counts = violations(DIVISION_RULES, case, LayoutTable.from_layouts([layout]))
    if counts:
        work = setting.work
        raise SpecError(
            f"layout {layout.text()}: {next(iter(counts))} ({setting.model.name}: {setting.model.num_layers} layers; "
            f"global batch {work.global_batch}, sequence {work.seq_len}, "
            f"{setting.cluster.num_accelerators} accelerators)"
        )


def open_up(setting: Setting, layout: Layout) -> TrainingEstimate:
    """The estimate of one layout with what frameworks say to it and how far it is trusted."""
    case = Case(setting.model, setting.cluster, setting.work)
    estimate = estimate_layout(setting, layout)
    return estimate.model_copy(update={"runs_on": runs_on(case, layout), "caveats": caveats(setting, layout)})


def operations_of(
    model: str | Model, cluster: str | Cluster, layout: Layout, work: TrainingWork
) -> tuple[OperationTime, ...]:
    """Every kind of operation of one step on the slowest stage: shape, calls, FLOPs, bytes, seconds."""
    setting = setting_of(model, cluster, work)
    check_divides(setting, layout)
    return layout_operations(setting, layout)


@dataclass(frozen=True)
class Searched:
    """A search with its columns still at hand, for comparisons and sensitivities."""

    setting: Setting
    enumerated: Enumerated
    ranking: Ranking
    seconds: float


def search_layouts(
    setting: Setting,
    *,
    objective: Objective = "time",
    least_gpus: int = 1,
    step_limit_s: float | None = None,
    progress: Progress | None = None,
) -> Searched:
    """Enumerate, evaluate and rank every layout that the job's software can run."""
    start = time.perf_counter()
    case = Case(setting.model, setting.cluster, setting.work)
    space = default_space(case, least_gpus)
    enumerated = enumerate_layouts(case, space, setting.stack.framework)

    table = evaluate_all(enumerated.layouts, lambda x: estimate_table(setting, x), progress)
    ranking = rank(enumerated.layouts, table, setting.device.memory_bytes, objective, step_limit_s)
    return Searched(setting, enumerated, ranking, time.perf_counter() - start)


def result_of(
    searched: Searched, objective: Objective, top: int = 20, job_usd: Callable[[int, float], float] | None = None
) -> SearchResult:
    """The search as a result. Raises InfeasibleError, with the closest miss, if nothing fits."""
    setting, ranking = searched.setting, searched.ranking
    rejected = dict(searched.enumerated.rejected)
    if too_big := len(ranking.layouts) - len(ranking.order):
        rejected["does not fit in memory"] = too_big
    if not len(ranking.order):
        raise InfeasibleError(nothing_fits(searched))
    tokens_per_step = float(setting.work.global_batch) * setting.work.seq_len
    mfu_per_rate = model_flops_per_token(setting) / setting.device.gemm_flops_per_s
    case = Case(setting.model, setting.cluster, setting.work)

    def ranked(row: int, position: int) -> RankedLayout:
        layout = ranking.layouts.row(row)
        one = describe(ranking, row, position, tokens_per_step, mfu_per_rate, runs_on(case, layout))
        if job_usd is None:
            return one
        return one.model_copy(update={"cost_usd": job_usd(one.num_gpus, one.step_s)})

    place_of = {int(row): position + 1 for position, row in enumerate(ranking.order)}
    return SearchResult(
        layouts_enumerated=searched.enumerated.total,
        layouts_evaluated=len(ranking.layouts),
        layouts_fitting=len(ranking.order),
        rejected=rejected,
        search_s=searched.seconds,
        layouts_per_s=len(ranking.layouts) / searched.seconds,
        objective=objective,
        best=open_up(setting, ranking.layouts.row(int(ranking.order[0]))),
        ranked=tuple(ranked(int(row), i + 1) for i, row in enumerate(ranking.order[:top])),
        pareto=tuple(ranked(int(row), place_of[int(row)]) for row in pareto_rows(ranking)),
    )


def nothing_fits(searched: Searched) -> str:
    """Why a search came back empty, in one line."""
    setting, ranking = searched.setting, searched.ranking
    where = f"{setting.model.name} on {setting.cluster.num_accelerators} x {setting.cluster.accelerator.name}"
    if not len(ranking.layouts):
        reasons = sorted(searched.enumerated.rejected.items(), key=lambda x: -x[1])[:2]
        return f"{where}: no layout divides; mostly: " + "; ".join(f"{reason} ({n:,})" for reason, n in reasons)
    nearest = int(np.argmin(ranking.missing_bytes))
    lacks = format_bytes(float(ranking.missing_bytes[nearest]))
    return (
        f"{where}: none of {len(ranking.layouts):,} layouts fits in memory; the nearest, "
        f"{ranking.layouts.row(nearest).text()}, lacks {lacks} per accelerator"
    )


def search_training(
    model: str | Model,
    cluster: str | Cluster,
    work: TrainingWork,
    *,
    objective: Objective = "time",
    least_gpus: int | None = None,
    step_limit_s: float | None = None,
    top: int = 20,
    progress: Progress | None = None,
) -> SearchResult:
    """The best layouts of one job on one cluster.

    `least_gpus` is the fewest accelerators that a layout may use: half of the cluster unless given, or one
    for the objective `gpus`. Raises InfeasibleError if nothing fits.
    """
    setting = setting_of(model, cluster, work)
    if least_gpus is None:
        least_gpus = 1 if objective == "gpus" else max(1, setting.cluster.num_accelerators // 2)
    searched = search_layouts(
        setting, objective=objective, least_gpus=least_gpus, step_limit_s=step_limit_s, progress=progress
    )
    return result_of(searched, objective, top)


def scaled(setting: Setting, resource: str, factor: float) -> Setting:
    """The setting with one resource multiplied; see `spec.result.Sensitivity` for the names."""
    cluster, chip = setting.cluster, setting.device
    match resource:
        case "matrix_rate":
            chip = replace(
                chip,
                gemm_flops_per_s=chip.gemm_flops_per_s * factor,
                attention_flops_per_s=chip.attention_flops_per_s * factor,
            )
        case "memory_bandwidth":
            chip = replace(chip, memory_bytes_per_s=chip.memory_bytes_per_s * factor)
        case "memory_capacity":
            chip = replace(chip, memory_bytes=chip.memory_bytes * factor)
        case "scale_up" | "scale_out":
            tier = resource.replace("_", "-")
            links = tuple(
                link.model_copy(update={"bytes_per_s_one_way": link.bytes_per_s_one_way * factor})
                if link.tier == tier
                else link
                for link in cluster.links
            )
            cluster = cluster.model_copy(update={"links": links})
        case "latency":
            links = tuple(link.model_copy(update={"latency_s": link.latency_s / factor}) for link in cluster.links)
            cluster = cluster.model_copy(update={"links": links})
            chip = replace(chip, launch_s=chip.launch_s / factor)
        case _:
            raise SpecError(f"unknown resource {resource!r}")
    return replace(setting, cluster=cluster, device=chip)
