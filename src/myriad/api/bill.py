"""Bills of materials: a network, the rules and the catalog's prices put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from myriad import catalog
from myriad.api.named import at_key
from myriad.catalog import Entry
from myriad.errors import SpecError, unknown_name
from myriad.estimate.fabric.bill import Purchase, bill
from myriad.estimate.fabric.bill_links import Shop
from myriad.estimate.fabric.counts import tier_switches
from myriad.estimate.fabric.network import Network
from myriad.spec.base import Spec
from myriad.spec.bill import Bill, BillRules, UnitPrice
from myriad.spec.cluster import Node
from myriad.spec.fabric import Fabric
from myriad.spec.fabric_parts import Switch
from myriad.spec.money import Amount, Money
from myriad.spec.price import Price, PriceList

USUAL_RULES = "usual"


class ItemPrices(Spec):
    """A file of unit prices."""

    prices: dict[str, Amount]


def rules_of(name_or_file: str) -> BillRules:
    """Rules of the catalog, or of a file laid over the usual ones.

    Raises SpecError for a name that is neither, or a file that is wrong.
    """
    if catalog.find("bills", name_or_file) is not None:
        return catalog.bill_rules(name_or_file)
    if not Path(name_or_file).suffix and not Path(name_or_file).exists():
        raise SpecError(unknown_name("rules of bills", name_or_file, catalog.names("bills")))
    own = catalog.read_spec(Path(name_or_file), BillRules)
    given = {name: getattr(own, name) for name in own.model_fields_set}
    return catalog.bill_rules(USUAL_RULES).model_copy(update=given)


def prices_of(path: Path) -> dict[str, Money]:
    """The unit prices in a file, by item. Raises SpecError with file and line."""
    return catalog.read_spec(path, ItemPrices).prices


def bill_of(
    network: Network,
    fabric: Fabric,
    node_id: str,
    num_nodes: int,
    rules: BillRules | str = USUAL_RULES,
    *,
    prices: Mapping[str, Money] | None = None,
    cluster: str = "",
    fabric_name: str = "",
    usd_per_currency: Mapping[str, float] | None = None,
) -> Bill:
    """What nodes and their network are bought as, line by line, in US dollars.

    A price is one of `prices`, else the rules' own, else the latest of the catalog; an item without one stands there
    without an amount.
    Raises SpecError for a rule that names a switch that the catalog lacks, or prices an item that is not bought.
    """
    name = rules if isinstance(rules, str) else ""
    known = rules_of(rules) if isinstance(rules, str) else rules
    known = known.model_copy(update={"prices": {**known.prices, **(prices or {})}})
    rates = {"USD": 1.0, **catalog.usd_per_currency(), **(usd_per_currency or {})}
    tiers = tier_switches(fabric.topology)
    node = catalog.node(node_id)
    purchase = Purchase(
        cluster=cluster or f"{node_id}:{num_nodes * node.num_accelerators}",
        fabric=fabric_name or fabric.topology.kind,
        node_id=catalog.entry("nodes", node_id).id,
        node=node,
        num_nodes=num_nodes,
        network=network,
        tier_switches={
            tier: (catalog.entry("switches", switch).id, catalog.switch(switch)) for tier, switch in tiers.items()
        },
        other_switches=_other_switches(known),
    )
    parts = catalog.link_parts()
    media = {part.medium for part in parts.values() if part.part != "fibre"}
    for medium in known.media:
        if medium not in media:
            raise SpecError(f"media: {unknown_name('medium of links', medium, sorted(media))}")
    found = bill(purchase, known, Shop(parts, _unit_prices(known, node, rates)), name)
    _check_used(prices or {}, found)
    return found


def _other_switches(rules: BillRules) -> dict[str, Switch]:
    found = {}
    for key in ("storage_switch", "in_band_switch"):
        if name := getattr(rules, key):
            with at_key(key):
                found[name] = catalog.switch(name)
    return found


def _check_used(prices: Iterable[str], found: Bill) -> None:
    """Raises SpecError for a price that a user gives and nothing takes."""
    items = dict.fromkeys(line.item for line in found.lines)
    for item in prices:
        if item not in items:
            raise SpecError(f"prices: {unknown_name('item of this bill', item, items)}")


def _unit_prices(rules: BillRules, node: Node, rates: Mapping[str, float]) -> dict[str, UnitPrice]:
    """Prices in US dollars by item: the rules' own before the catalog's, and stand-ins where neither has one."""
    found = dict(_catalog_prices(rules, node, rates))
    for item, money in rules.prices.items():
        found[item] = UnitPrice(usd=money.usd(rates), kind="given", source="the rules")
    for item, other in rules.stand_ins.items():
        if item not in found and other in found:
            terms = f"price of {other}"
            found[item] = found[other].model_copy(update={"kind": "assumed", "terms": terms})
    for link_class, money in rules.link_prices.items():
        found[f"link:{link_class}"] = UnitPrice(usd=money.usd(rates), kind="given", source="the rules")
    if rules.facility_per_node is not None:
        usd = rules.facility_per_node.usd(rates)
        found["facility-per-node"] = UnitPrice(usd=usd, kind="given", source="the rules")
    return found


def _catalog_prices(rules: BillRules, node: Node, rates: Mapping[str, float]) -> Iterator[tuple[str, UnitPrice]]:
    """The latest price of each item, of one date the first. Items that are cards of a node are not nodes."""
    dated: dict[str, tuple[str, UnitPrice]] = {}
    for one in catalog.entries("prices"):
        if isinstance(one.spec, PriceList) and one.spec.list_kind == "hardware":
            for key, price in one.spec.prices.items():
                unit = _unit_price(one, key, price, rules, node, rates)
                if unit is not None and (price.item not in dated or price.date > dated[price.item][0]):
                    dated[price.item] = (price.date, unit)
    return ((item, unit) for item, (_, unit) in dated.items())


def _unit_price(
    one: Entry, key: str, price: Price, rules: BillRules, node: Node, rates: Mapping[str, float]
) -> UnitPrice | None:
    figure = one.figures[f"prices.{key}.low"]
    low, high = _per_piece(price.low), _per_piece(price.high or price.low)
    if low is None or high is None:
        return None
    amount = {"low": low, "middle": (low + high) / 2, "high": high}[rules.price_point]
    usd = Money(amount=amount, currency=price.low.currency).usd(rates)
    if price.accelerators is not None:
        usd *= node.num_accelerators / price.accelerators
    return UnitPrice.model_validate(
        {
            "usd": usd, "kind": figure.kind, "source": one.sources[figure.source].title, "date": price.date,
            "terms": price.terms,
        }
    )  # fmt: skip


def _per_piece(money: Money) -> float | None:
    """The amount for a piece, or for the megawatt of what is sold by the kilowatt; `None` for prices per GPU."""
    scale = {"": 1.0, "watt": 1e6}.get(money.per)
    return None if scale is None else scale * money.amount
