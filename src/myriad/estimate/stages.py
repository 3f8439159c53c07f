"""Pipeline stages of many layouts at once; stages of a layout that cost the same are one.

Two stages are one if they hold the same blocks and neither end of the model. In a schedule that needs less memory
the later a stage is, the first of them is the fullest, so that it stands for all; the sum of all stages counts it
as often as there are stages. A hundred layers on 64 stages so become three or four, and all pipeline shapes of a
search together have some dozen.

Axes: S (stages of a layout that differ), V (stages of all shapes that differ), K (kinds of blocks), C (layouts).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from myriad.estimate.layers import Costs, ModelCosts
from myriad.estimate.pipeline import DUALPIPE, ZB_V, chunk_places
from myriad.estimate.placement import predicts_apart, stage_layers
from myriad.estimate.setting import Setting, StageKind
from myriad.spec.layout import IntArray, LayoutTable

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stages:
    """The stages of some layouts, (S, C). Where a layout has fewer than S that differ, the last ones are empty."""

    kind: IntArray
    """Which of the V stages it is."""
    number: Array
    """Its place in the pipeline, from 0."""
    times: Array
    """Stages of the layout that it stands for; 0 for empty ones."""
    is_first: Array
    """1 for the stage with the embedding, else 0."""
    is_last: Array
    mirror: IntArray
    """The stage that is as far from the other end."""

    def take(self, index: IntArray, most: int) -> Stages:
        """These layouts, of which none has more than so many stages that differ."""
        return Stages(**{f.name: getattr(self, f.name)[:most, index] for f in fields(self)})

    def mirrored(self, values: Array) -> Array:
        """Each stage's value (S, C) and that of its mirror."""
        return np.asarray(values + np.take_along_axis(values, self.mirror, axis=0))


@dataclass(frozen=True)
class StageTable:
    """Every stage that differs, of all pipeline shapes (pp, vpp) in a table of layouts."""

    holds: Array
    """Blocks of each kind, and whether the first and the last end of the model; (V, K + 2)."""
    of: Callable[[LayoutTable], Stages]
    """The stages of any layouts that have these shapes."""

    def costs(self, costs: ModelCosts) -> Costs:
        """What each stage costs under each cut, (V, U): its blocks, and the ends where they are."""
        things = (costs.blocks, costs.first, costs.last)
        return Costs(
            **{
                f.name: self.holds @ np.concatenate([getattr(thing, f.name) for thing in things], axis=-2)
                for f in fields(Costs)
            }
        )


def stage_table(setting: Setting, layouts: LayoutTable, *, merged: bool, split: tuple[int, ...] = ()) -> StageTable:
    """The stages of these layouts, whose layers all lie as the split says, or by the software's own rule.

    With `merged` equal stages are one: where a schedule mirrors them, those whose mirrors are equal too. Otherwise
    every stage of a layout is its own.
    """
    shapes = layouts.take(layouts.distinct("pp", "vpp", "schedule").first)
    num_kinds = len(setting.model.block_kinds()) + predicts_apart(setting.model, split)
    kinds: dict[StageKind, int] = {((0.0,) * num_kinds, False, False): 0}  # 0 is empty
    found = []
    keys = sorted(set(zip(shapes.pp.tolist(), shapes.vpp.tolist(), _placing(shapes).tolist(), strict=True)))
    for pp, vpp, placing in keys:
        stages = _kinds_of_stages(setting, (pp, vpp, placing == _IN_A_V), split)
        for stage in stages:
            kinds.setdefault(stage, len(kinds))
        found.append(_stages([kinds[stage] for stage in stages], merged, placing == _MIRRORED))
    most = max(len(stages["number"]) for stages in found)
    is_first = np.array([float(first) for _, first, _ in kinds])
    is_last = np.array([float(last) for _, _, last in kinds])
    kind = _stacked([stages["kind"] for stages in found], most)
    times = _stacked([stages["times"] for stages in found], most)
    every = Stages(
        kind=kind,
        number=_stacked([stages["number"] for stages in found], most).astype(float),
        times=times.astype(float),
        is_first=is_first[kind],
        is_last=is_last[kind],
        mirror=_stacked([stages["mirror"] for stages in found], most),
    )
    place = np.zeros((int(shapes.pp.max()) + 1, int(shapes.vpp.max()) + 1, 3), dtype=np.int64)
    for index, key in enumerate(keys):
        place[key] = index
    needed = np.array([len(stages["number"]) for stages in found])

    def of(table: LayoutTable) -> Stages:
        at = place[table.pp, table.vpp, _placing(table)]
        return every.take(at, int(needed[at].max()))

    return StageTable(holds=np.array([[*own, first, last] for own, first, last in kinds], dtype=float), of=of)


_AROUND, _IN_A_V, _MIRRORED = range(3)


def _placing(layouts: LayoutTable) -> IntArray:
    """How chunks lie on stages: round and round, in a V, or from both ends."""
    return np.where(layouts.schedule == ZB_V, _IN_A_V, np.where(layouts.schedule == DUALPIPE, _MIRRORED, _AROUND))


def _kinds_of_stages(setting: Setting, key: tuple[int, int, bool], split: tuple[int, ...]) -> list[StageKind]:
    """The stages of one shape in turn."""
    if not split and key in setting.known_stages:
        return setting.known_stages[key]
    places = chunk_places(*key)
    counts = stage_counts(setting, places, split).T.tolist()
    found = [(tuple(own), number == 0, number == int(places[-1])) for number, own in enumerate(counts)]
    if not split:
        setting.known_stages[key] = found
    return found


def _stages(kinds: list[int], merged: bool, mirrored: bool) -> dict[str, list[int]]:
    """The stages of one shape that differ, given the kind of each."""
    members: dict[object, list[int]] = {}
    for number, (kind, opposite) in enumerate(zip(kinds, kinds[::-1], strict=True)):
        key = (kind, opposite if mirrored else 0) if merged else number
        members.setdefault(key, []).append(number)
    place = {number: index for index, equal in enumerate(members.values()) for number in equal}
    first = [equal[0] for equal in members.values()]
    return {
        "kind": [kinds[number] for number in first],
        "number": first,
        "times": [len(equal) for equal in members.values()],
        "mirror": [place[len(kinds) - 1 - number] for number in first],
    }


def _stacked(columns: list[list[int]], most: int) -> IntArray:
    """One column per shape, (most, G), filled up with zeros to so many stages."""
    return np.array([column + [0] * (most - len(column)) for column in columns], dtype=np.int64).T


def stage_counts(setting: Setting, places: IntArray, split: tuple[int, ...] = ()) -> Array:
    """Blocks of each kind on each stage with those of multi-token prediction, (K, pp); see `stage_layers`."""
    return stage_layers(setting.model, places, setting.end_layers, setting.stack.counts_layers, split)
