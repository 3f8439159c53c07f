"""One training job over several pools at once: each pool alone, replicas in every pool, a pipeline across two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from myriad.api.domain import caveats
from myriad.api.mixed_pipeline import join_pipeline
from myriad.api.mixed_replicas import join_replicas
from myriad.api.training import Searched, nothing_fits, search_layouts, setting_of, usual_least_gpus
from myriad.errors import InfeasibleError, SpecError
from myriad.search.rank import Progress
from myriad.spec.cluster import Cluster
from myriad.spec.job import TrainingWork
from myriad.spec.mixed import Join, LongLink, MixedEstimate, MixResult, PoolAlone
from myriad.spec.model import Model
from myriad.spec.system import MEMORY_HEADROOM

LARGEST_BATCH = 10**6
"""Sequences per step beyond which trying every division takes too long."""

MIX_CAVEATS = (
    "no published run over several kinds of accelerators or sites was checked: a mix has no band",
    "accelerators of different kinds round differently; what that means for convergence is left out",
    "a step needs all pools: their goodputs multiply, and a failure in one stops the others",
)


def mix_training(
    model: str | Model,
    pools: Mapping[str, str | Cluster],
    work: TrainingWork,
    link: LongLink,
    *,
    join: Literal["data", "pipeline", "best"] = "best",
    memory_headroom: float = MEMORY_HEADROOM,
    progress: Callable[[str], Progress | None] | None = None,
) -> MixResult:
    """One job over all the pools, which form a chain: every join that is asked for, and each pool alone.

    Layouts are searched for the shortest step; all pools run the same software in the same precision. What is
    modelled and what bounds it is said in `estimate.mixed`. Raises InfeasibleError if no join can be had.
    """
    if len(pools) < 2:
        raise SpecError(f"a mix needs at least two pools, found {len(pools)}")
    if join == "pipeline" and len(pools) != 2:
        raise SpecError(f"a pipeline joins two pools, found {len(pools)}")
    if work.global_batch > LARGEST_BATCH:
        raise SpecError(f"global_batch: a mix divides at most {LARGEST_BATCH:,} sequences, found {work.global_batch:,}")
    settings = {name: setting_of(model, cluster, work) for name, cluster in pools.items()}
    searches, alone = {}, []
    for name, setting in settings.items():
        searches[name] = search_layouts(
            setting,
            least_gpus=usual_least_gpus(setting.cluster, "time"),
            memory_headroom=memory_headroom,
            progress=progress(f"searching layouts on {name} alone") if progress else None,
        )
        alone.append(_alone(name, searches[name]))
    joined: list[MixedEstimate] = []
    impossible: dict[Join, str] = {}
    if join != "pipeline":
        try:
            joined.append(join_replicas(searches, link))
        except InfeasibleError as error:
            impossible["data"] = str(error)
    if join != "data" and len(settings) == 2:
        try:
            step = progress("searching pipelines across") if progress else None
            joined.append(join_pipeline(settings, link, memory_headroom, step))
        except InfeasibleError as error:
            impossible["pipeline"] = str(error)
    if not joined:
        raise InfeasibleError("; ".join(f"{name}: {reason}" for name, reason in impossible.items()))
    fastest = max(alone, key=lambda one: one.tokens_per_s or 0.0)
    compared = [_beside(estimate, fastest) for estimate in sorted(joined, key=lambda estimate: estimate.step_s)]
    own = (text for part in compared[0].parts for text in caveats(settings[part.pool], part.layout))
    return MixResult(
        link=link,
        alone=tuple(alone),
        joined=tuple(compared),
        impossible=impossible,
        caveats=tuple(dict.fromkeys((*own, *MIX_CAVEATS))),
    )


def _alone(name: str, searched: Searched) -> PoolAlone:
    ranking = searched.ranking
    if not len(ranking.order):
        return PoolAlone(pool=name, reason=nothing_fits(searched))
    best = int(ranking.order[0])
    layout, step_s = ranking.layouts.row(best), float(ranking.step_s[best])
    work = searched.setting.work
    tokens = float(work.global_batch) * work.seq_len
    return PoolAlone(pool=name, num_gpus=layout.world_size, layout=layout, step_s=step_s, tokens_per_s=tokens / step_s)


def _beside(estimate: MixedEstimate, fastest: PoolAlone) -> MixedEstimate:
    if fastest.tokens_per_s is None:
        return estimate
    gain = estimate.tokens_per_s / fastest.tokens_per_s - 1.0
    return estimate.model_copy(update={"best_alone": fastest.pool, "gain_fraction": gain})
