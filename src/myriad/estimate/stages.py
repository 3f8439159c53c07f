"""Pipeline stages of many layouts at once; stages of a layout that cost the same are one.

Two stages are one if they hold the same blocks and neither end of the model. In a schedule that needs less memory
the later a stage is, the first of them is the fullest, so that it stands for all; the sum of all stages counts it
as often as there are stages. A hundred layers on 64 stages so become three or four.

Axes: S (stages that differ), K (kinds of blocks), G (shapes: pp and vpp), C (layouts).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from myriad.estimate.pipeline import DUALPIPE, ZB_V, chunk_places, layer_counts
from myriad.estimate.setting import Setting
from myriad.spec.layout import IntArray, LayoutTable

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stages:
    """The stages of some layouts. Where a layout has fewer than S that differ, the last ones are empty."""

    counts: Array
    """Blocks of each kind, (S, K, C)."""
    number: Array
    """Place of the stage in its pipeline, from 0; (S, C)."""
    times: Array
    """Stages of the layout that it stands for, (S, C); 0 for empty ones."""
    is_first: Array
    """1 for the stage with the embedding, else 0; (S, C)."""
    is_last: Array
    mirror: IntArray
    """The stage that is as far from the other end, (S, C)."""

    def sums(self, blocks: Array, first: Array, last: Array) -> Array:
        """A cost per stage, (S, C): of its blocks, given per kind (K, C), and of the ends (1, C) where they are."""
        total: Array = self.is_first * first[0] + self.is_last * last[0]
        for kind, cost in enumerate(blocks):
            total += self.counts[:, kind] * cost
        return total

    def at(self, stage: IntArray) -> tuple[Array, Array, Array]:
        """Of one stage of each layout (C,): its blocks (K, C), whether it is the first, and the last, (C,)."""
        rows = np.arange(len(stage))
        counts = np.stack([self.counts[:, kind][stage, rows] for kind in range(self.counts.shape[1])])
        return counts, self.is_first[stage, rows], self.is_last[stage, rows]

    def take(self, index: IntArray) -> Stages:
        return _each(lambda name: getattr(self, name)[..., index])

    def mirrored(self, values: Array) -> Array:
        """Each stage's value (S, C) and that of its mirror."""
        return np.asarray(values + np.take_along_axis(values, self.mirror, axis=0))


def stages_of(setting: Setting, layouts: LayoutTable, *, merged: bool) -> Callable[[LayoutTable], Stages]:
    """What gives the stages of any layouts with the pipeline shapes of these, by their pp, vpp and place of chunks.

    With `merged` equal stages are one: where a schedule mirrors them, those whose mirrors are equal too. Otherwise
    every stage is its own.
    """
    shapes = layouts.distinct("pp", "vpp", "schedule").layouts
    mirrored = bool((layouts.schedule == DUALPIPE).any())
    keys = sorted({_shape(*one) for one in zip(shapes.pp, shapes.vpp, shapes.schedule, strict=True)})
    found = [_stages(setting, *key, merged, mirrored) for key in keys]
    most = max(len(stages.number) for stages in found)
    every = _each(lambda name: _stacked([getattr(stages, name) for stages in found], most))
    place = np.zeros((int(shapes.pp.max()) + 1, int(shapes.vpp.max()) + 1, 2), dtype=np.int64)
    for index, key in enumerate(keys):
        place[key] = index
    return lambda table: every.take(place[table.pp, table.vpp, (table.schedule == ZB_V).astype(np.int64)])


def _shape(pp: int, vpp: int, schedule: int) -> tuple[int, int, int]:
    """What decides on which stage a chunk is: stages, chunks per stage, and 1 where they lie in a V."""
    return int(pp), int(vpp), int(schedule == ZB_V)


def _each(column: Callable[[str], Any]) -> Stages:
    """Stages with each field made by its name."""
    return Stages(**{f.name: column(f.name) for f in fields(Stages)})


def _stacked(columns: list[Array], most: int) -> Array:
    """One column per shape along a new last axis, filled up with zeros to so many stages."""
    out = np.zeros((most, *columns[0].shape[1:], len(columns)), dtype=columns[0].dtype)
    for index, column in enumerate(columns):
        out[: len(column), ..., index] = column
    return out


def _stages(setting: Setting, pp: int, vpp: int, in_a_v: int, merged: bool, mirrored: bool) -> Stages:
    """The stages of one shape, without the last axis."""
    places = chunk_places(pp, vpp, bool(in_a_v))
    counts = stage_counts(setting, places)
    number = np.arange(pp)
    key = np.vstack([counts, number == 0, number == places[-1]])
    if not merged:
        key = np.vstack([key, number])
    elif mirrored:
        key = np.vstack([key, key[:, ::-1]])
    _, first, index, times = np.unique(key, axis=1, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)  # by where they are in the pipeline
    kept, place = first[order], np.argsort(order)
    return Stages(
        counts=counts[:, kept].T,
        number=kept.astype(float),
        times=times[order].astype(float),
        is_first=(kept == 0).astype(float),
        is_last=(kept == places[-1]).astype(float),
        mirror=place[index.ravel()][pp - 1 - kept],
    )


def stage_counts(setting: Setting, places: IntArray) -> Array:
    """Blocks of each kind on each stage with those of multi-token prediction, which are with the last; (K, pp)."""
    model, kinds = setting.model, setting.model.block_kinds()
    counts = layer_counts(model.layer_kinds(), kinds, places, setting.end_layers, setting.stack.counts_layers)
    if model.mtp_depths and model.mtp_block is not None:
        counts[kinds.index(model.mtp_block), places[-1]] += model.mtp_depths
    return counts
