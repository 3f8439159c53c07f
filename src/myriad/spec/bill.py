"""Bills of materials: the rules by which a fabric is counted out and priced, and the lines that come out."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator

from myriad.errors import unknown_name
from myriad.spec.base import Count, CountOrZero, Fraction, Metres, Spec, Watts
from myriad.spec.cluster import Sites
from myriad.spec.fabric import LINK_CLASSES
from myriad.spec.money import Amount

Group = Literal["compute", "network", "storage", "management", "racks", "site", "spares"]
GROUPS: Final[tuple[Group, ...]] = ("compute", "network", "storage", "management", "racks", "site", "spares")
"""Groups of lines, in the order of a bill."""
Sort = Literal[
    "node", "nic", "switch", "manager", "server", "transceiver", "cable", "fibre", "link", "backplane", "rack",
    "building",
]  # fmt: skip
PriceKind = Literal["datasheet", "measured", "published", "derived", "assumed", "given", "included"]
"""Of a unit price: as the figures of the catalog; `given` by the user; `included` in the price of another line."""


class UnitPrice(Spec):
    """What one piece costs, and who says so."""

    usd: float = Field(ge=0)
    kind: PriceKind
    source: str
    date: str = ""
    terms: str = ""
    """What the price covers, or whose it stands in for."""


class BillLine(Spec):
    """So many pieces of one thing."""

    group: Group
    sort: Sort
    item: str
    """Catalog id, or the name of a part that the catalog lacks."""
    name: str
    place: str = ""
    """Tier, class of links or network that it belongs to."""
    quantity: float = Field(ge=0)
    unit: Literal["piece", "MW", "km"] = "piece"
    price: UnitPrice | None = None
    """`None`: no price is known, and the total leaves it out."""
    watts: Watts | None = None
    """Of all pieces together; `None` where it is not known, or nothing draws power."""
    powered_by_host: bool = False
    """Whether the power of the machine that it is plugged into holds its own."""
    basis: str
    """How the quantity was found, in words and numbers."""

    @property
    def amount_usd(self) -> float | None:
        """Quantity times unit price; `None` without a price."""
        return None if self.price is None else self.quantity * self.price.usd


class BillRules(Spec):
    """How a fabric is counted out beyond its switches and links. What a rule leaves at zero is not on the bill."""

    price_point: Literal["low", "middle", "high"] = "middle"
    """Of published ranges."""
    prices: dict[str, Amount] = Field(default_factory=dict)
    """Unit prices by item, in place of the catalog's."""
    stand_ins: dict[str, str] = Field(default_factory=dict)
    """Items without a price of their own -> items whose price they take, as an assumption."""
    link_prices: dict[str, Amount] = Field(default_factory=dict)
    """Prices of whole links by class, in place of their transceivers and cables."""
    media: tuple[str, ...] = Field(default=("copper", "SR", "DR", "FR"), min_length=1)
    """Of links, in order of preference: the first that reaches and is made for both ports is taken."""
    in_rack: Metres = 2.5
    in_row: Metres = 25.0
    in_hall: Metres = 80.0
    lengths: dict[str, Metres] = Field(default_factory=dict)
    """By class of links, in place of the three lengths above."""
    nodes_per_rack: Count | None = None
    """`None`: as many as `rack_power` carries, at least one; a scale-up domain that fills a rack stays together."""
    rack_power: Watts = 44e3
    racks_per_row: Count = 16
    switch_units_per_rack: CountOrZero = 0
    """Rack units of switches that share a rack; 0 puts no switches into racks."""
    node_racks: bool = False
    """Whether racks of nodes are on the bill."""
    nic_ports_per_cage: Count | None = None
    """Ports of a host's network cards that share a transceiver; `None`: all ports of one card."""
    nic: str = ""
    """Item of a network card that is bought beside the node; empty where the node's price holds its cards."""
    spares: Fraction = 0.0
    """Of nodes, switches, transceivers and cables, bought on top."""
    managers: CountOrZero = 0
    """Appliances that manage the fabric."""
    storage_nodes_per_1000_accelerators: float = Field(default=0.0, ge=0)
    storage_node_watts: Watts | None = None
    storage_switch: str = ""
    """Of the storage network; empty is no storage network."""
    storage_ports_per_node: CountOrZero = 1
    storage_ports_per_storage_node: CountOrZero = 2
    in_band_switch: str = ""
    """Of the management network that nodes are reached over; empty is none."""
    in_band_ports_per_node: CountOrZero = 1
    out_of_band_ports_per_node: CountOrZero = 0
    """To service processors of nodes, each; switches have one each as well. 0 is no such network."""
    out_of_band_ports_per_switch: Count = 48
    management_servers: CountOrZero = 0
    data_hall: bool = False
    """Whether the bill holds the building: power, cooling and floor by the megawatt."""
    pue: float = Field(default=1.0, ge=1)
    """Power of the site over that of its machines."""
    facility_per_node: Amount | None = None
    """Building and operations as a cost sheet counts them, by the node."""
    sites: Sites | None = None
    """Places that the nodes are spread over, joined by fibre."""
    long_fibre: Literal["single-mode", "hollow-core"] = "single-mode"
    """Between sites."""

    @model_validator(mode="after")
    def _classes_exist(self) -> BillRules:
        known = {one: None for classes in LINK_CLASSES.values() for one in classes}
        for key in ("lengths", "link_prices"):
            for name in getattr(self, key):
                if name not in known:
                    raise ValueError(f"{key}: {unknown_name('class of links', name, known)}")
        return self


class Bill(Spec):
    """All that is bought for a pool and its fabric. The total is the sum of the lines that have a price."""

    cluster: str
    fabric: str
    num_accelerators: Count
    num_nodes: Count
    num_endpoints: Count
    lines: tuple[BillLine, ...]
    pue: float
    rules: str
    """Name of the rules."""

    @property
    def total_usd(self) -> float:
        """Sum of all lines with a price."""
        return sum(line.amount_usd or 0.0 for line in self.lines)

    @property
    def without_price(self) -> tuple[BillLine, ...]:
        """Lines that no source prices; the total leaves them out."""
        return tuple(line for line in self.lines if line.price is None)

    @property
    def network_usd(self) -> float:
        """Switches and links of the network that joins accelerators."""
        return self.group_usd("network")

    @property
    def network_usd_per_endpoint(self) -> float | None:
        """Of the network that joins accelerators; `None` where a line has no price, or one within that of nodes."""
        known = all(line.price is not None and line.price.kind != "included" for line in self._network)
        return self.network_usd / self.num_endpoints if known else None

    @property
    def network_watts(self) -> float | None:
        """Of its switches, with their transceivers; those of network cards are in the nodes' power.

        `None` without switches, or where the power of one is not known.
        """
        switches = [line for line in self._network if line.sort == "switch"]
        if not switches or any(line.watts is None for line in switches):
            return None
        return sum(line.watts or 0.0 for line in self._network if not line.powered_by_host)

    @property
    def network_transceivers(self) -> int | None:
        """Optical modules of the network that joins accelerators; `None` where links come with the nodes."""
        if any(line.price is not None and line.price.kind == "included" for line in self._network):
            return None
        return round(sum(line.quantity for line in self._network if line.sort == "transceiver"))

    @property
    def transceivers(self) -> int:
        """Optical modules of all networks, without spares."""
        used = (line for line in self.lines if line.group != "spares")
        return round(sum(line.quantity for line in used if line.sort == "transceiver"))

    @property
    def _network(self) -> tuple[BillLine, ...]:
        return tuple(line for line in self.lines if line.group == "network")

    @property
    def it_watts(self) -> float:
        """Of all machines whose power is known."""
        return sum(line.watts or 0.0 for line in self.lines if not line.powered_by_host)

    @property
    def site_watts(self) -> float:
        """With cooling and losses."""
        return self.it_watts * self.pue

    @property
    def without_power(self) -> tuple[BillLine, ...]:
        """Switches and machines whose power no source gives; the power of the whole leaves it out."""
        machines = ("node", "switch", "manager", "server")
        return tuple(
            line for line in self.lines if line.watts is None and line.sort in machines and line.group != "spares"
        )

    def group_usd(self, group: Group) -> float:
        """Sum of a group's lines that have a price."""
        return sum(line.amount_usd or 0.0 for line in self.lines if line.group == group)
