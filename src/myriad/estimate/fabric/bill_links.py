"""What the links of a network are bought as: transceivers, cables and fibres, counted from its arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from myriad.estimate.fabric.network import Array, IntArray, Network
from myriad.spec.bill import BillLine, BillRules, Group, Sort, UnitPrice
from myriad.spec.fabric import LINK_CLASSES
from myriad.spec.fabric_parts import LinkPart, Switch

BITS_PER_BYTE = 8
IN_NODE = UnitPrice(usd=0.0, kind="included", source="the price of the node")


@dataclass(frozen=True)
class Shop:
    """What can be bought: parts of links by catalog id, and unit prices by item.

    Prices of whole links are under `link:CLASS`.
    """

    parts: Mapping[str, LinkPart]
    prices: Mapping[str, UnitPrice]


@dataclass(frozen=True)
class PricedNetwork:
    """A network, the switch of each of its tiers, and its place in the bill."""

    network: Network
    tier_switches: Mapping[str, tuple[str, Switch]]
    """Tier -> catalog id and switch."""
    group: Group
    place: str = ""
    """Name of a network beside the main one; empty for the main one."""

    def named(self, text: str) -> str:
        """A tier or class of links, with the network's name where it has one."""
        return f"{self.place} {text}".strip()


def link_lines(priced: PricedNetwork, lengths_m: Mapping[str, float], rules: BillRules, shop: Shop) -> list[BillLine]:
    """Lines of all links, class by class: copper where it reaches, else transceivers at both ends and a fibre."""
    lines: list[BillLine] = []
    for link_class in priced.network.link_classes:
        links = priced.network.links(link_class)
        if len(links):
            lines += _class_lines(priced, link_class, links, lengths_m[link_class], rules, shop)
    return lines


def _class_lines(
    priced: PricedNetwork, link_class: str, links: IntArray, length_m: float, rules: BillRules, shop: Shop
) -> Iterator[BillLine]:
    count = len(links)
    whole = shop.prices.get(f"link:{link_class}")
    if whole is not None and not priced.place:
        yield BillLine(
            group=priced.group, sort="link", item=f"link:{link_class}", name="link with its ends", place=link_class,
            quantity=count, price=whole, basis=f"{count:,} links",
        )  # fmt: skip
        return
    if not priced.network.num_switches and link_class in LINK_CLASSES["torus"]:
        yield BillLine(
            group=priced.group, sort="link", item="accelerator-link", name="link between accelerators",
            place=link_class, quantity=count, price=IN_NODE, basis=f"{count:,} links",
        )  # fmt: skip
        return
    ends = list(_ends(priced, links, rules))
    medium, chosen = _chosen(ends, float(priced.network.bytes_per_s[links].min()), length_m, rules, shop.parts)
    of = f"{count:,} links of {length_m:g} m"
    if medium is not None and shop.parts[chosen[0]].part == "cable":
        yield _line(priced, link_class, chosen[0], "cable", count, f"one for each of {of}", shop)
        return
    for (item, powered), alike in _by_part(ends, chosen).items():
        owners = " and ".join(end.owner for end in alike)
        ports = sum(end.ports for end in alike)
        basis = f"for {ports:,} ports of {owners}, {alike[0].per_cage} a transceiver, {of}"
        pieces = sum(end.pieces for end in alike)
        yield _line(priced, link_class, item, "transceiver", pieces, basis, shop, powered)
    fibres = (key for key, part in sorted(shop.parts.items()) if medium in part.carries and part.reach >= length_m)
    fibre = next(fibres, f"fibre of {length_m:g} m")
    ends_text = f", {shop.parts[fibre].connector} at both ends" if fibre in shop.parts else ""
    basis = f"one for each of {of}{ends_text}, {count * length_m / 1000:,.4g} km together"
    yield _line(priced, link_class, fibre, "fibre", count, basis, shop)


@dataclass(frozen=True)
class _End:
    """The ports of one kind of machine at one end of a class of links."""

    owner: str
    bytes_per_s: float
    """Of one port."""
    ports: int
    per_cage: int
    pieces: int
    """Transceivers: cages that are used, a part of one counting whole."""
    power_known: bool
    """Whether the machine's power is known; it holds that of its transceivers."""


def _ends(priced: PricedNetwork, links: IntArray, rules: BillRules) -> Iterator[_End]:
    """The ends of a class of links by the machines that they are on: network cards first, then tier by tier."""
    network = priced.network
    ends = np.concatenate([network.lower[links], network.upper[links]])
    rates = np.tile(network.bytes_per_s[links], 2)
    on_hosts = ends < network.num_endpoints
    if on_hosts.any():
        cards = ends[on_hosts]
        per_cage = rules.nic_ports_per_cage or int(np.bincount(cards).max())
        used = np.bincount(cards // network.nics_per_host)
        yield _End("network cards", float(rates[on_hosts].min()), len(cards), *_cages(used, per_cage), True)
    switches, rates = ends[~on_hosts] - network.num_endpoints, rates[~on_hosts]
    for tier, name in enumerate(network.tiers):
        of_tier = network.switch_tier[switches] == tier
        if of_tier.any():
            _, switch = priced.tier_switches[name]
            # Slower ports of network cards share a port that is broken out.
            used_ports = np.bincount(switches[of_tier], weights=rates[of_tier] / switch.port_bandwidth)
            ports = np.ceil(used_ports - 1e-6)
            cages = _cages(ports, switch.ports_per_cage)
            known = switch.power_watts is not None
            yield _End(f"{name} switches", switch.port_bandwidth, int(ports.sum()), *cages, known)


def _cages(ports: Array | IntArray, per_cage: int) -> tuple[int, int]:
    """Ports of a cage, and cages that are used on all machines together."""
    return per_cage, int(np.ceil(ports / per_cage).sum())


def _chosen(
    ends: list[_End], link_bytes_per_s: float, length_m: float, rules: BillRules, parts: Mapping[str, LinkPart]
) -> tuple[str | None, list[str]]:
    """The first medium that reaches and fits all ends, and the part at each; no medium where none does."""
    for medium in rules.media:
        reaching = {
            key: part for key, part in sorted(parts.items())
            if part.medium == medium and part.part != "fibre" and part.reach >= length_m
        }  # fmt: skip
        cable = next((key for key, part in reaching.items() if _is_cable(part, link_bytes_per_s)), None)
        if cable is not None:
            return medium, [cable]
        found = [next((key for key, part in reaching.items() if _fits(part, end)), None) for end in ends]
        if all(found):
            return medium, [key for key in found if key is not None]
    return None, [_unknown_name(end, length_m) for end in ends]


def _is_cable(part: LinkPart, bytes_per_s: float) -> bool:
    return part.part == "cable" and part.bandwidth is not None and bool(np.isclose(part.bandwidth, bytes_per_s))


def _fits(part: LinkPart, end: _End) -> bool:
    assert part.bandwidth is not None
    return part.part == "transceiver" and bool(np.isclose(part.bandwidth, end.bytes_per_s * end.per_cage))


def _by_part(ends: list[_End], chosen: list[str]) -> dict[tuple[str, bool], list[_End]]:
    """Ends that take the same part, in their order; apart those on machines whose power is not known."""
    found: dict[tuple[str, bool], list[_End]] = {}
    for end, item in zip(ends, chosen, strict=True):
        found.setdefault((item, end.power_known), []).append(end)
    return found


def _unknown_name(end: _End, length_m: float) -> str:
    rate = end.bytes_per_s * BITS_PER_BYTE / 1e9
    return f"transceiver of {end.per_cage} x {rate:g} Gb/s over {length_m:g} m"


def _line(
    priced: PricedNetwork,
    link_class: str,
    item: str,
    sort: Sort,
    pieces: int,
    basis: str,
    shop: Shop,
    power_known: bool = False,
) -> BillLine:
    part = shop.parts.get(item)
    watts = None if part is None or part.power_watts is None else pieces * part.power_watts
    return BillLine(
        group=priced.group, sort=sort, item=item, name=part.name if part else item, place=priced.named(link_class),
        quantity=pieces, price=shop.prices.get(item), watts=watts, powered_by_host=power_known, basis=basis,
    )  # fmt: skip
