import pytest

from bill_fixtures import SWITCH, tree_bill
from myriad import catalog
from myriad.estimate.fabric.bill_links import PricedNetwork, Shop, link_lines
from myriad.estimate.fabric.bill_site import nodes_in_a_rack
from myriad.estimate.fabric.build import build_network
from myriad.spec.bill import Bill, BillRules

BARE = BillRules()


def quantities(bill: Bill, sort: str) -> dict[tuple[str, str], float]:
    return {(line.item, line.place): line.quantity for line in bill.lines if line.sort == sort}


def test_a_rail_of_one_switch_each_takes_copper_where_it_reaches() -> None:
    bill = tree_bill(32, BillRules(lengths={"host-leaf": 2.0}), {}, rails="separate")
    assert quantities(bill, "switch") == {("switch", "leaf"): 8}
    assert quantities(bill, "cable") == {("400g-dac", "host-leaf"): 256}
    assert not bill.transceivers


def test_twin_ports_share_a_transceiver_on_switches_but_not_on_cards() -> None:
    bill = tree_bill(128, BARE, {}, rails="aligned")
    assert quantities(bill, "switch") == {("switch", "leaf"): 32, ("switch", "spine"): 16}
    assert quantities(bill, "transceiver") == {
        ("400g-sr4", "host-leaf"): 1024,
        ("800g-sr8", "host-leaf"): 512,
        ("800g-dr8", "leaf-spine"): 1024,
    }
    assert quantities(bill, "fibre") == {("mpo-multimode", "host-leaf"): 1024, ("mpo-single-mode", "leaf-spine"): 1024}


def test_twin_cages_of_hosts_halve_the_modules_of_cards() -> None:
    bill = tree_bill(128, BillRules(nic_ports_per_cage=2), {}, rails="aligned")
    assert quantities(bill, "transceiver")["800g-sr8", "host-leaf"] == 512 + 512


def test_single_ports_take_a_transceiver_each() -> None:
    single = SWITCH.model_copy(update={"ports_per_cage": 1})
    bill = tree_bill(128, BARE, {}, single, rails="aligned")
    assert quantities(bill, "transceiver")["400g-dr4", "leaf-spine"] == 2 * 1024


def test_links_among_equal_switches_share_cages_at_both_ends() -> None:
    described = catalog.fabric("dragonfly")
    switches = {"qm9700": catalog.switch("qm9700")}
    network = build_network(described.topology, 128, 8, 50e9, switches)
    priced = PricedNetwork(network, {"switch": ("qm9700", switches["qm9700"])}, "network")
    lengths = dict.fromkeys(network.link_classes, 25.0)
    lines = link_lines(priced, lengths, BARE, Shop(catalog.link_parts(), {}))
    local = next(line for line in lines if line.place == "local" and line.sort == "transceiver")
    # 31 ports of each switch lead to the others of its group: 16 cages of two.
    assert local.quantity == 16 * network.num_switches


def test_a_faster_switch_breaks_its_ports_out_to_several_cards() -> None:
    fast = SWITCH.model_copy(update={"ports": 64, "port_bandwidth": 100e9, "ports_per_cage": 1})
    bill = tree_bill(16, BARE, {}, fast)
    # 128 cards of 400 Gb/s on 64 ports of 800 Gb/s: one module of 800 Gb/s for two cards.
    assert quantities(bill, "transceiver") == {("400g-sr4", "host-leaf"): 128, ("800g-sr8", "host-leaf"): 64}


def test_a_speed_without_modules_is_said_not_guessed() -> None:
    odd = SWITCH.model_copy(update={"ports_per_cage": 3})
    bill = tree_bill(16, BARE, {}, odd, tiers=2)
    odd_parts = [line for line in bill.lines if line.item.startswith("transceiver of 3 x 400 Gb/s")]
    assert odd_parts
    assert all(line.price is None and line in bill.without_price for line in odd_parts)


def test_other_media_are_taken_in_the_order_asked_for() -> None:
    rules = BillRules(media=("LPO", "FR"), lengths={"leaf-spine": 800.0})
    bill = tree_bill(128, rules, {}, rails="aligned")
    assert set(quantities(bill, "transceiver")) == {
        ("400g-lpo", "host-leaf"), ("800g-lpo", "host-leaf"), ("800g-fr4", "leaf-spine"),
    }  # fmt: skip
    assert ("lc-single-mode", "leaf-spine") in quantities(bill, "fibre")


def test_power_counts_transceivers_once() -> None:
    bill = tree_bill(128, BARE, {}, rails="aligned")
    assert bill.it_watts == 128 * 10200 + 48 * 1720
    assert all(line.powered_by_host for line in bill.lines if line.sort == "transceiver")
    unknown = tree_bill(128, BARE, {}, SWITCH.model_copy(update={"power_watts": None}), rails="aligned")
    assert unknown.it_watts == 128 * 10200 + 512 * 15 + 1024 * 15
    assert {line.place for line in unknown.without_power} == {"leaf", "spine"}


def test_storage_and_management_are_networks_of_their_own() -> None:
    rules = BillRules(
        storage_nodes_per_1000_accelerators=18, storage_switch="switch", in_band_switch="switch",
        out_of_band_ports_per_node=1, managers=4, management_servers=5,
    )  # fmt: skip
    bill = tree_bill(128, rules, {}, rails="aligned")
    assert quantities(bill, "server") == {("storage-node", ""): 19, ("management-server", ""): 5}
    # 128 nodes and twice 19 storage nodes ask for 166 ports; 128 nodes, 19 and 5 servers for 152.
    switches = quantities(bill, "switch")
    assert switches["switch", "storage leaf"] == 6
    assert switches["switch", "in-band leaf"] == 5
    managed = sum(count for (item, _), count in switches.items() if item == "switch")
    out_of_band = next(line for line in bill.lines if line.item == "out-of-band-cable")
    assert out_of_band.quantity == 128 + 19 + 5 + managed


def test_racks_hold_as_many_nodes_as_their_power_lets_them() -> None:
    h100, gb200 = catalog.node("dgx-h100"), catalog.node("gb200-nvl72")
    assert nodes_in_a_rack(h100, BillRules(rack_power=44e3)) == 4
    assert nodes_in_a_rack(h100, BillRules(rack_power=5e3)) == 1
    assert nodes_in_a_rack(gb200, BARE) == 18
    assert nodes_in_a_rack(h100, BillRules(nodes_per_rack=2)) == 2
    rules = BillRules(node_racks=True, switch_units_per_rack=16)
    assert quantities(tree_bill(127, rules, {}, rails="aligned"), "rack") == {("rack", ""): 3}
    assert next(line for line in tree_bill(127, rules, {}).lines if line.name == "node rack").quantity == 32


def test_the_building_is_priced_by_the_megawatt_with_cooling() -> None:
    bill = tree_bill(128, BillRules(data_hall=True, pue=1.5), {"data-hall": 10e6}, rails="aligned")
    hall = next(line for line in bill.lines if line.item == "data-hall")
    assert hall.quantity == pytest.approx(1.5 * bill.it_watts / 1e6)
    assert hall.amount_usd == pytest.approx(10e6 * hall.quantity)


def test_spares_come_on_top_rounded_up() -> None:
    bill = tree_bill(128, BillRules(spares=0.01), {"switch": 36000.0}, rails="aligned")
    spare = {line.item: line.quantity for line in bill.lines if line.group == "spares" and line.place != "spine"}
    assert spare["switch"] == 1
    assert spare["dgx-h100"] == 2
    assert bill.transceivers == tree_bill(128, BARE, {}, rails="aligned").transceivers
