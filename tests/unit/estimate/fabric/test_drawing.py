from dataclasses import replace

import numpy as np
import pytest

from myriad.estimate.fabric.build import build_network
from myriad.estimate.fabric.drawing import draw
from myriad.spec.fabric import Direct, Dragonfly, DragonflyPlus, FatTree, SlimFly, Topology, Torus
from myriad.spec.fabric_parts import Switch

SWITCHES = {
    "4": Switch(name="4", vendor="", technology="ethernet", ports=4, port_bandwidth=50e9),
    "64": Switch(name="64", vendor="", technology="ethernet", ports=64, port_bandwidth=50e9),
    "128": Switch(name="128", vendor="", technology="ethernet", ports=128, port_bandwidth=50e9),
}
FABRICS: dict[str, tuple[Topology, int, int]] = {
    "one leaf": (FatTree(switch="64"), 8, 8),
    "k = 4": (FatTree(switch="4"), 16, 1),
    "two tiers": (FatTree(switch="64"), 256, 8),
    "units": (FatTree(switch="64", rails="aligned"), 127, 8),
    "three tiers": (FatTree(switch="64", rails="aligned"), 2048, 8),
    "65,536": (FatTree(switch="64"), 8192, 8),
    "rails": (FatTree(switch="128", rails="separate"), 2048, 8),
    "planes": (FatTree(switch="128", planes=2), 128, 8),
    "planes of pods": (FatTree(switch="64", planes=2, tiers=3), 1024, 8),
    "rails of planes": (FatTree(switch="64", planes=4, rails="separate"), 1024, 8),
    "straddling hosts": (FatTree(switch="64"), 66, 6),
    "small slim fly": (SlimFly(switch="64", q=5, endpoints_per_switch=4), 25, 8),
    "slim fly": (SlimFly(switch="128", q=37), 8192, 8),
    "small dragonfly": (
        Dragonfly(switch="64", endpoints_per_switch=2, switches_per_group=4, global_links_per_switch=2), 9, 8
    ),
    "dragonfly": (
        Dragonfly(switch="64", endpoints_per_switch=16, switches_per_group=32, global_links_per_switch=16), 8192, 8
    ),
    "dragonfly+": (
        DragonflyPlus(
            switch="64", leaves_per_group=16, spines_per_group=16, endpoints_per_leaf=32, global_links_per_spine=32
        ),
        1024,
        8,
    ),
    "ring": (Torus(dimensions=(32,), link_bandwidth=45e9), 8, 4),
    "torus": (Torus(dimensions=(16, 16, 16), link_bandwidth=45e9), 1024, 4),
    "direct": (Direct(), 2, 8),
}  # fmt: skip


@pytest.mark.parametrize("name", FABRICS)
def test_a_picture_is_small_and_holds_everything(name: str) -> None:
    topology, hosts, nics = FABRICS[name]
    network = build_network(topology, hosts, nics, 50e9, SWITCHES)
    drawing = draw(network, topology)
    assert len(drawing.boxes) <= 60
    assert len(drawing.links) <= 300
    assert sum(box.endpoints for box in drawing.boxes) == network.num_endpoints
    for tier in network.tiers:
        assert sum(box.switches.get(tier, 0) for box in drawing.boxes) == len(network.switches(tier))
    assert sum(link.links for link in drawing.links) + sum(box.inner_links for box in drawing.boxes) == (
        network.num_links
    )
    for shape in (*drawing.boxes, *drawing.frames):
        assert 0 < shape.x - shape.width / 2 < shape.x + shape.width / 2 < drawing.width
        assert 0 < shape.y - shape.height / 2 < shape.y + shape.height / 2 < drawing.height


@pytest.mark.parametrize("name", FABRICS)
def test_no_box_covers_another(name: str) -> None:
    topology, hosts, nics = FABRICS[name]
    boxes = draw(build_network(topology, hosts, nics, 50e9, SWITCHES), topology).boxes
    for index, one in enumerate(boxes):
        for other in boxes[:index]:
            apart_x = abs(one.x - other.x) >= (one.width + other.width) / 2
            apart_y = abs(one.y - other.y) >= (one.height + other.height) / 2
            assert apart_x or apart_y, (one, other)


def test_a_small_tree_is_drawn_whole_and_a_large_one_folded() -> None:
    small = FatTree(switch="64")
    whole = draw(build_network(small, 64, 8, 50e9, SWITCHES), small)
    assert whole.tiers == {"leaf": 16, "spine": 8}
    assert [sum(box.switches.values()) for box in whole.boxes if box.tier != "host"] == [1] * 24
    assert not whole.folded
    large = draw(build_network(small, 256, 8, 50e9, SWITCHES), small)
    assert large.folded
    assert max(box.switches.get("leaf", 0) for box in large.boxes) == 57


def test_width_shows_oversubscription() -> None:
    """Lines above a leaf are together as wide as those below it, or a third where bandwidth is a third."""
    ratios = []
    for oversubscription in (1.0, 3.0):
        tree = FatTree(switch="64", oversubscription=oversubscription)
        drawing = draw(build_network(tree, 192, 8, 50e9, SWITCHES), tree)
        leaf = next(index for index, box in enumerate(drawing.boxes) if box.tier == "leaf")
        below = sum(link.weight for link in drawing.links if link.upper == leaf)
        above = sum(link.weight for link in drawing.links if link.lower == leaf)
        ratios.append(below / above)
    assert ratios == pytest.approx([1.0, 3.0], rel=0.01)


def test_bundles_carry_the_use_of_their_links() -> None:
    tree = FatTree(switch="64")
    network = build_network(tree, 256, 8, 50e9, SWITCHES)
    utilisation = np.random.default_rng(5).random(2 * network.num_links)
    down = network.links("leaf-spine")[:3]
    rates = network.bytes_per_s.copy()
    rates[down] = 0.0
    drawing = draw(replace(network, bytes_per_s=rates), tree, utilisation)
    used = [(link, link.use) for link in drawing.links if link.use is not None]
    assert len(used) == len(drawing.links)
    assert sum(use.dead for _, use in used) == 3
    alive = np.setdiff1d(np.arange(network.num_links), down)
    assert max(use.up_peak for _, use in used) == pytest.approx(utilisation[2 * alive].max(), abs=1e-4)
    mean = sum(use.down_mean * (link.links - use.dead) for link, use in used) / len(alive)
    assert mean == pytest.approx(utilisation[2 * alive + 1].mean(), abs=1e-3)
