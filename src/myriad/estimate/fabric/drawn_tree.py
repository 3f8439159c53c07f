"""Where the boxes of a fat tree lie: tiers in rows, pods and scalable units side by side, equal ones folded.

Up to 16 leaves are drawn one by one. Of more, the first ones and the last are, and one box stands for those between;
so it is with pods, units, spines and cores. Two networks beside each other are both drawn, more share one picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from myriad.estimate.fabric.folding import Folded, folded_places
from myriad.estimate.fabric.network import IntArray, Network
from myriad.spec.fabric import FatTree
from myriad.spec.fabric_drawing import DrawnBox, DrawnFrame

ONE_WIDE: Final = 44.0
FOLDED_WIDE: Final = 62.0
HIGH: Final = 26.0
GAP: Final = 12.0
ROW: Final = 92.0
APART: Final = 26.0
_WHOLE_LEAVES: Final = 16
_WHOLE_SWITCHES: Final = 40
_WHOLE_HOSTS: Final = 16


@dataclass(frozen=True)
class _Limits:
    """The most places of each kind that one network shows."""

    pods: int
    units: int
    leaves: int
    spines: int
    cores: int


@dataclass(frozen=True)
class _Copy:
    """One network of a fat tree; arrays over its switches, numbered from 0 in each tier."""

    leaf_pod: IntArray
    leaf_in_pod: IntArray
    spine_pod: IntArray
    spine_in_pod: IntArray
    core_group: IntArray
    """Position of the spines that it joins."""


def drawn_tree(network: Network, topology: FatTree) -> Folded:
    """The places of a fat tree of one to three tiers."""
    copies = int(network.switch_plane.max()) + 1
    beside = copies if copies <= 2 else 1
    copy = _one(network)
    limits = _limits(copy, topology, beside, network.nics_per_host)
    units = network.nics_per_host if topology.rails == "aligned" and len(network.tiers) == 2 else 0
    one = _switches(copy, limits, units, len(network.tiers), beside == 1)
    shift = one.wide + 2 * APART + 18.0
    boxes = [box.model_copy(update={"x": box.x + at * shift}) for at in range(beside) for box in one.boxes]
    frames = [frame.model_copy(update={"x": frame.x + at * shift}) for at in range(beside) for frame in one.frames]
    if copies > 1:
        frames = [*_copy_frames(topology, one, copies, beside, shift), *frames]
    first_of: IntArray = network.switch_plane * (len(one.boxes) if beside == copies else 0)
    box_of: IntArray = np.tile(one.box_of, copies) + first_of
    host_boxes, endpoint_box = _hosts(network, boxes, box_of, (shift * (beside - 1) + one.wide) / 2)
    return Folded(
        boxes=(*boxes, *host_boxes),
        frames=tuple(frames),
        box_of=np.concatenate([endpoint_box + len(boxes), box_of]),
        width=0.0,
        height=0.0,
    )


def _one(network: Network) -> _Copy:
    first = network.switch_plane == 0
    tier, group = network.switch_tier[first], network.switch_group[first]

    def in_pod(pods: IntArray) -> IntArray:
        return np.arange(len(pods)) - np.searchsorted(pods, pods)

    leaf_pod, spine_pod = group[tier == 0], group[tier == 1]
    spines = max(1, int(np.count_nonzero(spine_pod == 0)))
    num_cores = int(np.count_nonzero(tier == 2))
    return _Copy(
        leaf_pod=leaf_pod,
        leaf_in_pod=in_pod(leaf_pod),
        spine_pod=spine_pod,
        spine_in_pod=in_pod(spine_pod),
        core_group=np.arange(num_cores) * spines // max(1, num_cores),
    )


def _limits(copy: _Copy, topology: FatTree, beside: int, rails: int) -> _Limits:
    leaves = len(copy.leaf_pod) * beside
    switches = leaves + (len(copy.spine_pod) + len(copy.core_group)) * beside
    if leaves <= _WHOLE_LEAVES and switches <= _WHOLE_SWITCHES:
        return _Limits(*(switches,) * 5)
    two = len(copy.core_group) == 0
    if leaves <= _WHOLE_LEAVES and two:
        return _Limits(1, leaves, leaves, _WHOLE_LEAVES // beside, 0)
    if topology.rails == "aligned" and two:
        return _Limits(1, 4 // beside, 3 if rails > 4 else rails, 6 // beside, 0)
    if two:
        return _Limits(1, 1, 8 // beside, 8 // beside, 0)
    return _Limits(4 // beside, 1, 3, 3, 3)


@dataclass(frozen=True)
class _Run:
    """Leaves that stand beside each other: those of a pod, or of a unit. Pairs are the first and how many alike."""

    pod: int
    """Its place."""
    leaves: tuple[tuple[int, int], ...]
    """By box."""
    units: tuple[int, int] | None


@dataclass(frozen=True)
class _Placed:
    """Boxes and frames of one network, and of each of its leaves, spines and cores the box."""

    box_of: IntArray
    boxes: list[DrawnBox]
    frames: list[DrawnFrame]
    wide: float


def _switches(copy: _Copy, limits: _Limits, rails: int, tiers: int, alone: bool) -> _Placed:
    """One network, its tiers in rows from the top, from x = 0; if it is drawn alone, hosts lie within units."""
    pod_place = folded_places(int(copy.leaf_pod.max()) + 1, limits.pods)
    spine_place = folded_places(int(copy.spine_in_pod.max(initial=-1)) + 1, limits.spines)
    leaf_box, runs = _runs(copy, pod_place, limits, rails)
    leaf_y = ROW * (tiers - 1)
    boxes, frames, ends = _leaves(runs, leaf_y, _row_wide(np.bincount(spine_place)) if tiers == 3 else 0.0, alone)
    of_switch = [leaf_box]
    if tiers > 1:
        of_spine = pod_place[copy.spine_pod] * (int(spine_place.max()) + 1) + spine_place[copy.spine_in_pod]
        of_switch.append(len(boxes) + of_spine)
        for left, right in ends.values():
            boxes += _row(spine_place, (left + right) / 2, leaf_y - ROW, "spine")
    if tiers == 3:
        for pod, (left, right) in ends.items():
            first, alike = _first(pod_place, pod)
            frames.append(_frame("pod", left, right, ROW, leaf_y, first, alike))
        cores = len(copy.core_group)
        of_group = folded_places(int(copy.core_group.max()) + 1, limits.cores)[copy.core_group]
        of_core = np.arange(cores) if cores <= limits.cores else of_group
        of_switch.append(len(boxes) + of_core)
        boxes += _row(of_core, max(right for _, right in ends.values()) / 2, 0.0, "core")
    left = min(box.x - box.width / 2 for box in boxes)
    return _Placed(
        box_of=np.concatenate(of_switch),
        boxes=[box.model_copy(update={"x": box.x - left}) for box in boxes],
        frames=[frame.model_copy(update={"x": frame.x - left}) for frame in frames],
        wide=max(box.x + box.width / 2 for box in boxes) - left,
    )


def _runs(copy: _Copy, pod_place: IntArray, limits: _Limits, rails: int) -> tuple[IntArray, list[_Run]]:
    """Of each leaf its box, and the boxes from left to right."""
    number = np.arange(int(copy.leaf_in_pod.max()) + 1)
    in_units = rails > 0 and len(number) > rails
    unit = folded_places(-(-len(number) // rails), limits.units)[number // rails] if in_units else 0 * number
    in_run = number % rails if in_units else number
    place = folded_places(int(in_run.max()) + 1, limits.leaves)[in_run]
    width, spread = int(place.max()) + 1, int(unit.max()) + 1
    key = (pod_place[copy.leaf_pod] * spread + unit[copy.leaf_in_pod]) * width + place[copy.leaf_in_pod]
    used, leaf_box, held = np.unique(key, return_inverse=True, return_counts=True)
    runs = []
    for run in np.unique(used // width).tolist():
        pod, at = divmod(run, spread)
        first_unit, of_unit = _first(unit, at)
        units = (first_unit // rails, of_unit // rails or 1) if in_units else None
        together = _first(pod_place, pod)[1] * (units[1] if units else 1)
        leaves = tuple(
            (int(in_run[place == one % width][0]), int(count) // together)
            for one, count in zip(used.tolist(), held.tolist(), strict=True)
            if one // width == run
        )
        runs.append(_Run(pod, leaves, units))
    return leaf_box, runs


def _first(places: IntArray, place: int) -> tuple[int, int]:
    """The first thing at a place, and how many are there."""
    found = np.flatnonzero(places == place)
    return int(found[0]), len(found)


def _leaves(
    runs: list[_Run], y: float, least_wide: float, alone: bool
) -> tuple[list[DrawnBox], list[DrawnFrame], dict[int, tuple[float, float]]]:
    """Boxes of leaves, frames of units, and where each pod begins and ends."""
    boxes: list[DrawnBox] = []
    frames: list[DrawnFrame] = []
    ends: dict[int, tuple[float, float]] = {}
    x = 0.0
    for run in runs:
        wide = _row_wide([alike for _, alike in run.leaves])
        inset = max(0.0, (least_wide - wide) / 2)
        left, right = x, x + wide + 2 * inset
        x += inset
        for first, alike in run.leaves:
            boxes.append(_box(x + _wide(alike) / 2, y, "leaf", first, alike))
            x += _wide(alike) + GAP
        if run.units is not None:
            frames.append(_frame("unit", left, right, y, y + ROW * alone, *run.units))
        ends[run.pod] = (ends.get(run.pod, (left, right))[0], right)
        x = right + GAP + APART + (GAP if least_wide or run.units is not None else 0.0)
    return boxes, frames, ends


def _row_wide(alike: Iterable[int]) -> float:
    """Width of boxes beside each other."""
    return sum(_wide(int(one)) + GAP for one in alike) - GAP


def _wide(alike: int) -> float:
    return ONE_WIDE if alike == 1 else FOLDED_WIDE


def _box(x: float, y: float, tier: str, first: int, alike: int) -> DrawnBox:
    return DrawnBox(x=x, y=y, width=_wide(alike), height=HIGH, tier=tier, first=first, alike=alike)


def _row(places: IntArray, middle: float, y: float, tier: str) -> list[DrawnBox]:
    """Boxes of the places beside each other around the middle."""
    alike = np.bincount(places)
    x = middle - _row_wide(alike) / 2
    boxes = []
    for place, count in enumerate(alike.tolist()):
        boxes.append(_box(x + _wide(count) / 2, y, tier, _first(places, place)[0], count))
        x += _wide(count) + GAP
    return boxes


def _frame(
    kind: Literal["unit", "pod", "plane", "rail", "network"],
    left: float,
    right: float,
    top: float,
    bottom: float,
    first: int,
    alike: int,
    around: float = 12.0,
) -> DrawnFrame:
    return DrawnFrame(
        kind=kind,
        x=(left + right) / 2,
        y=(top + bottom) / 2,
        width=right - left + 2 * around,
        height=bottom - top + HIGH + 2 * around,
        first=first,
        alike=alike,
    )


def _copy_frames(topology: FatTree, one: _Placed, copies: int, beside: int, shift: float) -> list[DrawnFrame]:
    kind: Literal["plane", "rail", "network"] = "network"
    if topology.planes == copies:
        kind = "plane"
    elif topology.planes == 1:
        kind = "rail"
    top, bottom = min(box.y for box in one.boxes), max(box.y for box in one.boxes)
    return [
        _frame(kind, at * shift, at * shift + one.wide, top, bottom, at, copies // beside, around=24.0)
        for at in range(beside)
    ]


def _hosts(
    network: Network, boxes: list[DrawnBox], switch_box: IntArray, middle: float
) -> tuple[list[DrawnBox], IntArray]:
    """Boxes of hosts whose first cards reach the same box of leaves, and the one of every endpoint, from 0."""
    host = np.arange(network.num_endpoints) // network.nics_per_host
    access = network.links("host-leaf")
    of_host: IntArray = np.arange(network.num_hosts)
    if network.num_hosts > _WHOLE_HOSTS:
        _, first_link = np.unique(host[network.lower[access]], return_index=True)
        of_host = np.unique(switch_box[network.upper[access[first_link]] - network.num_endpoints], return_inverse=True)[
            1
        ]
    number = int(of_host.max()) + 1
    x_of = np.array([box.x for box in boxes])[switch_box[network.upper[access] - network.num_endpoints]]
    box_of_link = of_host[host[network.lower[access]]]
    at = np.bincount(box_of_link, weights=x_of, minlength=number) / np.bincount(box_of_link, minlength=number)
    alike = np.bincount(of_host)
    wide = [_wide(int(one)) for one in alike]
    order = np.argsort(at, kind="stable").tolist()
    crowded = any(at[b] - at[a] < (wide[a] + wide[b]) / 2 + GAP / 2 for a, b in pairwise(order))
    if crowded:
        x = middle - (sum(wide) + GAP * (number - 1)) / 2
        for one in order:
            at[one] = x + wide[one] / 2
            x += wide[one] + GAP
    y = max(box.y for box in boxes) + ROW
    boxes_of = [_box(float(at[one]), y, "host", *_first(of_host, one)) for one in range(number)]
    return boxes_of, of_host[host]
