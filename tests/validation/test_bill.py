"""Bills of materials against published cost sheets.

Unit prices of the first sheet are its own: node, switch and building by the piece, and the price of a link solved from
three of its rows (2, 64 and 128 nodes). What is judged is the counting: tiers, switches and links of ten sizes.
"""

import numpy as np
import pytest

from myriad import catalog
from myriad.api.bill import bill_of, rules_of
from myriad.estimate.fabric.build import build_network
from myriad.estimate.fabric.counts import links_between_switches, tier_switches
from myriad.estimate.fabric.network import Network
from myriad.spec.bill import Bill
from myriad.spec.money import Money

# H100 Freakonomics spreadsheet, August 2024: nodes, switches, USD of switches, of cables, and per GPU of everything.
COST_SHEET = [
    (2, 0, 0, 12_960, 45_810),
    (64, 8, 288_000, 675_840, 46_883),
    (128, 48, 1_728_000, 2_621_440, 49_248),
    (256, 96, 3_456_000, 5_242_880, 49_248),
    (512, 192, 6_912_000, 10_485_760, 47_998),
    (1024, 384, 13_824_000, 20_971_520, 47_998),
    (2048, 768, 27_648_000, 41_943_040, 49_248),
    (4096, 2560, 92_160_000, 124_518_400, 51_613),
    (8192, 5120, 184_320_000, 249_036_800, 51_613),
    (13107, 8192, 294_912_000, 398_458_880, 51_613),
]
CHEAPER_NODES = (512, 1024)
"""Rows in which a node costs 300,000 USD, not 310,000."""

# "Insights into DeepSeek-V3" (ISCA 2025), Table 3: endpoints, switches, links between switches, 1,000 USD per endpoint.
DEEPSEEK = {
    "FT2": ("fat-tree-ndr", 2048, 96, 2048, 4.39),
    "MPFT": ("deepseek-mpft", 16384, 768, 16384, 4.39),
    "FT3": ("fat-tree-ndr", 65536, 5120, 131072, 7.5),
    # The paper counts an order of 28, of which no graph of this family exists; ours is of order 27.
    "SF": ("slim-fly", 30616, 1458, 29889, 4.4),
    "DF": ("dragonfly", 261632, 16352, 384272, 5.8),
}


def network_of(fabric: str, nodes: int) -> Network:
    topology = catalog.fabric(fabric).topology
    switches = {name: catalog.switch(name) for name in tier_switches(topology).values()}
    return build_network(topology, nodes, 8, 50e9, switches)


def sheet_bill(nodes: int) -> Bill:
    fabric = "back-to-back" if nodes == 2 else "rail-only-ndr"
    rules = rules_of("h100-cost-sheet-2024")
    if nodes in CHEAPER_NODES:
        prices = {**rules.prices, "dgx-h100": Money(amount=300_000, currency="USD")}
        rules = rules.model_copy(update={"prices": prices})
    return bill_of(network_of(fabric, nodes), catalog.fabric(fabric), "dgx-h100", nodes, rules)


@pytest.mark.parametrize(("nodes", "switches", "switch_usd", "cable_usd", "per_gpu_usd"), COST_SHEET)
def test_cost_per_endpoint_is_that_of_the_cost_sheet(
    nodes: int, switches: int, switch_usd: int, cable_usd: int, per_gpu_usd: int
) -> None:
    bill = sheet_bill(nodes)
    assert bill.total_usd / bill.num_endpoints == pytest.approx(per_gpu_usd, rel=0.003)
    # Nodes are nine tenths of it; the network alone tells more. The sheet's last row takes switches in proportion to
    # GPUs, 8,192 of them; whole leaves, pods and core groups are 8,400.
    tolerance = 0.02 if nodes == 13107 else 0.0005
    assert bill.network_usd == pytest.approx(switch_usd + cable_usd, rel=tolerance)
    counted = sum(line.quantity for line in bill.lines if line.sort == "switch")
    assert counted == (8400 if nodes == 13107 else switches)


def test_the_catalogs_own_prices_of_parts_come_near_the_cost_sheet() -> None:
    # Independent of the sheet but for the switch: modules and fibres at the middle of what shops ask.
    rules = rules_of("usual")
    ratios = []
    for nodes, _, switch_usd, cable_usd, _ in COST_SHEET[1:9]:
        bill = bill_of(network_of("rail-only-ndr", nodes), catalog.fabric("rail-only-ndr"), "dgx-h100", nodes, rules)
        ratios.append(bill.network_usd / (switch_usd + cable_usd))
    assert min(ratios) > 0.94
    assert max(ratios) < 1.04


def test_cost_per_endpoint_of_five_topologies_from_the_prices_of_two() -> None:
    # The paper prints no unit prices. A switch at 36,000 USD, as above, leaves two unknowns, a link between
    # switches and an endpoint with its link, which FT2 and FT3 give; the other three are predictions.
    switch_kusd = 36.0

    def shares(name: str) -> tuple[float, float]:
        fabric, endpoints, switches, links, _ = DEEPSEEK[name]
        network = network_of(fabric, endpoints // 8)
        assert (network.num_switches, links_between_switches(network)) == (switches, links)
        return network.num_switches / endpoints, links / endpoints

    def rest(name: str) -> float:
        return DEEPSEEK[name][-1] - switch_kusd * shares(name)[0]

    solved = np.linalg.solve([[shares("FT2")[1], 1.0], [shares("FT3")[1], 1.0]], [rest("FT2"), rest("FT3")])
    link_kusd, endpoint_kusd = solved
    assert (link_kusd, endpoint_kusd) == pytest.approx((1.985, 0.7175))
    for name, tolerance in (("MPFT", 0.001), ("SF", 0.01), ("DF", 0.02)):
        of_switches, of_links = shares(name)
        predicted = switch_kusd * of_switches + link_kusd * of_links + endpoint_kusd
        assert predicted == pytest.approx(DEEPSEEK[name][-1], rel=tolerance), name
