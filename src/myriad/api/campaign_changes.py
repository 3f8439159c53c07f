"""What would help a campaign: changes of its cluster and its recovery, each a question of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from myriad.api.campaign_runs import Question, Runs
from myriad.api.campaigns import PlannedCampaign
from myriad.sim.failures import Breakable
from myriad.spec.recovery import Checkpoint
from myriad.spec.reliability import FailureCause
from myriad.units import DAY_S, format_seconds

COSTLIEST: Final = 3
"""Causes that are tried with half of their events."""
BURN_IN_S: Final = 7 * DAY_S


@dataclass(frozen=True)
class Change:
    """One thing different from the campaign as it is planned."""

    name: str
    """One of `spec.campaign_result.IMPROVEMENTS`."""
    detail: str
    question: Question
    usd_cost_per_day: float | None = None
    """What the change itself costs for each day of the run, where that is known."""


def changes_of(planned: PlannedCampaign, base: Runs) -> tuple[Change, ...]:
    """All changes that make sense for a campaign; its own runs say which causes cost it most."""
    return (
        *_spares(planned),
        *_times(planned),
        *_restarts(planned),
        *_checkpoints(planned),
        *_causes(planned, base),
        *_nodes(planned),
        *_modes(planned),
    )


def _spares(planned: PlannedCampaign) -> Iterator[Change]:
    question, spares = planned.question, planned.spare_nodes
    for name, more in (("one_spare", 1), ("ten_spares", 10)):
        cost = None if planned.usd_per_node_day is None else more * planned.usd_per_node_day
        wider = replace(question, breakable=with_nodes(question.breakable, more))
        yield Change(name, f"{spares} spare nodes to {spares + more}", wider, cost)
    if question.campaign.swap_s > 0.0:
        campaign = replace(question.campaign, swap_s=0.0)
        detail = f"swap of {format_seconds(question.campaign.swap_s)} to none"
        yield Change("hot_spares", detail, replace(question, campaign=campaign))


def _times(planned: PlannedCampaign) -> Iterator[Change]:
    """Detection, diagnosis and repair, where they take any time."""
    question = planned.question
    changes: tuple[tuple[str, Literal["detection", "diagnosis", "repair"], str, Callable[[float], float]], ...] = (
        (
            "detection_minute", "detection", "1 min off every mean time of detection",
            lambda mean: max(0.0, mean - 60.0),
        ),
        ("detection_half", "detection", "half of every time of detection", _half),
        ("diagnosis_half", "diagnosis", "half of every time of diagnosis", _half),
        ("repair_half", "repair", "half of every time of repair", _half),
    )  # fmt: skip
    for name, phase, detail, shorter in changes:
        if any(getattr(cause, phase).mean > 0.0 for _, cause in question.breakable.causes):
            breakable = with_durations(question.breakable, phase, shorter)
            yield Change(name, detail, replace(question, breakable=breakable))
    crews = question.campaign.repair_crews
    if crews is not None:
        campaign = replace(question.campaign, repair_crews=2 * crews)
        yield Change("crews_twice", f"{crews} repair crews to {2 * crews}", replace(question, campaign=campaign))


def _restarts(planned: PlannedCampaign) -> Iterator[Change]:
    question, restart_s = planned.question, planned.question.campaign.restart_s
    if restart_s > 0.0:
        campaign = replace(question.campaign, restart_s=restart_s / 2.0)
        detail = f"restart of {format_seconds(restart_s)} to {format_seconds(restart_s / 2.0)}"
        yield Change("restart_half", detail, replace(question, campaign=campaign))


def _checkpoints(planned: PlannedCampaign) -> Iterator[Change]:
    question, recovery = planned.question, planned.planned.job.recovery
    levels = question.campaign.levels
    if any(one.interval is not None for one in recovery.checkpoints):
        free = tuple(one.model_copy(update={"interval": None}) for one in recovery.checkpoints)
        best = planned.recovering(recovery.model_copy(update={"checkpoints": free}))
        places = (
            f"{old.to}: interval of {format_seconds(old.interval_s)} to {format_seconds(new.interval_s)}"
            for old, new in zip(levels, best.levels, strict=True)
        )
        yield Change("best_interval", "; ".join(places), replace(question, campaign=best))
    if any(level.blocking_s > 0.0 for level in levels):
        shorter = tuple(
            replace(level, blocking_s=level.blocking_s / 2.0, write_s=level.write_s - level.blocking_s / 2.0)
            for level in levels
        )
        campaign = replace(question.campaign, levels=shorter)
        detail = "half of every time for which a checkpoint stops training"
        yield Change("blocking_half", detail, replace(question, campaign=campaign))
    if all(one.to != "peer-memory" for one in recovery.checkpoints):
        more = (*recovery.checkpoints, Checkpoint(to="peer-memory"))
        campaign = planned.recovering(recovery.model_copy(update={"checkpoints": more}))
        (added,) = (level for level in campaign.levels if level.to == "peer-memory")
        detail = f"copies in the memory of a peer every {format_seconds(added.interval_s)}"
        yield Change("peer_memory", detail, replace(question, campaign=campaign))


def _causes(planned: PlannedCampaign, base: Runs) -> Iterator[Change]:
    names = [name for name, _ in planned.question.breakable.causes]
    cost_s = base.cost_s.mean(axis=0)
    for index in np.argsort(-cost_s, kind="stable")[:COSTLIEST]:
        if cost_s[index] > 0.0:
            question = replace(planned.question, kept_share={names[index]: 0.5})
            yield Change("cause_half", f"half of the events of {names[index]}", question)


def _nodes(planned: PlannedCampaign) -> Iterator[Change]:
    breakable = planned.question.breakable
    share, times = breakable.lemon_share, breakable.lemon_times
    if share > 0.0 and times > 1.0:
        # The mean rate holds lemons and others: without lemons it is that of the others.
        usual = 1.0 / (1.0 - share + share * times)
        without = replace(breakable, lemon_share=0.0, causes=tuple(_like_others(breakable, usual)))
        detail = f"without the {share:.2%} of the nodes that fail {times:g} times as often"
        yield Change("lemons_out", detail, replace(planned.question, breakable=without))
    if any(cause.shape < 1.0 and cause.rate.per_1000_unit_days > 0.0 for _, cause in breakable.causes):
        older = replace(breakable, age_s=breakable.age_s + BURN_IN_S)
        detail = f"{format_seconds(BURN_IN_S)} more of tests before nodes are handed over"
        yield Change("burn_in", detail, replace(planned.question, breakable=older))


def _like_others(breakable: Breakable, usual: float) -> Iterator[tuple[str, FailureCause]]:
    for name, cause in breakable.causes:
        machine = cause.unit in ("accelerator", "node", "link") and cause.component != "software"
        rate = cause.rate.per_1000_unit_days * (usual if machine else 1.0)
        new = cause.rate.model_copy(update={"per_1000_unit_days": rate, "low": None, "high": None})
        yield name, cause.model_copy(update={"rate": new})


def _modes(planned: PlannedCampaign) -> Iterator[Change]:
    question, nodes, recovery = planned.question, planned.question.campaign.replica_nodes, planned.planned.job.recovery
    if nodes >= question.campaign.nodes or question.campaign.nodes % nodes:
        return
    told: dict[Literal["elastic", "replica"], str] = {
        "elastic": f"replicas of {nodes} nodes leave where no spare is left, and return",
        "replica": f"replicas of {nodes} nodes go on without a broken one",
    }
    for mode, detail in told.items():
        if question.campaign.mode != mode:
            campaign = planned.recovering(recovery.model_copy(update={"mode": mode}))
            yield Change(mode, detail, replace(question, campaign=campaign))


def with_nodes(breakable: Breakable, more: int) -> Breakable:
    """The cluster with more nodes at its end, there from the start and as old as the first one."""
    return replace(
        breakable,
        num_nodes=breakable.num_nodes + more,
        switches=breakable.switches * (breakable.num_nodes + more) / breakable.num_nodes,
        joined_s=np.append(breakable.joined_s, np.zeros(more)),
        age_s=np.append(breakable.age_s, np.full(more, breakable.age_s[0])),
    )


def with_durations(
    breakable: Breakable, phase: Literal["detection", "diagnosis", "repair"], changed: Callable[[float], float]
) -> Breakable:
    """The cluster with other mean times of one phase of every incident."""

    def one(cause: FailureCause) -> FailureCause:
        duration = getattr(cause, phase)
        new = duration.model_copy(update={"mean": changed(duration.mean), "low": None, "high": None})
        return cause.model_copy(update={phase: new})

    return replace(breakable, causes=tuple((name, one(cause)) for name, cause in breakable.causes))


def _half(mean: float) -> float:
    return mean / 2.0
