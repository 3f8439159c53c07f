"""What goodput a job gets from a cluster that breaks, which checkpoint interval is best, and what costs it most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from myriad import __version__
from myriad.api.goodput_case import Case, case_of
from myriad.errors import SpecError
from myriad.estimate.goodput.best import best_intervals, with_interval
from myriad.estimate.goodput.expected import Gang, events_of, expected
from myriad.estimate.goodput.interruptions import Interruption
from myriad.estimate.goodput.kokolis import expected_ettr
from myriad.spec.goodput import (
    GoodputCause,
    GoodputChange,
    GoodputQuestion,
    GoodputResult,
    IntervalPoint,
    SizePoint,
)
from myriad.units import DAY_S

SIZES: Final = (8, 64, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)
"""Accelerators of the same job for which it is asked too."""
_CURVE: Final = 61
_CURVE_SPAN: Final = 30.0
"""The curve goes from so much below the intervals that are named to so much above them."""


def goodput(question: GoodputQuestion) -> GoodputResult:
    """The goodput of one job by the closed form, with what would change it.

    Raises SpecError or MissingDataError for names that the catalog lacks.
    """
    case = case_of(question)
    gang, causes = case.gang, case.causes
    found = expected(gang, causes)
    events = [event for _, event in events_of(gang, causes) if event.per_s > 0.0]
    rate = sum(event.per_s for event in events)
    down_s = sum(event.per_s / rate * event.down_s for event in events) if events else None
    lost_s = sum(event.per_s / rate * float(event.lost_s) for event in events) if events else None
    line = case.protected.lines[0]
    return GoodputResult(
        version=__version__,
        question=question,
        accelerators=case.accelerators,
        nodes=round(gang.nodes),
        spare_nodes=None if question.spares is None else gang.spare_nodes,
        mtti_s=found.mtti_s if events else None,
        ettr=float(found.ettr),
        parts={name: float(value) for name, value in found.parts.items()},
        checkpoint=line,
        downtime_s=down_s,
        lost_s=lost_s,
        intervals=_intervals(question, case),
        curve=_curve(case),
        changes=_changes(question, case),
        sizes=_sizes(question),
        causes=_by_cause(gang, causes),
        kokolis_ettr=None if down_s is None else float(expected_ettr(rate, line.interval_s, down_s)),
        waiting_spares=case.enough_spares,
        assumed=case.assumed,
    )


def _ettr(gang: Gang, causes: Sequence[Interruption]) -> float:
    return float(expected(gang, causes).ettr)


def _intervals(question: GoodputQuestion, case: Case) -> tuple[IntervalPoint, ...]:
    """The interval that is given, the best, and those of Young and Daly."""
    line = case.protected.lines[0]
    named = {} if question.checkpoint_interval is None else {"given": question.checkpoint_interval}
    if case.causes and any(cause.stops_per_s for cause in case.causes):
        named |= {"best": best_intervals(case.gang, case.causes, [0])[0], "young": line.young_s, "daly": line.daly_s}
    return tuple(
        IntervalPoint(name=name, interval_s=at, ettr=_ettr(with_interval(case.gang, 0, at), case.causes))
        for name, at in named.items()
        if at > 0.0
    )


def _curve(case: Case) -> tuple[IntervalPoint, ...]:
    """Expected ETTR over intervals around the one taken."""
    taken = case.protected.lines[0].interval_s
    tried = np.geomspace(taken / _CURVE_SPAN, taken * _CURVE_SPAN, _CURVE)
    ettr = np.broadcast_to(expected(with_interval(case.gang, 0, tried), case.causes).ettr, tried.shape)
    return tuple(
        IntervalPoint(name="", interval_s=float(at), ettr=float(value)) for at, value in zip(tried, ettr, strict=True)
    )


def _changes(question: GoodputQuestion, case: Case) -> tuple[GoodputChange, ...]:
    """What halving one thing would give; an interval that nobody gave is chosen anew each time."""
    gang, causes = case.gang, case.causes
    before = _ettr(gang, causes)

    def all_causes(**factors: float) -> tuple[Interruption, ...]:
        return tuple(replace(one, **{name: getattr(one, name) * by for name, by in factors.items()}) for one in causes)

    blocked = replace(gang.levels[0], blocking_s=gang.levels[0].blocking_s / 2)
    written = replace(gang.levels[0], write_s=np.maximum(gang.levels[0].write_s / 2, gang.levels[0].blocking_s))
    read = replace(gang.levels[0], read_s=gang.levels[0].read_s / 2)
    halves = {
        "failures_half": (gang, all_causes(per_s=0.5)),
        "detection_half": (gang, all_causes(detection_s=0.5, diagnosis_s=0.5)),
        "restart_half": (replace(gang, restart_s=gang.restart_s / 2, swap_s=gang.swap_s / 2, levels=(read,)), causes),
        "blocking_half": (replace(gang, levels=(blocked,)), causes),
        "write_half": (replace(gang, levels=(written,)), causes),
        "repair_half": (gang, all_causes(repair_s=0.5)),
    }
    found = []
    for name, (changed, broken) in halves.items():
        if question.checkpoint_interval is None:
            changed = with_interval(changed, 0, best_intervals(changed, broken, [0])[0])
        ettr = _ettr(changed, broken)
        found.append(GoodputChange(name=name, ettr=ettr, gain=ettr - before))
    if question.checkpoint_interval is not None:
        best = _ettr(with_interval(gang, 0, best_intervals(gang, causes, [0])[0]), causes)
        found.append(GoodputChange(name="best_interval", ettr=best, gain=best - before))
    return tuple(sorted((one for one in found if one.gain > 1e-6), key=lambda one: -one.gain))


def _sizes(question: GoodputQuestion) -> tuple[SizePoint, ...]:
    """The same job on other numbers of accelerators: failures grow with the nodes, the state stays as large."""
    found = []
    for size in SIZES:
        try:
            case = case_of(question, size)
        except SpecError:
            continue  # not a whole number of these nodes
        judged = expected(case.gang, case.causes)
        found.append(
            SizePoint(
                accelerators=size,
                mtti_s=float(judged.mtti_s) if np.isfinite(judged.mtti_s) else None,
                interval_s=case.protected.lines[0].interval_s,
                ettr=float(judged.ettr),
            )
        )
    return tuple(found)


def _by_cause(gang: Gang, causes: Sequence[Interruption]) -> tuple[GoodputCause, ...]:
    """What each cause takes, first order: its rate times what one event costs."""
    per_day: dict[str, float] = {cause.name: 0.0 for cause in causes}
    lost = dict(per_day)
    for cause, event in events_of(gang, causes):
        per_day[cause.name] += event.per_s * DAY_S
        taken_s = event.per_s * (event.down_s + float(event.lost_s) + float(event.saving_s))
        lost[cause.name] += taken_s + cause.per_s * cause.slow_s * (1.0 - cause.speed)
    found = [GoodputCause(name=name, interruptions_per_day=per_day[name], lost=min(1.0, lost[name])) for name in lost]
    return tuple(sorted(found, key=lambda one: -one.lost))
