"""Search the deployments of one model for the best under promised latency; names are looked up here."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from math import ceil

import numpy as np

from myriad import __version__, catalog
from myriad.api.serving import estimate_serving, machine_of
from myriad.errors import InfeasibleError, MissingDataError, SpecError, unknown_name
from myriad.search.serving import Passed, Ranked, first_pass, rank_deployments
from myriad.search.serving_front import Front, fronts
from myriad.search.serving_rules import ServingCase, division_problem
from myriad.search.serving_space import enumerate_serving_layouts
from myriad.search.serving_states import GPU_TIME_PARTS, Deployments, Kinds, States
from myriad.search.serving_units import Choice, Question
from myriad.spec.cluster import Cluster
from myriad.spec.model import Model
from myriad.spec.serving import (
    SERVING_PRECISIONS,
    CachePrecision,
    Deployment,
    Objective,
    Requests,
    ServingPrecision,
    ServingWork,
)
from myriad.spec.serving_search import DeploymentPoint, Limit, PrefillPlace, RankedDeployment, ServingSearch
from myriad.units import format_seconds

USUAL_PRECISIONS: tuple[ServingPrecision, ...] = ("bf16", "fp8", "nvfp4")
"""Looked at where the caller names none, as far as the accelerator has them."""
USUAL_CACHES: tuple[CachePrecision, ...] = ("bf16", "fp8")


def search_serving(
    model: str | Model,
    cluster: str | Cluster,
    requests: Requests,
    objective: Objective | None = None,
    *,
    requests_per_s: float | None = None,
    concurrency: float | None = None,
    work: ServingWork | None = None,
    precisions: Iterable[ServingPrecision] | None = None,
    kv_precisions: Iterable[CachePrecision] | None = None,
    prefill: PrefillPlace = "any",
    top: int = 10,
    cores: int | None = None,
) -> ServingSearch:
    """The best deployments of a model on up to all accelerators of a cluster that keep the objective.

    Without more, the best answers the most requests per second; with `requests_per_s` it has the fewest accelerators
    that answer these, with `concurrency` the highest rate per accelerator under so many at once. `work` says how
    replicas run, but for their precisions, which are `precisions` and `kv_precisions` or the usual ones of the
    accelerator, and for the limits of their batches, which are searched. `prefill` may keep prompts on the replicas
    that decode, or on others. Narrower weights and caches may change what a model answers: name those that you allow.

    Raises SpecError for unknown names, MissingDataError for figures that the catalog lacks, InfeasibleError, with what
    comes nearest, where no deployment keeps the objective.
    """
    start = time.perf_counter()
    if requests_per_s is not None and concurrency is not None:
        raise SpecError("requests_per_s and concurrency: give one of them, the other follows")
    found = catalog.model(model) if isinstance(model, str) else model
    machines = catalog.cluster(cluster) if isinstance(cluster, str) else cluster
    choices, total, rejected = _choices(found, machines, work or ServingWork(), precisions, kv_precisions)
    asked = Question(
        model=found,
        choices=choices,
        num_gpus=machines.num_accelerators,
        requests=requests,
        objective=objective or Objective(),
        requests_per_s=requests_per_s,
        concurrency=concurrency,
        prefill=prefill,
    )
    if not choices:
        raise InfeasibleError(f"{_where(asked, machines)}: no layout is left; {_reasons(rejected)}")
    passed = first_pass(asked, cores or os.cpu_count() or 1)
    ranked = rank_deployments(asked, passed, top)
    if not len(ranked.order):
        raise InfeasibleError(_nothing(asked, machines, passed))
    seconds = time.perf_counter() - start
    names = (catalog.find("models", model) or model if isinstance(model, str) else model.name, machines.accelerator_id)
    rows = tuple(_ranked(asked, passed, ranked, names))
    shown = {name: tuple(_points(asked, passed, front, names)) for name, front in fronts(asked, passed).items()}
    evaluated = passed.evaluated + len(ranked.concurrency)
    return ServingSearch(
        version=__version__,
        model=names[0],
        accelerator=names[1],
        num_gpus=machines.num_accelerators,
        requests=requests,
        objective=asked.objective,
        requests_per_s=requests_per_s,
        concurrency=concurrency,
        prefill=prefill,
        layouts_enumerated=total,
        configurations_evaluated=evaluated,
        configurations_fitting=passed.fitting(asked),
        rejected=dict(rejected + Counter(passed.rejected)),
        search_s=seconds,
        configurations_per_s=evaluated / seconds,
        best=estimate_serving(found, machines, rows[0].deployment, requests, rows[0].concurrency),
        ranked=rows,
        pareto=shown.pop("", ()),
        curves=shown,
    )


def check_deployment(model: Model, cluster: Cluster, deployment: Deployment) -> None:
    """Raises SpecError for a layout that cannot exist, and for more accelerators than there are."""
    for replicas in (deployment.replicas, *([deployment.prefill] if deployment.prefill else [])):
        if problem := division_problem(ServingCase(model, cluster, replicas.work), replicas.layout):
            raise SpecError(f"layout {replicas.layout.text()}: {problem} ({model.name})")
    if deployment.gpus > cluster.num_accelerators:
        raise SpecError(
            f"the deployment takes {deployment.gpus} accelerators, there are {cluster.num_accelerators} of "
            f"{cluster.accelerator.name}"
        )


def _choices(
    model: Model,
    cluster: Cluster,
    work: ServingWork,
    precisions: Iterable[ServingPrecision] | None,
    kv_precisions: Iterable[CachePrecision] | None,
) -> tuple[tuple[Choice, ...], int, Counter[str]]:
    """Ways to run with the layouts of each, how many layouts there were, and why others went."""
    found, total, rejected = [], 0, Counter[str]()
    half: tuple[ServingPrecision, ...] = ("fp16",) if cluster.accelerator.bf16_flops_per_s is None else ()
    named = tuple(precisions) if precisions is not None else (*half, *USUAL_PRECISIONS)
    caches = tuple(kv_precisions) if kv_precisions is not None else USUAL_CACHES
    for precision in named:
        if precision not in SERVING_PRECISIONS:
            raise SpecError(unknown_name("precision", str(precision), SERVING_PRECISIONS))
        for cache in caches:
            # Tokens travel to experts as the engine does by default, or each to the ranks of its experts alone.
            for dispatch in (work.dispatch,) if work.dispatch or not model.routed_experts() else (None, "all-to-all"):
                run = work.model_copy(
                    update={"precision": precision, "kv_precision": cache, "dispatch": dispatch, "max_sequences": None,
                            "max_batched_tokens": None}
                )  # fmt: skip
                try:
                    machine = machine_of(cluster, run)
                except MissingDataError:
                    # What nobody asked for is left out where the catalog has no figures for it.
                    spare = work.dispatch is None and dispatch == "all-to-all"
                    if precisions is None or (kv_precisions is None and cache != "bf16") or spare:
                        continue
                    raise
                every = enumerate_serving_layouts(ServingCase(model, cluster, run), cluster.num_accelerators)
                # One copy of attention has nothing to dispatch: its layouts are those of the engine's default.
                own = every.layouts.dp > (1 if dispatch == "all-to-all" and work.dispatch is None else 0)
                total += every.total
                rejected += Counter(every.rejected)
                if own.any():
                    found.append(Choice(run, machine, every.layouts.take(np.flatnonzero(own))))
    if not found and not rejected:
        machine_of(cluster, work)
        raise MissingDataError(f"{cluster.accelerator.name} has none of the precisions {', '.join(named)}")
    return tuple(found), total, rejected


def deployment_of(
    question: Question, kinds: Kinds, of: Deployments, row: int, concurrency: float, names: tuple[str, str]
) -> Deployment:
    """A row as a deployment whose batches are bounded at the given concurrency."""
    apart = of.prefill[row] >= 0
    copies = float(kinds.copies(of.take(np.array([row])))[0])
    most = max(1, ceil(concurrency / copies - 1e-9))
    units = kinds.decoding if apart else kinds.working
    before = kinds.working.replicas(question, of.prefill[row], int(of.prefill_count[row]), None) if apart else None
    return Deployment(
        model=names[0],
        accelerator=names[1],
        replicas=units.replicas(question, of.unit[row], int(of.count[row]), most),
        prefill=before,
    )


def _ranked(question: Question, passed: Passed, ranked: Ranked, names: tuple[str, str]) -> Iterator[RankedDeployment]:
    states = ranked.states
    spent = [{part: float(states.gpu_s_per_token[part][row]) for part in GPU_TIME_PARTS} for row in ranked.order]
    for place, row in enumerate(ranked.order):
        point = _point(question, passed, ranked.deployments, row, float(ranked.concurrency[row]), states, names)
        yield RankedDeployment(
            **dict(point),
            rank=place + 1,
            limit=_limit(question, ranked, row),
            gpu_time_parts_s={part: value for part, value in spent[place].items() if value > 0.0},
            loses_by=_loses_by(spent[place], spent[0]),
        )


def _limit(question: Question, ranked: Ranked, row: int) -> Limit:
    """Of all that is bounded, what is used up most."""
    if question.requests_per_s is not None or question.concurrency is not None:
        return "load"
    states = ranked.states
    used: dict[Limit, float] = {
        "ttft": float(states.ttft_at_s[row]) / question.ttft_s,
        "tpot": float(states.tpot_at_s[row]) / question.tpot_s,
        "memory": float(states.memory_used[row]),
        "prefill": float(states.prefill_used[row]),
    }
    return max(used, key=lambda name: used[name])


def _loses_by(spent: dict[str, float], best: dict[str, float], limit: int = 3) -> str:
    """What takes more accelerator time per token than in the best: `expert_gemm +0.12 ms, ...`."""
    smallest_s = 1e-3 * sum(best.values())
    more = sorted(((spent[part] - best[part], part) for part in spent), reverse=True)
    return ", ".join(f"{part} +{1e3 * by:.3g} ms" for by, part in more[:limit] if by > smallest_s)


def _points(question: Question, passed: Passed, front: Front, names: tuple[str, str]) -> Iterator[DeploymentPoint]:
    for row, load in enumerate(front.concurrency.tolist()):
        yield _point(question, passed, front.deployments, row, load, front, names)


def _point(
    question: Question,
    passed: Passed,
    deployments: Deployments,
    row: int,
    load: float,
    states: States | Front,
    names: tuple[str, str],
) -> DeploymentPoint:
    """What the row of these columns says of a deployment under its load."""
    rate, tpot_s = float(states.requests_per_s[row]), float(states.tpot_s[row])
    output = rate * question.requests.output_tokens
    return DeploymentPoint(
        deployment=deployment_of(question, passed.kinds, deployments, row, load, names),
        concurrency=load,
        requests_per_s=rate,
        output_tokens_per_s=output,
        output_tokens_per_s_per_gpu=output / float(passed.kinds.gpus(deployments.take(np.array([row])))[0]),
        tokens_per_s_per_user=1.0 / tpot_s,
        ttft_s=float(states.ttft_s[row]),
        ttft_at_percentile_s=float(states.ttft_at_s[row]),
        tpot_s=tpot_s,
        tpot_at_percentile_s=float(states.tpot_at_s[row]),
    )


def _where(question: Question, cluster: Cluster) -> str:
    return f"{question.model.name} on {cluster.num_accelerators} x {cluster.accelerator.name}"


def _reasons(counts: Counter[str], limit: int = 2) -> str:
    return "; ".join(f"{reason} ({number:,})" for reason, number in counts.most_common(limit))


def _nothing(question: Question, cluster: Cluster, passed: Passed) -> str:
    """Why nothing keeps the promises, in one line: the shortest times that there are, or what is in the way."""
    where, percentile = _where(question, cluster), f"p{question.objective.percentile:g}"
    points = passed.points
    if not points.held.any() and not passed.decode.held.any():
        return f"{where}: no deployment fits in memory; {_reasons(Counter(passed.rejected))}"
    ttft_s = float(np.min(np.where(points.held, points.ttft_at_s, np.inf), initial=np.inf))
    ttft_s = min(ttft_s, float(np.min(np.where(passed.sides.fits, passed.sides.least_s, np.inf), initial=np.inf)))
    tpot_s = min(
        float(np.min(np.where(side.held, side.tpot_at_s, np.inf), initial=np.inf)) for side in (points, passed.decode)
    )
    if ttft_s > question.ttft_s:
        return (
            f"{where}: no deployment keeps TTFT {format_seconds(question.ttft_s)} at {percentile}: the shortest is "
            f"{format_seconds(ttft_s)}"
        )
    if tpot_s > question.tpot_s:
        return (
            f"{where}: no deployment keeps TPOT {format_seconds(question.tpot_s)} at {percentile}: the shortest is "
            f"{format_seconds(tpot_s)}"
        )
    asked = ""
    if question.requests_per_s is not None:
        asked = f" at {question.requests_per_s:g} requests per second"
    elif question.concurrency is not None:
        asked = f" with {question.concurrency:g} requests at once"
    return (
        f"{where}: no deployment keeps all promises{asked}; alone TTFT can be {format_seconds(ttft_s)} and TPOT "
        f"{format_seconds(tpot_s)} at {percentile}; ask for less, or give more accelerators"
    )
