"""Fabrics by name, and how a node's accelerators become hosts and cards."""

from __future__ import annotations

from pathlib import Path

import pytest

from myriad import api, catalog
from myriad.errors import InfeasibleError, SpecError
from myriad.estimate.fabric.counts import tier_switches
from myriad.spec.fabric import Fabric, FatTree

FILE = """\
topology: {kind: fat-tree, switch: qm9700, rails: aligned}
nic_bandwidth: 200 Gb/s
hop_latency: 1 us
note: Ours
"""


@pytest.mark.parametrize("name", catalog.names("fabrics"))
def test_every_fabric_of_the_catalog_names_switches_of_it(name):
    fabric = api.fabric_of(name)
    assert set(api.switches_of(fabric)) == set(tier_switches(fabric.topology).values())


def test_every_source_of_switches_and_fabrics_is_used():
    for kind in ("switches", "fabrics"):
        for one in catalog.entries(kind):
            assert {figure.source for figure in one.figures.values()} == set(one.sources), one.id


def test_a_rack_scale_node_counts_by_its_trays():
    hosts = api.hosts_of(api.fabric_of("fat-tree-ndr"), catalog.node("gb200-nvl72"), 576)
    assert (hosts.number, hosts.nics_per_host, hosts.nic_bytes_per_s) == (144, 4, 50e9)


def test_fewer_cards_than_accelerators_share_the_bandwidth_of_the_node():
    node = catalog.node("dgx-h100")
    fabric = Fabric(topology=FatTree(switch="qm9700"), nics_per_host=4)
    with pytest.raises(InfeasibleError, match="that of a network card 800 Gb/s"):
        api.network_of(fabric, node, 64)
    assert api.hosts_of(fabric, node, 64).nic_bytes_per_s == 100e9
    slower = fabric.model_copy(update={"nic_bandwidth": 25e9})
    assert api.network_of(slower, node, 64).num_endpoints == 32


def test_a_file_describes_a_fabric(tmp_path: Path):
    path = tmp_path / "ours.yaml"
    path.write_text(FILE)
    found = api.describe_fabric(str(path), "dgx-h100:1024")
    assert (found.title, found.switches) == ("Ours", {"leaf": 16, "spine": 8})
    assert found.latency_across_s == pytest.approx(3e-6)
    path.write_text(FILE.replace("qm9700", "qm9701"))
    with pytest.raises(SpecError, match=r"topology: unknown switch 'qm9701'; did you mean .*'qm9700'"):
        api.describe_fabric(str(path), "dgx-h100:1024")
    path.write_text(FILE.replace("rails", "rail"))
    with pytest.raises(SpecError, match=r"ours.yaml:1: topology: unknown key 'rail'; did you mean 'rails'"):
        api.describe_fabric(str(path), "dgx-h100:1024")


def test_growth_ends_at_the_whole_and_its_steps_sum_to_it():
    found = api.describe_fabric("superpod-h100", "dgx-h100:1016", grow=True)
    assert [step.num_hosts for step in found.growth] == [31, 63, 95, 127]
    for tier, number in found.switches.items():
        assert sum(step.added_switches[tier] for step in found.growth) == number
    for one, number in found.links.items():
        assert sum(step.added_links[one] for step in found.growth) == number


def test_beyond_two_tiers_cores_are_added():
    found = api.describe_fabric("superpod-b200", "dgx-b200:4096", grow=True)
    cores = [step.switches.get("core", 0) for step in found.growth]
    assert [step.num_hosts for step, core in zip(found.growth, cores, strict=True) if not core][-1] == 256
    assert cores[-1] == 64
    assert found.growth[-1].added_switches["spine"] == 0


@pytest.mark.parametrize("name", ["dragonfly", "dragonfly-plus", "rail-only-ndr", "slim-fly", "fat-tree-ndr"])
def test_all_kinds_grow(name):
    found = api.describe_fabric(name, "dgx-h100:4096", grow=True)
    assert found.growth[-1].num_hosts == 512
    assert found.growth[-1].switches == found.switches


def test_a_fabric_that_cannot_join_so_many_says_why_beside_the_others():
    found = api.compare_fabrics(["deepseek-mpft", "slim-fly", "tpu-v4-torus"], "dgx-h100:20000")
    reasons = [row.reason for row in found.rows]
    assert reasons[0] == "two tiers of these switches join at most 2,048 endpoints, not 2,500"
    assert reasons[1] == ""
    assert reasons[2] == "a torus of 16 x 16 x 16 has 4,096 places, not 20,000"
    one = found.rows[1].description
    assert one is not None
    # Twin ports share a module, and copper reaches within a rack.
    assert found.rows[1].transceivers is not None
    assert (
        one.links_between_switches <= found.rows[1].transceivers < 2 * (one.num_endpoints + one.links_between_switches)
    )


def test_the_longest_way_up_and_down_a_tree_takes_each_tier_s_latency():
    found = api.describe_fabric("superpod-b200", "dgx-b200:4096")
    assert (found.diameter, found.latency_across_s) == (5, pytest.approx(5 * 0.45e-6))
    assert api.describe_fabric("meta-24k", "dgx-h100:24576").latency_across_s is None  # of the spines it is unknown
    alone = api.describe_fabric("fat-tree-ndr", "dgx-h100:64")
    assert (alone.diameter, alone.latency_across_s) == (1, pytest.approx(0.45e-6))


def test_what_is_broken_lessens_the_bisection_alone(tmp_path: Path):
    path = tmp_path / "ours.yaml"
    path.write_text("topology: {kind: fat-tree, switch: qm9700}\ndamage: {switches: [{tier: spine, number: 1}]}\n")
    broken = api.describe_fabric(str(path), "dgx-h100:1024")
    whole = api.describe_fabric("fat-tree-ndr", "dgx-h100:1024")
    assert broken.bisection_fraction == pytest.approx(15 / 16)
    assert (broken.switches, broken.links, broken.diameter) == (whole.switches, whole.links, whole.diameter)
