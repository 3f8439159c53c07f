"""How full the links of a fabric were: by class, by place, and the fullest ones."""

from __future__ import annotations

from typing import Literal

from myriad.spec.base import Spec

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
    """Use of the links of one class one way: a row per switch below, a column per switch that it reaches above.

    Where there are more than fit, neighbouring rows or columns share one, and a cell shows the fullest of its links.
    For `out`, a column per link of a switch.
    """

    link_class: str
    direction: Direction
    row_tier: str
    column_tier: str
    rows: int
    """Switches that are rows, before folding."""
    columns: int
    """The most that one of them reaches, before folding."""
    rows_per_cell: int
    columns_per_cell: int
    cells: tuple[tuple[float | None, ...], ...]
    """Row by row: peak use as a share; `None` where no link is, -1 where all links are dead."""
    row_mean: tuple[float, ...]
    """Mean use of each row's links that are not dead."""


class FabricHeat(Spec):
    """The heat of a fabric under some traffic."""

    classes: tuple[ClassUse, ...]
    maps: tuple[HeatMap, ...]
    hottest: tuple[HotLink, ...]
