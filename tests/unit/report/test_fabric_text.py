"""Fabrics in words: both languages, and what nobody worked out."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console, RenderableType

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.build import build_network
from myriad.report.fabric_text import comparison_text, fabric_text
from myriad.report.language import language
from myriad.spec.fabric import Direct, Dragonfly, DragonflyPlus, FatTree, SlimFly, TierPorts, Topology, Torus
from myriad.spec.fabric_parts import Switch
from myriad.spec.fabric_result import ComparedFabric, FabricComparison, FabricDescription, GrowthStep

FABRIC = FabricDescription(
    name="ours", title="Our fabric", kind="fat-tree", routing="spray", num_accelerators=1016, num_hosts=127,
    nics_per_host=8, nic_bytes_per_s=50e9, num_endpoints=1016, most_endpoints=65532,
    switches={"leaf": 32, "spine": 16}, switch_names={"leaf": "A leaf", "spine": "A spine"},
    ports_free={"leaf": 8, "spine": 0}, links={"host-leaf": 1016, "leaf-spine": 1024},
    link_bytes_per_s={"host-leaf": 50e9, "leaf-spine": 50e9}, links_between_switches=1024,
    bisection_bytes_per_s=25.2e12, bisection_fraction=1.0, diameter=3, mean_hops=2.94, latency_across_s=None,
    scale_up_domain=8, scale_up_bytes_per_s=450e9,
    growth=(
        GrowthStep(num_hosts=31, num_accelerators=248, switches={"leaf": 8, "spine": 4}, links={"host-leaf": 248},
                   added_switches={"leaf": 8, "spine": 4}, added_links={"host-leaf": 248}),
        GrowthStep(num_hosts=63, num_accelerators=504, switches={"leaf": 16, "spine": 3}, links={"host-leaf": 504},
                   added_switches={"leaf": 8, "spine": -1}, added_links={"host-leaf": 256}),
    ),
)  # fmt: skip


def shown(block: RenderableType) -> str:
    text = StringIO()
    Console(width=100, file=text).print(block)
    return text.getvalue()


def test_a_fabric_says_what_it_is_made_of():
    text = shown(fabric_text(FABRIC))
    for part in ("1,016 of 65,532", "A spine", "202 Tb/s, 100.0 % of full", "at most 3, 2.94", "8 GPUs at 3.6 Tb/s"):
        assert part in text
    assert re.search(r"Latency +–", text)
    assert re.search(r"63 +504 +\+8 +−1", text)
    assert "对分带宽" in shown(fabric_text(FABRIC, "zh"))


def test_what_nobody_worked_out_is_a_dash():
    rows = (
        ComparedFabric(name="ours", description=FABRIC, transceivers=4080, cost_per_endpoint_usd=2400.0),
        ComparedFabric(name="other", description=FABRIC, power_watts=5e4, collectives_s={"all-reduce": 0.0125}),
        ComparedFabric(name="none", description=None,
                       reason="two tiers of these switches join at most 8 endpoints, not 9"),
    )  # fmt: skip
    comparison = FabricComparison(cluster="h100:1016", num_accelerators=1016, rows=rows)
    text = shown(comparison_text(comparison))
    assert re.search(r"ours +2,400 USD +– +–", text)
    assert re.search(r"other +– +50 kW +12\.5 ms", text)
    assert "none: two tiers" in text
    assert "none: 两层这种交换机最多接 8 个端点" in shown(comparison_text(comparison, "zh"))


def _refused() -> list[tuple[Topology, int]]:
    fly = Dragonfly(switch="any", endpoints_per_switch=2, switches_per_group=4, global_links_per_switch=2)
    plus = DragonflyPlus(
        switch="any", leaves_per_group=2, spines_per_group=2, endpoints_per_leaf=2, global_links_per_spine=1
    )
    return [
        *((FatTree(switch="any", tiers=tiers), 10000) for tiers in (1, 2, 3)),
        (FatTree(switch="any", leaf_ports=TierPorts(down=8, up=1)), 10),
        (FatTree(switch="any", oversubscription=9), 10),
        (SlimFly(switch="any", q=6), 1), (SlimFly(switch="any", q=3, endpoints_per_switch=1), 19),
        (SlimFly(switch="any"), 100), (fly, 73), (fly.model_copy(update={"groups": 10}), 8),
        (fly.model_copy(update={"switches_per_group": 9}), 8), (plus, 100),
        (Torus(dimensions=(2, 2), link_bandwidth=1.0), 3), (Direct(), 3), (FatTree(switch="any"), 10**9),
    ]  # fmt: skip


@pytest.mark.parametrize(("topology", "hosts"), _refused())
def test_every_reason_has_its_chinese_words(topology, hosts):
    switch = Switch(name="S", vendor="any", technology="ethernet", ports=8, port_bandwidth=1.0)
    with pytest.raises(InfeasibleError) as refused:
        build_network(topology, hosts, 1, 1.0, {"any": switch})
    assert re.search(r"[\u4e00-\u9fff]", language("zh").phrase(str(refused.value)))


def test_a_card_faster_than_a_port_likewise():
    switch = Switch(name="S", vendor="any", technology="ethernet", ports=8, port_bandwidth=1.0)
    with pytest.raises(InfeasibleError) as refused:
        build_network(FatTree(switch="any"), 2, 1, 2.0, {"any": switch})
    assert "网卡端口" in language("zh").phrase(str(refused.value))
