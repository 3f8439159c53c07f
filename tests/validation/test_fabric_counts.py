"""Switches and links of fabrics as vendors and papers print them, cell by cell.

Each row is a fabric of the catalog for so many hosts with so many cards, and what a table says of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from myriad import api
from myriad.errors import InfeasibleError
from myriad.estimate.fabric.build import build_network
from myriad.estimate.fabric.counts import links_between_switches, links_by_class, most_endpoints, switches_by_tier
from myriad.estimate.fabric.network import Network
from myriad.estimate.fabric.slim_fly import endpoints_per_switch, links_per_switch
from myriad.spec.fabric import SlimFly


class Row(NamedTuple):
    source: str
    fabric: str
    hosts: int
    cards: int
    expected: dict[str, int]


def superpod(name: str, fabric: str, service: int, *rows: tuple[int, int, int, int, int, int]) -> list[Row]:
    """Rows of hosts, GPUs, leaves, spines, cables of hosts and fabric managers, cables between."""
    return [
        Row(f"{name}, {hosts} hosts", fabric, hosts, 8,
            {"endpoints": gpus, "leaf": leaf, "spine": spine, "host-leaf": cables - service, "leaf-spine": between})
        for hosts, gpus, leaf, spine, cables, between in rows
    ]  # fmt: skip


MANAGED = (
    (31, 248, 8, 4, 252, 256), (63, 504, 16, 8, 508, 512), (95, 760, 24, 16, 764, 768),
    (127, 1016, 32, 16, 1020, 1024),
)  # fmt: skip
LARGE = (
    (64, 512, 16, 8, None), (128, 1024, 32, 16, None), (256, 2048, 64, 32, None), (512, 4096, 128, 128, 64),
    (1024, 8192, 256, 256, 128), (2048, 16384, 512, 512, 256),
)  # fmt: skip
"""Hosts, GPUs, leaves, spines, cores of the B200 SuperPOD; as many cables between any two tiers as GPUs."""
COST_SHEET = (
    (64, 8), (128, 48), (256, 96), (512, 192), (1024, 384), (2048, 768), (4096, 2560), (8192, 5120),
)  # fmt: skip
"""Hosts and switches of a cost sheet for H100 clusters (RWKV and Recursal, August 2024); rails apart."""

ROWS = [
    *superpod("SuperPOD H100, Table 4", "superpod-h100", 4, *MANAGED),
    *superpod("SuperPOD B200, Table 4", "superpod-b200-managed", 4, *MANAGED),
    *(
        Row(f"SuperPOD B200, Table 3, {hosts} hosts", "superpod-b200", hosts, 8,
            {"endpoints": gpus, "leaf": leaf, "spine": spine, "host-leaf": gpus, "leaf-spine": gpus}
            | ({"core": core, "spine-core": gpus} if core else {"core": 0}))
        for hosts, gpus, leaf, spine, core in LARGE
    ),
    Row("two tiers of k = 64: k^2/2 endpoints, k leaves, k/2 spines", "fat-tree-ndr", 2048, 1,
        {"leaf": 64, "spine": 32, "switches": 96, "reach with 2 tiers": 2048}),
    Row("three tiers of k = 64: k^3/4 endpoints, 5 k^2/4 switches", "fat-tree-ndr", 65536, 1,
        {"switches": 5120, "reach": 65536}),
    Row("DeepSeek ISCA 2025, Table 3, FT2", "fat-tree-ndr", 2048, 1,
        {"endpoints": 2048, "switches": 96, "between": 2048}),
    Row("DeepSeek ISCA 2025, Table 3, MPFT", "deepseek-mpft", 2048, 8,
        {"endpoints": 16384, "switches": 768, "between": 16384, "reach": 16384}),
    Row("DeepSeek ISCA 2025, Table 3, FT3", "fat-tree-ndr", 65536, 1,
        {"endpoints": 65536, "switches": 5120, "between": 131072}),
    Row("DeepSeek ISCA 2025, Table 3, DF", "dragonfly", 32704, 8,
        {"endpoints": 261632, "switches": 16352, "between": 384272}),
    Row("Alibaba HPN, one pod", "hpn7", 1920, 8,
        {"endpoints": 15360, "leaf": 240, "spine": 120, "leaves of a plane": 120, "leaves of a spine": 120,
         "endpoints of a leaf": 128, "core": 0}),
    Row("Alibaba HPN, one segment", "hpn7", 128, 8, {"endpoints": 1024, "leaf": 16}),
    Row("Fire-Flyer 2, one zone", "fire-flyer2", 800, 1,
        {"endpoints": 800, "leaf": 40, "spine": 20, "reach": 800}),
    Row("MegaScale, 12,288 GPUs", "megascale", 1536, 8,
        {"endpoints": 12288, "leaf": 192, "endpoints of a leaf": 64, "reach": 131072}),
    Row("Meta, 24,576 GPUs", "meta-24k", 3072, 8,
        {"endpoints": 24576, "leaf": 1536, "endpoints of a leaf": 16, "pods": 8, "leaves of a spine": 192}),
    Row("vendor example of 512 hosts", "fat-tree-ndr-rails", 512, 8,
        {"endpoints": 4096, "leaf": 128, "spine": 128, "core": 64, "switches": 320}),
    Row("Quantum-X800", "quantum-x800", 1296, 8, {"endpoints": 10368, "core": 0, "reach with 2 tiers": 10368}),
    Row("plan of 32 B300 hosts", "quantum-x800", 32, 8, {"endpoints": 256, "leaf": 8, "spine": 4}),
    Row("multi-plane network of 131,072 GPUs", "multi-plane-100g", 16384, 8,
        {"endpoints": 131072, "leaves of a plane": 512, "endpoints of a leaf": 256, "reach": 131072}),
    Row("H100 cost sheet, 2 hosts", "back-to-back", 2, 8, {"switches": 0, "endpoints": 16}),
    *(
        Row(f"H100 cost sheet, {hosts} hosts", "rail-only-ndr", hosts, 8, {"endpoints": 8 * hosts, "switches": number})
        for hosts, number in COST_SHEET
    ),
]  # fmt: skip

CELLS = [(row, cell) for row in ROWS for cell in row.expected]


def built(row: Row) -> Network:
    fabric = api.fabric_of(row.fabric)
    return build_network(
        fabric.topology, row.hosts, row.cards, fabric.nic_bandwidth or 50e9, api.switches_of(fabric)
    )  # fmt: skip


def cell(row: Row, name: str) -> int:
    """What the catalog's fabric has in this cell of a table."""
    if name.startswith("reach"):
        fabric = api.fabric_of(row.fabric)
        topology = fabric.topology.model_copy(update={"tiers": 2} if name.endswith("2 tiers") else {})
        return most_endpoints(topology, row.cards, fabric.nic_bandwidth or 50e9, api.switches_of(fabric))
    network = built(row)
    match name:
        case "endpoints":
            return network.num_endpoints
        case "switches":
            return network.num_switches
        case "between":
            return links_between_switches(network)
        case "pods":
            return len(np.unique(network.switch_group[network.switch_tier == 1]))
        case "leaves of a plane":
            return int(np.sum((network.switch_tier == 0) & (network.switch_plane == 0)))
        case "leaves of a spine":
            links = network.links("leaf-spine")
            return len(np.unique(network.lower[links][network.upper[links] == network.switches("spine")[0]]))
        case "endpoints of a leaf":
            return int(np.sum(network.upper[network.links("host-leaf")] == network.switches("leaf")[0]))
        case _:
            return (switches_by_tier(network) | links_by_class(network)).get(name, 0)


@pytest.mark.parametrize(("row", "name"), CELLS, ids=[f"{row.source}: {name}" for row, name in CELLS])
def test_every_cell_of_the_published_tables(row: Row, name: str):
    assert cell(row, name) == row.expected[name]


def test_slim_fly_of_28_has_the_counts_of_the_table_and_no_graph():
    """DeepSeek's Table 3 counts 32,928 endpoints, 1,568 switches and 32,928 links; 28 is no power of a prime."""
    topology = SlimFly(switch="qm9700", q=28)
    switches = 2 * 28**2
    assert switches == 1568
    assert switches * links_per_switch(28) // 2 == 32928
    assert switches * endpoints_per_switch(topology, 28) == 32928
    with pytest.raises(InfeasibleError, match=r"no Slim Fly of order 28: .* nearest: 27 and 29"):
        build_network(topology, 4, 8, 50e9, api.switches_of(api.fabric_of("slim-fly")))


def test_the_largest_row_of_the_cost_sheet_is_a_share_and_not_a_network():
    """8,192 switches are 5/64 of 104,858 GPUs, rounded; whole leaves and pods of every rail take 2.5 % more."""
    network = built(Row("", "rail-only-ndr", 13107, 8, {}))
    assert round(104858 * 5 / 64) == 8192
    assert network.num_switches == 8400
