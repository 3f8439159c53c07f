"""What several reports show and no result holds as such: losses, who is behind and why, telling stages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from myriad.spec.mixed import MixResult
from myriad.spec.result import (
    TIME_PARTS,
    JobOnPool,
    JobPlan,
    RankedLayout,
    SearchResult,
    Sensitivity,
    StageLoad,
    StageMemory,
    TrainingEstimate,
)

#: Parts in which the matrix units do work that the model asked for; all else is a loss.
USEFUL_PARTS: Final = frozenset({"gemm", "expert_gemm", "attention", "recurrent", "embedding_loss"})

StageRole = Literal["first", "worst", "last"]


def parts_present(parts: Iterable[Mapping[str, float]], order: tuple[str, ...] = TIME_PARTS) -> list[str]:
    """The parts that are above zero in any of the breakdowns, in the order of reports."""
    breakdowns = list(parts)
    return [name for name in order if any(b.get(name, 0.0) > 0 for b in breakdowns)]


def losses(estimate: TrainingEstimate, count: int = 3) -> list[tuple[str, float]]:
    """The largest parts of a step that are not useful work, as (part, seconds)."""
    lost = [(part, s) for part, s in estimate.time_parts_s.items() if part not in USEFUL_PARTS and s > 0]
    return sorted(lost, key=lambda item: -item[1])[:count]


def behind(row: Mapping[str, float], best: Mapping[str, float], count: int = 3) -> list[tuple[str, float]]:
    """The parts in which a layout is slower than the best, as (part, seconds), those below 0.1 % of a step left out."""
    smallest_s = 1e-3 * sum(best.values())
    slower = [(part, row.get(part, 0.0) - best.get(part, 0.0)) for part in TIME_PARTS]
    return sorted((item for item in slower if item[1] > smallest_s), key=lambda item: -item[1])[:count]


def telling_stages(estimate: TrainingEstimate) -> list[tuple[tuple[StageRole, ...], StageMemory]]:
    """First, fullest and last pipeline stage, each once, with the roles that it has."""
    first, last = estimate.memory[0], estimate.memory[-1]
    worst = max(estimate.memory, key=lambda s: s.total_bytes)
    roles: dict[int, list[StageRole]] = {}
    named: tuple[tuple[StageRole, StageMemory], ...] = (("first", first), ("worst", worst), ("last", last))
    for role, stage in named:
        roles.setdefault(stage.stage, []).append(role)
    by_number = {s.stage: s for s in (first, worst, last)}
    return [(tuple(roles[number]), by_number[number]) for number in sorted(by_number)]


@dataclass(frozen=True)
class StageGroup:
    """Pipeline stages on which the same lies."""

    stages: tuple[int, ...]
    load: StageLoad
    """Of the first of them, its layers in the order in which kinds are met in the model."""
    embeds: bool
    ends: bool
    """Whether the head lies there."""


def stage_groups(estimate: TrainingEstimate) -> list[StageGroup]:
    """The stages of a pipeline, equal ones together, by the first of each; none where there is one stage alone."""
    last = len(estimate.stages) - 1
    kinds = list(dict.fromkeys(kind for load in estimate.stages for kind in load.layers))
    found: dict[object, StageGroup] = {}
    for load in estimate.stages if last else ():
        layers = {kind: load.layers[kind] for kind in kinds if kind in load.layers}
        embeds, ends = load.stage == 0, load.stage == last
        key = (load.chunks, tuple(layers.items()), load.prediction_depths, embeds, ends)
        group = found.get(key) or StageGroup((), load.model_copy(update={"layers": layers}), embeds, ends)
        found[key] = replace(group, stages=(*group.stages, load.stage))
    return list(found.values())


def pools_of(job: JobPlan) -> list[JobOnPool]:
    """The chosen pool first, then the others as planned."""
    return [*([job.chosen] if job.chosen else []), *job.others]


def mix_of(job: JobPlan) -> MixResult | None:
    """The pools together, chosen or not; `None` where the job has no mix or it cannot be had."""
    return next((option.mix for option in pools_of(job) if option.mix is not None), None)


def change(sensitivity: Sensitivity) -> float:
    """The change of a resource with its sign: less latency is the better one."""
    size = abs(sensitivity.change_fraction)
    return -size if sensitivity.resource == "latency" else size


def band_factors(estimate: TrainingEstimate) -> tuple[float, float] | None:
    """Ends of the band over the step time: what time, energy and money of a job are multiplied by at either end."""
    if estimate.band is None:
        return None
    return estimate.band.low_step_s / estimate.step_s, estimate.band.high_step_s / estimate.step_s


def largest(values: Iterable[float | None]) -> float:
    """The largest of the values that are there, 0 if none is: what a column's unit is chosen by."""
    return max((v for v in values if v is not None), default=0.0)


def caveats(job: JobPlan) -> list[str]:
    """Where the job's estimate leaves what was checked, each once."""
    of_estimate = job.chosen.estimate.caveats if job.chosen and job.chosen.estimate else ()
    mix = mix_of(job)
    return list(dict.fromkeys((*job.caveats, *of_estimate, *(mix.caveats if mix else ()))))


def rejections(search: SearchResult) -> list[tuple[str, int]]:
    """Reasons with their counts, most frequent first."""
    return sorted(((r, c) for r, c in search.rejected.items() if c), key=lambda item: (-item[1], item[0]))


@dataclass(frozen=True)
class FrameworkRules:
    """Which framework cannot run which layout, as numbered notes under a table."""

    notes: tuple[tuple[str, str], ...]
    """(framework, rule) of each note; the first has number 1."""

    @classmethod
    def of(cls, rows: Iterable[RankedLayout]) -> FrameworkRules:
        found = {(name, rule): None for row in rows for name, rule in row.runs_on.items() if rule}
        return cls(tuple(found))

    def number(self, framework: str, rule: str) -> int:
        """The number of a note."""
        return self.notes.index((framework, rule)) + 1
