"""Searches the layouts of one training job on one cluster, splits of layers over stages included."""

from __future__ import annotations

from myriad.api.split import refined
from myriad.api.training import result_of, search_layouts, setting_of, usual_least_gpus
from myriad.search.rank import Objective, Progress
from myriad.spec.cluster import Cluster
from myriad.spec.job import TrainingWork
from myriad.spec.model import Model
from myriad.spec.result import SearchResult
from myriad.spec.system import MEMORY_HEADROOM


def search_training(
    model: str | Model,
    cluster: str | Cluster,
    work: TrainingWork,
    *,
    objective: Objective = "time",
    least_gpus: int | None = None,
    step_limit_s: float | None = None,
    memory_headroom: float = MEMORY_HEADROOM,
    top: int = 20,
    progress: Progress | None = None,
    cores: int | None = None,
) -> SearchResult:
    """The best layouts of one job on one cluster.

    `least_gpus` is the fewest accelerators that a layout may use: unless given, three quarters of the cluster
    for the objective `time`, half for `cost`, one for `gpus` (fewer where nothing else divides).
    `memory_headroom` is the share of the memory that a layout must leave free, `cores` how many cores of this machine
    to use (all unless given). The best layouts, and the best of those that barely do not fit, are also tried with their
    layers split anew over the stages, where the software can (`api.split.refined` says which). Raises InfeasibleError
    if nothing fits.
    """
    setting = setting_of(model, cluster, work)
    if least_gpus is None:
        least_gpus = usual_least_gpus(setting.cluster, objective)
    searched = search_layouts(
        setting,
        objective=objective,
        least_gpus=least_gpus,
        step_limit_s=step_limit_s,
        memory_headroom=memory_headroom,
        progress=progress,
        cores=cores,
    )
    return result_of(refined(searched, objective, step_limit_s), objective, top)
