"""Estimate and search one training job on one cluster; names are looked up here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from myriad import catalog
from myriad.api.domain import caveats
from myriad.api.step_timeline import timeline_step_s
from myriad.errors import InfeasibleError, SpecError, unknown_name
from myriad.estimate.device import device
from myriad.estimate.flops import DEFINITIONS
from myriad.estimate.setting import Setting, model_flops_per_token
from myriad.estimate.table import STATE_COLUMNS, estimate_table, state_bytes_bound
from myriad.estimate.training import estimate_layout, layout_operations
from myriad.estimate.uncertainty import band
from myriad.search.rank import Objective, Progress, Ranking, distinct_rows, loses_by, pareto_rows, rank
from myriad.search.rules import Case, Rule, first_violation, runs_on
from myriad.search.space import Enumerated, Space, default_space, enumerate_layouts
from myriad.spec.cluster import Cluster
from myriad.spec.fitted import TrainingFit
from myriad.spec.job import TrainingWork
from myriad.spec.layout import IntArray, Layout
from myriad.spec.model import Model
from myriad.spec.result import (
    COMPUTED_FLOPS,
    TIME_PARTS,
    BandBasis,
    OperationTime,
    RankedLayout,
    SearchResult,
    TrainingEstimate,
)
from myriad.spec.system import MEMORY_HEADROOM
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
        stack=catalog.stack(work.stack).switched(work.switches),
    )


def estimate_training(
    model: str | Model,
    cluster: str | Cluster,
    layout: Layout,
    work: TrainingWork,
    flops_definition: str = COMPUTED_FLOPS,
) -> TrainingEstimate:
    """Time, memory and rates of one layout; FLOPs, MFU and HFU as computed or by a published definition.

    A layout that does not fit in memory is estimated all the same, with `fits` false. Raises SpecError
    for one that does not divide, or that needs more accelerators than there are.
    """
    if flops_definition not in (COMPUTED_FLOPS, *DEFINITIONS):
        raise SpecError(unknown_name("FLOPs definition", flops_definition, (COMPUTED_FLOPS, *DEFINITIONS)))
    setting = setting_of(model, cluster, work)
    check_divides(setting, layout)
    return _by_definition(open_up(setting, layout), setting, flops_definition)


def _by_definition(estimate: TrainingEstimate, setting: Setting, name: str) -> TrainingEstimate:
    """The estimate with its FLOPs and utilisations counted another way; times stay."""
    if name == estimate.flops_definition:
        return estimate
    model_flops = DEFINITIONS[name](setting.model, setting.work.seq_len)
    hardware_flops = model_flops + estimate.hardware_flops_per_token - estimate.model_flops_per_token
    per_flop = estimate.tokens_per_s_per_gpu / estimate.peak_flops_per_s
    return estimate.model_copy(
        update={
            "flops_definition": name,
            "model_flops_per_token": model_flops,
            "hardware_flops_per_token": hardware_flops,
            "mfu": model_flops * per_flop,
            "hfu": hardware_flops * per_flop,
        }
    )


def case_of(setting: Setting) -> Case:
    """What the rules of layouts look at."""
    return Case(setting.model, setting.cluster, setting.work, setting.end_layers)


def check_divides(setting: Setting, layout: Layout) -> None:
    """Raises SpecError with the reason and the numbers if the layout cannot exist for this job."""
    if problem := first_violation(case_of(setting), layout):
        work = setting.work
        raise SpecError(
            f"layout {layout.text()}: {problem} ({setting.model.name}: {setting.model.num_layers} layers; "
            f"global batch {work.global_batch}, sequence {work.seq_len}, "
            f"{setting.cluster.num_accelerators} accelerators)"
        )


def open_up(setting: Setting, layout: Layout) -> TrainingEstimate:
    """The estimate of one layout with what frameworks say to it and how far it is trusted."""
    case = case_of(setting)
    estimate = estimate_layout(setting, layout)
    fit = catalog.training_fit()
    around = band(estimate.step_s, fit.bands, setting.model.family, band_basis(setting, fit))
    return estimate.model_copy(
        update={
            "runs_on": runs_on(case, layout),
            "timeline_step_s": timeline_step_s(setting, estimate),
            "band": around,
            "caveats": caveats(setting, layout),
        }
    )


def band_basis(setting: Setting, fit: TrainingFit) -> BandBasis:
    """Whether runs of this software, and on this accelerator, were fitted."""
    stack = catalog.find("stacks", setting.work.software) in fit.stacks
    accelerator = setting.cluster.accelerator_id in fit.accelerators
    if stack:
        return "known" if accelerator else "unknown accelerator"
    return "unknown stack" if accelerator else "unknown both"


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
    capacity_bytes: float
    """Memory that a layout may fill."""
    seconds: float
    layouts_split: int = 0
    """Layouts that splits of their layers were searched for."""


def search_layouts(
    setting: Setting,
    *,
    objective: Objective = "time",
    least_gpus: int = 1,
    strictly: bool = False,
    step_limit_s: float | None = None,
    memory_headroom: float = MEMORY_HEADROOM,
    space: Space | None = None,
    progress: Progress | None = None,
    cores: int | None = None,
) -> Searched:
    """Enumerate, evaluate and rank every layout that the job's software can run and that leaves the headroom.

    `space` holds the choices of every dimension: unless given, all that are worth asking about.
    """
    start = time.perf_counter()
    case = case_of(setting)
    capacity = setting.device.memory_bytes * (1.0 - memory_headroom)
    space = space or default_space(case, least_gpus, setting.stack.fused_attention, strictly)
    enumerated = enumerate_layouts(case, space, setting.stack.framework, (states_fit(setting, capacity),))
    ranking = rank(
        enumerated.layouts, lambda x: estimate_table(setting, x), capacity, objective, step_limit_s, progress, cores
    )
    return Searched(setting, enumerated, ranking, capacity, time.perf_counter() - start)


def states_fit(setting: Setting, capacity_bytes: float) -> Rule:
    """What drops layouts before anything else of them is known: the states alone are a lower bound of the memory."""
    return Rule(
        "weights, gradients and optimizer states alone do not fit in memory",
        frozenset(STATE_COLUMNS),
        lambda _, x: state_bytes_bound(setting, x) > capacity_bytes,
    )


def result_of(
    searched: Searched, objective: Objective, top: int = 20, job_usd: Callable[[int, float], float] | None = None
) -> SearchResult:
    """The search as a result; `job_usd` prices a job by accelerators and step time.

    Raises InfeasibleError, with the closest miss, if nothing fits.
    """
    setting, ranking = searched.setting, searched.ranking
    rejected = dict(searched.enumerated.rejected)
    if too_big := len(ranking.layouts) - len(ranking.order):
        rejected["does not fit in memory"] = too_big
    if not len(ranking.order):
        raise InfeasibleError(nothing_fits(searched))
    place_of = np.empty(len(ranking.layouts), dtype=np.int64)
    place_of[ranking.order] = np.arange(1, len(ranking.order) + 1)
    return SearchResult(
        layouts_enumerated=searched.enumerated.total,
        layouts_evaluated=len(ranking.layouts),
        layouts_fitting=len(ranking.order),
        layouts_split=searched.layouts_split,
        rejected=rejected,
        search_s=searched.seconds,
        layouts_per_s=len(ranking.layouts) / searched.seconds,
        objective=objective,
        best=open_up(setting, ranking.layout(int(ranking.order[0]))),
        ranked=_ranked(searched, distinct_rows(ranking, top), place_of, job_usd),
        pareto=_ranked(searched, pareto_rows(ranking), place_of, job_usd),
    )


def _ranked(
    searched: Searched, rows: IntArray, place_of: IntArray, job_usd: Callable[[int, float], float] | None
) -> tuple[RankedLayout, ...]:
    """Rows of the ranking with their parts, which the ranking itself does not keep."""
    setting, ranking = searched.setting, searched.ranking
    case = case_of(setting)
    tokens_per_step = float(setting.work.global_batch) * setting.work.seq_len
    flops_per_token = model_flops_per_token(setting)
    with_best = np.concatenate((ranking.order[:1], rows))
    parts = estimate_table(setting, ranking.layouts.take(with_best), ranking.splits(with_best.tolist())).parts_s
    found = []
    for row, own_parts in zip(rows, parts[:, 1:].T, strict=True):
        layout, step_s, gpus = ranking.layout(int(row)), float(ranking.step_s[row]), int(ranking.num_gpus[row])
        placed = ranking.placed.get(int(row))
        own_step_s = placed.own_step_s if placed else None
        per_gpu = tokens_per_step / step_s / gpus
        found.append(
            RankedLayout(
                rank=int(place_of[row]),
                layout=layout,
                step_s=step_s,
                tokens_per_s_per_gpu=per_gpu,
                mfu=per_gpu * flops_per_token / setting.device.gemm_flops_per_s,
                memory_peak_bytes=float(ranking.memory_peak_bytes[row]),
                num_gpus=gpus,
                cost_usd=None if job_usd is None else job_usd(gpus, step_s),
                time_parts_s={p: float(v) for p, v in zip(TIME_PARTS, own_parts, strict=True)},
                runs_on=runs_on(case, layout),
                split_gain_fraction=None if own_step_s is None else 1 - step_s / own_step_s,
                split_gap_fraction=placed.gap_fraction if placed else None,
                loses_by=loses_by(own_parts, parts[:, 0]),
            )
        )
    return tuple(found)


def nothing_fits(searched: Searched) -> str:
    """Why a search came back empty, in one line."""
    setting, ranking = searched.setting, searched.ranking
    where = f"{setting.model.name} on {setting.cluster.num_accelerators} x {setting.cluster.accelerator.name}"
    if not len(ranking.layouts):
        # Memory first: where it rules out the last layouts, all other reasons are beside the point.
        counted = searched.enumerated.rejected.items()
        reasons = sorted(counted, key=lambda x: ("memory" not in x[0], -x[1]))[:2]
        return f"{where}: no layout is left; " + "; ".join(f"{reason} ({n:,})" for reason, n in reasons)
    nearest = int(np.argmin(ranking.missing_bytes))
    lacks = format_bytes(float(ranking.missing_bytes[nearest]))
    return (
        f"{where}: none of {len(ranking.layouts):,} layouts fits in memory; the nearest, "
        f"{ranking.layouts.row(nearest).text()}, lacks {lacks} per accelerator"
    )


def usual_least_gpus(cluster: Cluster, objective: Objective) -> int:
    """The fewest accelerators worth a look: three quarters of the cluster when time counts, half for cost."""
    share = {"time": 0.75, "cost": 0.5, "gpus": 0.0}[objective]
    return max(1, int(cluster.num_accelerators * share))


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
