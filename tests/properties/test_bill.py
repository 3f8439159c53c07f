"""What holds for every bill of materials."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bill_fixtures import SWITCH, tree_bill
from myriad import catalog
from myriad.spec.bill import GROUPS, Bill, BillRules

PRICES = {
    "dgx-h100": 300e3, "switch": 36e3, "400g-dac": 100.0, "400g-sr4": 500.0, "400g-dr4": 600.0, "800g-sr8": 800.0,
    "800g-dr8": 1000.0, "mpo-multimode": 50.0, "mpo-single-mode": 60.0, "storage-node": 60e3, "rack": 5e3,
    "fabric-manager": 10e3, "management-server": 10e3, "out-of-band-switch": 2e3, "out-of-band-cable": 5.0,
    "data-hall": 17e6,
}  # fmt: skip
FULL = catalog.bill_rules("usual").model_copy(update={"storage_switch": "switch", "in_band_switch": "switch"})

nodes = st.integers(2, 600)
trees = st.fixed_dictionaries(
    {"rails": st.sampled_from(["mixed", "aligned", "separate"]), "oversubscription": st.sampled_from([1.0, 2.0, 3.0])}
)


@settings(max_examples=40, deadline=None)
@given(nodes, trees, st.sets(st.sampled_from(sorted(PRICES))), st.sampled_from([0.0, 0.02]))
def test_parts_sum_to_the_whole_and_what_has_no_price_is_said(
    number: int, tree: dict[str, object], known: set[str], spares: float
) -> None:
    rules = FULL.model_copy(update={"spares": spares})
    bill = tree_bill(number, rules, {item: PRICES[item] for item in known}, **tree)
    assert abs(sum(bill.group_usd(group) for group in GROUPS) - bill.total_usd) <= 1e-9 * bill.total_usd
    priced = [line for line in bill.lines if line.price is not None]
    assert len(priced) + len(bill.without_price) == len(bill.lines)
    assert sum(line.quantity * line.price.usd for line in priced if line.price) == bill.total_usd
    assert {line.item for line in priced if line.price and line.price.kind != "included"} <= known
    assert all(line.item not in known for line in bill.without_price)


@settings(max_examples=40, deadline=None)
@given(nodes, trees, st.sampled_from([1, 2]))
def test_every_optical_link_has_a_port_of_a_transceiver_at_both_ends(
    number: int, tree: dict[str, object], per_cage: int
) -> None:
    switch = SWITCH.model_copy(update={"ports_per_cage": per_cage})
    bill = tree_bill(number, BillRules(), PRICES, switch, **tree)
    assert _two_ends(bill)
    if per_cage == 1:
        links = sum(line.quantity for line in bill.lines if line.sort == "fibre")
        assert bill.transceivers == 2 * links


def _two_ends(bill: Bill) -> bool:
    """Ports in the bases are twice the links; cages hold them all, and no machine has more than a part of one empty."""
    links = sum(line.quantity for line in bill.lines if line.sort == "fibre")
    modules = [line for line in bill.lines if line.sort == "transceiver"]
    ports = sum(int(line.basis.split()[1].replace(",", "")) for line in modules)
    return ports == 2 * links and links <= bill.transceivers <= 2 * links


@settings(max_examples=40, deadline=None)
@given(nodes, st.integers(1, 200), trees)
def test_more_nodes_are_never_cheaper(number: int, more: int, tree: dict[str, object]) -> None:
    small, large = (tree_bill(count, FULL, PRICES, **tree) for count in (number, number + more))
    assert small.total_usd <= large.total_usd
    assert small.network_usd <= large.network_usd
    assert small.it_watts <= large.it_watts


@settings(max_examples=20, deadline=None)
@given(nodes, trees)
def test_less_bandwidth_between_leaves_is_never_dearer(number: int, tree: dict[str, object]) -> None:
    given_tree = {**tree, "oversubscription": 1.0}
    full = tree_bill(number, BillRules(), PRICES, **given_tree)
    half = tree_bill(number, BillRules(), PRICES, **{**given_tree, "oversubscription": 3.0})
    assert half.network_usd <= full.network_usd
