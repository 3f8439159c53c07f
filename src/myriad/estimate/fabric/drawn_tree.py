"""Where the boxes of a fat tree lie: tiers in rows, pods and scalable units side by side, equal ones folded.

Up to 16 leaves are drawn one by one. Of more, the first ones and the last are, and one box stands for those between;
so it is with pods, units, spines and cores. Two networks beside each other are both drawn, more share one picture.
"""

from __future__ import annotations

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
    leaf_box, spine_box, core_box, boxes, frames, wide = _switches(copy, limits, units, len(network.tiers))
    size = len(boxes)
    in_copy = np.concatenate([leaf_box, spine_box, core_box])
    shift = wide + 2 * APART + 18.0
    all_boxes = [box.model_copy(update={"x": box.x + number * shift}) for number in range(beside) for box in boxes]
    all_frames = [
        frame.model_copy(update={"x": frame.x + number * shift}) for number in range(beside) for frame in frames
    ]
    if copies > 1:
        all_frames = [*_copy_frames(topology, boxes, copies, beside, wide, shift), *all_frames]
    first_of: IntArray = network.switch_plane * (size if beside == copies else 0)
    box_of: IntArray = np.tile(in_copy, copies) + first_of
    host_boxes, endpoint_box = _hosts(network, all_boxes, box_of, (shift * (beside - 1) + wide) / 2)
    return Folded(
        boxes=(*all_boxes, *host_boxes),
        frames=tuple(all_frames),
        box_of=np.concatenate([endpoint_box + len(all_boxes), box_of]),
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


def _switches(
    copy: _Copy, limits: _Limits, rails: int, tiers: int
) -> tuple[IntArray, IntArray, IntArray, list[DrawnBox], list[DrawnFrame], float]:
    """Boxes of one network: of each leaf, spine and core its box, the boxes, the frames and how wide it all is."""
    pods = int(copy.leaf_pod.max()) + 1
    pod_place = folded_places(pods, limits.pods)
    most = int(copy.leaf_in_pod.max()) + 1
    if rails and most > rails:
        units = folded_places(-(-most // rails), limits.units)
        of_rail = folded_places(rails, limits.leaves)
        block, place = units[np.arange(most) // rails], of_rail[np.arange(most) % rails]
        alike_blocks, in_block = np.bincount(units), of_rail
    else:
        block, place = np.zeros(most, int), folded_places(most, limits.leaves)
        alike_blocks, in_block = np.ones(1, int), place
    width = int(place.max()) + 1
    spread = int(block.max()) + 1
    leaf_box = (pod_place[copy.leaf_pod] * spread + block[copy.leaf_in_pod]) * width + place[copy.leaf_in_pod]
    used, leaf_box, held = np.unique(leaf_box, return_inverse=True, return_counts=True)
    leaf_y = ROW * (tiers - 1)
    boxes: list[DrawnBox] = []
    frames: list[DrawnFrame] = []
    x = 0.0
    middles: list[float] = []
    pod_ends: dict[int, tuple[float, float]] = {}
    alike_pods = np.bincount(pod_place)
    in_pod = int(copy.spine_in_pod.max(initial=-1)) + 1
    spine_place = folded_places(in_pod, limits.spines)
    above = sum(_wide(int(one)) + GAP for one in np.bincount(spine_place)) - GAP
    lines: dict[int, list[tuple[int, int]]] = {}
    for one, number in zip(used.tolist(), held.tolist(), strict=True):
        lines.setdefault(one // width, []).append((one % width, number))
    for key, row in lines.items():
        pod, unit = divmod(key, spread)
        frames_alike = int(alike_pods[pod] * alike_blocks[unit])
        alike_leaves = {one: int(number) // frames_alike for one, number in row}
        wide = sum(_wide(number) + GAP for number in alike_leaves.values()) - GAP
        inset = max(0.0, (above - wide) / 2) if tiers == 3 else 0.0
        x += inset
        left = x
        for one, alike in alike_leaves.items():
            first = int(np.flatnonzero(in_block == one)[0])
            boxes.append(_box(x + _wide(alike) / 2, leaf_y, "leaf", first, alike))
            x += _wide(alike) + GAP
        right = x - GAP
        middles.append((left + right) / 2)
        if spread > 1:
            first = int(np.flatnonzero(block == unit)[0]) // rails
            frames.append(_frame("unit", left, right, leaf_y, leaf_y + ROW, first, int(alike_blocks[unit])))
        before = pod_ends.get(pod, (left - inset, right + inset))
        pod_ends[pod] = (min(before[0], left - inset), max(before[1], right + inset))
        x += inset + APART + (GAP if tiers == 3 or spread > 1 else 0)
    wide_all = max(end for _, end in pod_ends.values())
    spine_box = core_box = np.zeros(0, int)
    if tiers > 1:
        spine_at = len(boxes)
        for left, right in pod_ends.values():
            boxes += _row(spine_place, (left + right) / 2, leaf_y - ROW, "spine")
        spine_box = spine_at + pod_place[copy.spine_pod] * (int(spine_place.max()) + 1)
        spine_box = spine_box + spine_place[copy.spine_in_pod]
        if tiers == 3:
            for pod, (left, right) in pod_ends.items():
                first = int(np.flatnonzero(pod_place == pod)[0])
                frames.append(_frame("pod", left, right, ROW, leaf_y, first, int(alike_pods[pod])))
            cores = len(copy.core_group)
            group_place = folded_places(int(copy.core_group.max()) + 1, limits.cores)
            core_place = np.arange(cores) if cores <= limits.cores else group_place[copy.core_group]
            core_box = len(boxes) + core_place
            boxes += _row(core_place, wide_all / 2, 0.0, "core")
    left_most = min(box.x - box.width / 2 for box in boxes)
    wide_all = max(box.x + box.width / 2 for box in boxes) - left_most
    boxes = [box.model_copy(update={"x": box.x - left_most}) for box in boxes]
    frames = [frame.model_copy(update={"x": frame.x - left_most}) for frame in frames]
    return leaf_box, spine_box, core_box, boxes, frames, wide_all


def _wide(alike: int) -> float:
    return ONE_WIDE if alike == 1 else FOLDED_WIDE


def _box(x: float, y: float, tier: str, first: int, alike: int) -> DrawnBox:
    return DrawnBox(x=x, y=y, width=_wide(alike), height=HIGH, tier=tier, first=first, alike=alike)


def _row(places: IntArray, middle: float, y: float, tier: str) -> list[DrawnBox]:
    """Boxes of the places beside each other around the middle."""
    alike = np.bincount(places)
    x = middle - (sum(_wide(int(one)) + GAP for one in alike) - GAP) / 2
    boxes = []
    for place, count in enumerate(alike.tolist()):
        first = int(np.flatnonzero(places == place)[0])
        boxes.append(_box(x + _wide(count) / 2, y, tier, first, count))
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


def _copy_frames(
    topology: FatTree, boxes: list[DrawnBox], copies: int, beside: int, wide: float, shift: float
) -> list[DrawnFrame]:
    kind: Literal["plane", "rail", "network"] = "network"
    if topology.planes == copies:
        kind = "plane"
    elif topology.planes == 1:
        kind = "rail"
    top, bottom = min(box.y for box in boxes), max(box.y for box in boxes)
    return [
        _frame(kind, at * shift, at * shift + wide, top, bottom, at, copies // beside, around=24.0)
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
    first = [int(np.flatnonzero(of_host == one)[0]) for one in range(number)]
    return [_box(float(at[one]), y, "host", first[one], int(alike[one])) for one in range(number)], of_host[host]
