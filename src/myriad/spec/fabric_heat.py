"""How full the links of a fabric were: by class, by place, and the fullest ones."""

from __future__ import annotations

from typing import Literal

from myriad.spec.base import Spec
from myriad.spec.fabric_drawing import FabricDrawing

Direction = Literal["up", "down", "out"]
"""`up` leads away from endpoints; `out` is any link of a switch whose tier has no up and down."""


class SwitchPlace(Spec):
    """Where a switch or endpoint is; numbers from 0."""

    tier: str
    """`host` for an endpoint."""
    number: int
    """Among all of its tier; for an endpoint, of its host."""
    group: int | None = None
    """Pod or group."""
    plane: int | None = None
    """`None` where there is one network only."""
    card: int | None = None
    """Of an endpoint: which network card of its host."""


class ClassUse(Spec):
    """All links of a class, one way."""

    link_class: str
    direction: Direction
    links: int
    dead: int
    mean_fraction: float
    """Of links that are not dead."""
    peak_fraction: float


class HotLink(Spec):
    """One link among the fullest."""

    link_class: str
    direction: Direction
    from_place: SwitchPlace
    to_place: SwitchPlace
    use_fraction: float


class HeatMap(Spec):
    """Use of the links of one class one way, switch by switch.

    Each switch of the tier below has a line of cells, one for each switch that it reaches above in the order of their
    numbers; for `out`, one for each of its links. Where there are more than fit, neighbours share a cell, which shows
    the fullest of its links.
    """

    link_class: str
    direction: Direction
    tier: str
    """Of the switches with lines; `chip` for accelerators that are their own switches."""
    reached_tier: str
    switches: int
    """Lines, before folding."""
    reached: int
    """The most cells of one of them, before folding."""
    switches_per_cell: int
    reached_per_cell: int
    cells: tuple[tuple[float | None, ...], ...]
    """Line by line: peak use as a share; `None` where no link is, -1 where all links are down."""
    means: tuple[float, ...]
    """Mean use of each line's links that are not down."""


class FabricHeat(Spec):
    """The heat of a fabric under some traffic."""

    classes: tuple[ClassUse, ...]
    maps: tuple[HeatMap, ...]
    hottest: tuple[HotLink, ...]


class FabricPictures(Spec):
    """A fabric drawn under some traffic, and its heat."""

    drawing: FabricDrawing
    heat: FabricHeat
