"""Folds a network into boxes and bundles of links: equal things share a place in a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from myriad.estimate.fabric.network import Array, IntArray, Network
from myriad.spec.fabric_drawing import DrawnBox, DrawnFrame, DrawnLink, LinkUse


@dataclass(frozen=True)
class Folded:
    """Boxes with their places, and the box of every vertex."""

    boxes: tuple[DrawnBox, ...]
    frames: tuple[DrawnFrame, ...]
    box_of: IntArray
    """(E + S,) by vertex."""
    width: float
    height: float


def folded_places(count: int, shown: int) -> IntArray:
    """For each of `count` things the place among at most `shown`: all, or the first ones, the rest, and the last.

    >>> folded_places(3, 4).tolist(), folded_places(7, 4).tolist()
    ([0, 1, 2], [0, 1, 2, 2, 2, 2, 3])
    """
    places = np.arange(count)
    if count <= shown:
        return places
    return np.where(places == count - 1, shown - 1, np.minimum(places, shown - 2))


def counted(network: Network, folded: Folded) -> tuple[DrawnBox, ...]:
    """The boxes with what lies in them."""
    number = len(folded.boxes)
    endpoints = np.bincount(folded.box_of[: network.num_endpoints], minlength=number)
    of_switch = folded.box_of[network.num_endpoints :]
    by_tier = [
        np.bincount(of_switch[network.switch_tier == tier], minlength=number) for tier in range(len(network.tiers))
    ]
    inner = folded.box_of[network.lower] == folded.box_of[network.upper]
    inside = np.bincount(folded.box_of[network.lower[inner]], minlength=number)
    return tuple(
        box.model_copy(
            update={
                "endpoints": int(endpoints[index]),
                "switches": {
                    name: int(count[index]) for name, count in zip(network.tiers, by_tier, strict=True) if count[index]
                },
                "inner_links": int(inside[index]),
            }
        )
        for index, box in enumerate(folded.boxes)
    )


def bundles(
    network: Network, boxes: tuple[DrawnBox, ...], box_of: IntArray, rows: bool, utilisation: Array | None
) -> list[DrawnLink]:
    """One link per class and pair of boxes that are joined, with the sums of its links.

    Folding must not widen lines. Where tiers are `rows`, a line is as wide as what one switch has towards all of the
    other box, so that widths above and below a leaf compare; else as what one thing has towards one other.
    """
    number = len(boxes)
    lower, upper = box_of[network.lower], box_of[network.upper]
    between = np.flatnonzero(lower != upper)
    key = (network.link_class[between] * number + lower[between]) * number + upper[between]
    keys, bundle = np.unique(key, return_inverse=True)
    links = np.bincount(bundle, minlength=len(keys))
    rate = np.bincount(bundle, weights=network.bytes_per_s[between], minlength=len(keys))
    uses = [None] * len(keys) if utilisation is None else _uses(network, bundle, len(keys), between, utilisation)
    found = []
    for index, packed in enumerate(keys.tolist()):
        rest, high = divmod(packed, number)
        link_class, low = divmod(rest, number)
        if rows:
            one_of = boxes[low] if link_class else boxes[high]
            share = max(1, sum(one_of.switches.values()))
        elif boxes[low].tier == "chip":
            share = min(boxes[low].alike, boxes[high].alike)
        else:
            share = boxes[low].alike * boxes[high].alike
        found.append(
            DrawnLink(
                lower=low,
                upper=high,
                link_class=network.link_classes[link_class],
                links=int(links[index]),
                bytes_per_s=float(rate[index]),
                weight=float(rate[index]) / share,
                use=uses[index],
            )
        )
    widest = max((link.weight for link in found), default=1.0)
    return [link.model_copy(update={"weight": round(link.weight / widest, 4)}) for link in found]


def _uses(
    network: Network, bundle: IntArray, number: int, between: IntArray, utilisation: Array
) -> list[LinkUse | None]:
    dead = network.bytes_per_s[between] <= 0
    alive = np.maximum(np.bincount(bundle[~dead], minlength=number), 1)
    ways: list[Array] = []
    for way in (0, 1):
        fraction = np.where(dead, 0.0, utilisation[2 * between + way])
        peak = np.zeros(number)
        np.maximum.at(peak, bundle, fraction)
        ways += [np.bincount(bundle, weights=fraction, minlength=number) / alive, peak]
    down = np.bincount(bundle[dead], minlength=number)
    return [
        LinkUse(
            up_mean=_short(ways[0][index]),
            up_peak=_short(ways[1][index]),
            down_mean=_short(ways[2][index]),
            down_peak=_short(ways[3][index]),
            dead=int(down[index]),
        )
        for index in range(number)
    ]


def _short(fraction: float) -> float:
    return round(float(fraction), 4)


def moved(folded: Folded, by_x: float, by_y: float) -> Folded:
    """The same picture elsewhere on its plane."""
    return replace(
        folded,
        boxes=tuple(box.model_copy(update={"x": box.x + by_x, "y": box.y + by_y}) for box in folded.boxes),
        frames=tuple(one.model_copy(update={"x": one.x + by_x, "y": one.y + by_y}) for one in folded.frames),
    )
