"""Judges links by published times and bandwidths of collectives: error by row and by group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from itertools import combinations
from typing import Final

from myriad.spec.interconnect import INTERCONNECT_GROUPS, InterconnectRowResult, InterconnectValidation
from myriad.spec.validation import GroupError
from myriad.validate.errors import group_error
from myriad.validate.interconnect_cases import SIZES, Case, judged_cases
from myriad.validate.interconnect_rows import InterconnectRow

_OF: Final[dict[str, Callable[[InterconnectRowResult], str]]] = {
    "fit": lambda one: (
        "rows that figures of links were fitted to" if one.fitted else "rows that no figure was fitted to"
    ),
    "collective": lambda one: one.collective,
    "size": lambda one: one.size,
    "GPUs": lambda one: f"{one.gpus:,}",
    "collective, size, GPUs": lambda one: f"{one.collective}, {one.size}, {one.gpus:,}",
    "node": lambda one: one.node,
    "timed by": lambda one: one.timed_by or "not stated",
    "source": lambda one: one.source,
}


def validate_interconnect_rows(rows: Sequence[InterconnectRow]) -> InterconnectValidation:
    """Errors of the estimate on these rows; a row that cannot be judged is skipped with its reason."""
    cases, skipped = judged_cases(list(rows))
    results = sorted((_result(case) for case in cases), key=lambda one: -abs(one.error))
    return InterconnectValidation(
        rows=len(rows),
        predicted=len(results),
        skipped=skipped,
        overall=group_error([one.error for one in results]) if results else None,
        groups={kind: _groups(results, kind) for kind in INTERCONNECT_GROUPS},
        repeated=repeated(cases),
        per_row=tuple(results),
    )


def _result(case: Case) -> InterconnectRowResult:
    row = case.row
    return InterconnectRowResult(
        id=row.id,
        source=row.source,
        system=row.system,
        node=case.node,
        gpus=case.gpus,
        collective=row.collective,
        algorithm=row.algorithm,
        size=case.size,
        message_bytes=row.message_bytes,
        timed_by=row.timed_by,
        fitted=row.fitted,
        bandwidth_of=row.bandwidth_of,
        measured_bytes_per_s=case.counted_bytes / case.measured_s,
        predicted_bytes_per_s=case.counted_bytes / case.predicted_s,
        measured_s=case.measured_s,
        predicted_s=case.predicted_s,
        error=case.measured_s / case.predicted_s - 1.0,
        notes=row.notes,
    )


def _groups(results: Sequence[InterconnectRowResult], kind: str) -> dict[str, GroupError]:
    """Groups by name, counts of GPUs and sizes in their order."""
    found: dict[str, list[InterconnectRowResult]] = defaultdict(list)
    for one in results:
        found[_OF[kind](one)].append(one)

    def place(name: str) -> tuple[str, int, int]:
        first = found[name][0]
        by_size = SIZES.index(first.size) if first.size in SIZES else len(SIZES)
        match kind:
            case "GPUs":
                return "", first.gpus, 0
            case "size":
                return "", by_size, 0
            case "collective, size, GPUs":
                return first.collective, by_size, first.gpus
        return name, 0, 0

    return {name: group_error([one.error for one in found[name]]) for name in sorted(found, key=place)}


def repeated(cases: Sequence[Case]) -> GroupError | None:
    """How far measured times of one collective lie apart: larger / smaller - 1 of every pair from two sources."""
    same: dict[Hashable, list[Case]] = defaultdict(list)
    for case in cases:
        row = case.row
        if row.message_bytes is not None and row.timed_by != "torch":
            same[case.node, case.gpus, row.collective, row.message_bytes, row.algorithm].append(case)
    apart = [
        max(one.measured_s, other.measured_s) / min(one.measured_s, other.measured_s) - 1.0
        for group in same.values()
        for one, other in combinations(group, 2)
        if one.row.source != other.row.source
    ]
    return group_error(apart) if apart else None
