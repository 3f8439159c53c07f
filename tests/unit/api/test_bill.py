from pathlib import Path

import pytest

from myriad import catalog
from myriad.api.bill import bill_of, prices_of, rules_of
from myriad.errors import SpecError
from myriad.estimate.fabric.build import build_network
from myriad.estimate.fabric.counts import tier_switches
from myriad.spec.bill import Bill, BillLine, BillRules
from myriad.spec.cluster import Sites
from myriad.spec.money import Money

NDR = "fat-tree-ndr-rails"


def bill_for(node_id: str, num_nodes: int, rules: BillRules | str = "usual", fabric: str = NDR, **more: object) -> Bill:
    described, node = catalog.fabric(fabric), catalog.node(node_id)
    switches = {name: catalog.switch(name) for name in tier_switches(described.topology).values()}
    cards = described.nics_per_host or node.num_accelerators
    network = build_network(described.topology, num_nodes, cards, described.nic_bandwidth or 50e9, switches)
    return bill_of(network, described, node_id, num_nodes, rules, **more)  # type: ignore[arg-type]


def line_of(bill: Bill, item: str) -> BillLine:
    return next(line for line in bill.lines if line.item == item)


def test_prices_are_the_latest_of_the_catalog_with_their_source() -> None:
    bill = bill_for("dgx-h100", 32)
    switch, node = line_of(bill, "qm9700").price, line_of(bill, "dgx-h100").price
    assert switch is not None
    assert (switch.usd, switch.date, switch.kind) == (36000, "2024-08", "published")
    assert "Freakonomics" in switch.source
    assert node is not None
    assert node.usd == pytest.approx((310e3 + 317e3) / 2)


@pytest.mark.parametrize(("point", "usd"), [("low", 1100), ("middle", 1250), ("high", 1400)])
def test_ranges_are_taken_where_the_rules_say(point: str, usd: float) -> None:
    rules = rules_of("usual").model_copy(update={"price_point": point})
    price = line_of(bill_for("dgx-h100", 128, rules), "800g-dr8").price
    assert price is not None
    assert price.usd == usd


def test_a_node_without_a_price_takes_that_of_its_stand_in_and_says_so() -> None:
    price = line_of(bill_for("hgx-h800", 32), "hgx-h800").price
    assert price is not None
    assert (price.kind, price.terms) == ("assumed", "price of dgx-h100")
    bare = rules_of("usual").model_copy(update={"stand_ins": {}})
    assert line_of(bill_for("hgx-h800", 32, bare), "hgx-h800") in bill_for("hgx-h800", 32, bare).without_price


def test_a_rack_is_shared_out_over_its_trays_and_brings_its_backplane() -> None:
    bill = bill_for("gb200-nvl72", 36)
    price, backplane = line_of(bill, "gb200-nvl72").price, line_of(bill, "backplane")
    assert price is not None
    assert price.usd * 18 == pytest.approx(2.5e6)
    assert backplane.quantity == 2 * 5184
    assert backplane.amount_usd == 0
    assert not [line for line in bill.lines if line.name == "node rack"]


def test_optics_of_scale_up_links_come_with_the_nodes() -> None:
    bill = bill_for("cloudmatrix384", 48)
    optics = line_of(bill, "scale-up-transceiver")
    assert (optics.quantity, optics.amount_usd) == (6912, 0)
    assert bill.transceivers > 6912
    assert line_of(bill, "cloudmatrix384") in bill.without_price


def test_prices_in_other_currencies_are_changed_at_the_catalogs_rates() -> None:
    price = line_of(bill_for("h20-8gpu", 32), "h20-8gpu").price
    assert price is not None
    assert price.usd == pytest.approx(1.085e6 * catalog.usd_per_currency()["CNY"])
    dear = bill_for("h20-8gpu", 32, usd_per_currency={"CNY": 1.0})
    assert line_of(dear, "h20-8gpu").amount_usd == pytest.approx(32 * 1.085e6)


def test_own_prices_come_first_and_must_be_of_the_bill() -> None:
    bill = bill_for("dgx-h100", 32, prices={"rack": Money(amount=70_000, currency="CNY")})
    price = line_of(bill, "rack").price
    assert price is not None
    assert (price.kind, price.usd) == ("given", pytest.approx(70_000 * 0.1396))
    with pytest.raises(SpecError, match=r"prices: unknown item of this bill 'qm9800'; did you mean 'qm9700'"):
        bill_for("dgx-h100", 32, prices={"qm9800": Money(amount=1, currency="USD")})


def test_a_file_of_rules_lies_over_the_usual_ones(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("pue: 1.1\nstorage_switch: ''\n")
    usual, own = rules_of("usual"), rules_of(str(path))
    assert own == usual.model_copy(update={"pue": 1.1, "storage_switch": ""})
    path.write_text("pue: 0.9\n")
    with pytest.raises(SpecError, match=r"site.yaml:1: pue"):
        rules_of(str(path))
    with pytest.raises(SpecError, match="unknown rules of bills 'usuel'; did you mean 'usual'"):
        rules_of("usuel")
    path.write_text("prices: {rack: 5 k USD, qm9700: 40000 USD}\n")
    assert prices_of(path)["rack"] == Money(amount=5000, currency="USD")
    path.write_text("prices: {rack: 5 k USD/GPU}\n")
    with pytest.raises(SpecError, match=r"site.yaml:1: prices.rack"):
        prices_of(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"storage_switch": "qm9800"}, "storage_switch: unknown switch 'qm9800'; did you mean 'qm9700'"),
        ({"media": ("SR4",)}, "media: unknown medium of links 'SR4'"),
    ],
)
def test_rules_that_name_what_the_catalog_lacks_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        bill_for("dgx-h100", 32, rules_of("usual").model_copy(update=changes))


def test_rules_for_classes_of_links_that_no_topology_has_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("pue: 1.2\nlengths: {leaf-spin: 30 m}\n")
    with pytest.raises(SpecError, match=r"site.yaml:.*lengths: unknown class of links 'leaf-spin'; did you mean"):
        rules_of(str(path))


def test_sites_are_joined_by_fibre_by_the_kilometre() -> None:
    sites = Sites(number=3, distance=80e3, bandwidth=200e12 / 8)
    rules = BillRules(sites=sites, long_fibre="hollow-core")
    fibre = line_of(bill_for("dgx-h100", 32, rules), "long-fibre-hollow-core")
    assert (fibre.quantity, fibre.unit, fibre.price) == (2 * 2 * 80, "km", None)


def test_every_fabric_of_the_catalog_has_a_bill() -> None:
    for name in catalog.names("fabrics"):
        if catalog.fabric(name).topology.kind in ("torus", "direct"):
            continue
        bill = bill_for("dgx-h100", 16, "usual", name)
        assert bill.network_usd >= 0
        assert [line for line in bill.lines if line.sort in ("transceiver", "cable")]


def test_items_of_rules_and_prices_are_those_of_the_catalog() -> None:
    known = {name for kind in ("nodes", "switches", "optics") for name in catalog.names(kind)}
    others = {
        "connectx-7", "storage-node", "data-hall", "rack", "fabric-manager", "management-server", "facility-per-node",
    }  # fmt: skip
    items = {price.item for price in catalog.price_list("network").prices.values()}
    assert {item for item in items - known - others if " " not in item} == set()
    for name in catalog.names("bills"):
        rules = catalog.bill_rules(name)
        assert {*rules.prices, *rules.stand_ins, *rules.stand_ins.values()} - known - others == set()
