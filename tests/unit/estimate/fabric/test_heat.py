from dataclasses import replace

import numpy as np

from myriad.estimate.fabric.build import build_network
from myriad.estimate.fabric.heat import HOTTEST, MOST_CELLS, fabric_heat
from myriad.spec.fabric import Dragonfly, FatTree, Torus
from myriad.spec.fabric_heat import FabricHeat
from myriad.spec.fabric_parts import Switch

SWITCHES = {"64": Switch(name="64", vendor="", technology="ethernet", ports=64, port_bandwidth=50e9)}


def test_a_cell_is_the_link_between_leaf_and_spine() -> None:
    network = build_network(FatTree(switch="64"), 32, 8, 50e9, SWITCHES)  # 8 leaves, 4 spines, 8 links between each two
    links = network.links("leaf-spine")
    leaf = network.lower[links] - network.num_endpoints
    spine = network.upper[links] - network.num_endpoints - 8
    utilisation = np.zeros(2 * network.num_links)
    utilisation[2 * links] = (leaf * 10 + spine) / 100
    utilisation[2 * links + 1] = 0.5
    up, down = fabric_heat(network, utilisation).maps
    assert (up.tier, up.reached_tier, up.direction, down.direction) == ("leaf", "spine", "up", "down")
    assert up.cells == tuple(tuple((10 * one + other) / 100 for other in range(4)) for one in range(8))
    assert set(sum(down.cells, ())) == {0.5}
    assert up.means[3] == 0.315


def test_links_that_are_down_are_marked_and_count_nowhere() -> None:
    network = build_network(FatTree(switch="64"), 32, 8, 50e9, SWITCHES)
    links = network.links("leaf-spine")
    at = (network.lower[links] == network.num_endpoints + 2) & (network.upper[links] == network.num_endpoints + 8 + 1)
    rates = network.bytes_per_s.copy()
    rates[links[at]] = 0.0
    heat = fabric_heat(replace(network, bytes_per_s=rates), np.full(2 * network.num_links, 0.25))
    assert heat.maps[0].cells[2] == (0.25, -1, 0.25, 0.25)
    of_class = {(one.link_class, one.direction): one for one in heat.classes}
    assert of_class["leaf-spine", "up"].dead == 8
    assert of_class["leaf-spine", "up"].mean_fraction == 0.25
    assert of_class["host-leaf", "down"].dead == 0


def test_maps_stay_small_and_show_the_fullest() -> None:
    network = build_network(FatTree(switch="64"), 8192, 8, 50e9, SWITCHES)
    utilisation = np.full(2 * network.num_links, 0.3)
    hot = int(network.links("spine-core")[12345])
    utilisation[2 * hot + 1] = 0.99
    heat = fabric_heat(network, utilisation)
    assert all(len(one.cells) <= MOST_CELLS and len(one.cells[0]) <= MOST_CELLS for one in heat.maps)
    fullest = {(one.link_class, one.direction): max(max(filter(None, line)) for line in one.cells) for one in heat.maps}
    assert fullest == {
        ("leaf-spine", "up"): 0.3, ("leaf-spine", "down"): 0.3, ("spine-core", "up"): 0.3, ("spine-core", "down"): 0.99
    }  # fmt: skip
    assert len(heat.hottest) == HOTTEST
    first = heat.hottest[0]
    assert (first.link_class, first.direction, first.use_fraction) == ("spine-core", "down", 0.99)
    assert first.from_place.tier == "core"
    assert first.to_place.group == 12345 // (32 * 32)
    assert FabricHeat.model_validate_json(heat.model_dump_json()) == heat
    assert len(heat.model_dump_json()) < 100_000


def test_flat_fabrics_have_links_out_of_every_switch() -> None:
    fly = Dragonfly(switch="64", endpoints_per_switch=2, switches_per_group=4, global_links_per_switch=2)
    network = build_network(fly, 9, 8, 50e9, SWITCHES)
    heat = fabric_heat(network, np.full(2 * network.num_links, 0.5))
    assert [(one.link_class, one.direction, one.switches, one.reached) for one in heat.maps] == [
        ("local", "out", 36, 3), ("global", "out", 36, 2)
    ]  # fmt: skip
    torus = build_network(Torus(dimensions=(4, 4, 4), link_bandwidth=45e9), 16, 4, 50e9, {})
    (neighbours,) = fabric_heat(torus, np.full(2 * torus.num_links, 0.5)).maps
    assert (neighbours.tier, neighbours.switches, neighbours.reached) == ("chip", 64, 6)
