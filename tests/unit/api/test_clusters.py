"""Clusters on fabrics."""

from __future__ import annotations

import pytest

from myriad import catalog
from myriad.api.clusters import cluster_of, clusters_of, fabric_text, on_fabric, sites_text
from myriad.errors import InfeasibleError, SpecError
from myriad.spec.cluster import Sites
from myriad.spec.fabric import Fabric, FatTree, TierPorts
from myriad.spec.fibre import FIBRES
from myriad.spec.system import Pool, System

NARROW = {"topology": {"kind": "fat-tree", "switch": "qm9700", "leaf_ports": {"down": 48, "up": 16}}}


def pool(**values: object) -> Pool:
    return Pool.model_validate({"node": "dgx-h100", "count": 512, **values})


def test_a_whole_fabric_changes_nothing():
    assert cluster_of("p", pool(fabric="fat-tree-ndr-rails")) == cluster_of("p", pool())


def test_a_narrow_one_parts_the_network_into_tiers():
    up, near, far = cluster_of("p", pool(fabric=NARROW)).links
    assert (up.tier, near.tier, far.tier) == ("scale-up", "scale-out", "scale-out")
    assert (near.domain, far.domain) == (48, 512)
    assert far.bytes_per_s_one_way == pytest.approx(near.bytes_per_s_one_way / 3)


def test_cards_of_the_fabric_replace_those_of_the_node():
    slower = NARROW | {"nics_per_host": 4, "nic_bandwidth": "200 Gb/s"}
    found = cluster_of("p", pool(fabric=slower)).links
    assert found[1].bytes_per_s_one_way == 12.5e9
    assert found[1].domain == 192  # two of them to a port, four to a host


def test_every_site_has_a_fabric_of_its_own():
    sites = {"number": 2, "distance": "80 km", "bandwidth": "2 Tbit/s"}
    _, near, far, long = cluster_of("p", pool(fabric=NARROW, sites=sites)).links
    assert (near.domain, far.domain, long.domain) == (48, 256, 512)
    assert long == cluster_of("p", pool(sites=sites)).links[-1]


def test_light_is_faster_in_hollow_core_fibre():
    sites = {"number": 2, "distance": "1000 km", "bandwidth": "2 Tbit/s"}
    glass, air = (
        cluster_of("p", pool(sites=sites | {"fibre": kind})).links[-1].latency_s
        for kind in ("single-mode", "hollow-core")
    )
    assert glass - air == pytest.approx(4.897e-3 - 3.4e-3, rel=1e-3)
    assert FIBRES["hollow-core"].seconds_per_metre > 1 / 299_792_458


def test_one_scale_up_domain_needs_no_fabric():
    assert cluster_of("p", pool(count=8, fabric=NARROW)) == cluster_of("p", pool(count=8))


@pytest.mark.parametrize(
    ("fabric", "said"),
    [
        ("fat-tree-nrd", "pools.p.fabric: unknown fabric 'fat-tree-nrd'; did you mean 'fat-tree-ndr'"),
        ({"topology": {"kind": "fat-tree", "switch": "qm9800"}}, "pools.p.fabric: topology: unknown switch 'qm9800'"),
        ({"topology": {"kind": "fat-tree", "switch": "qm9700", "tiers": 1}}, "pools.p.fabric: one "),
    ],
)
def test_fabrics_that_cannot_be_are_refused_where_they_are_named(fabric, said):
    with pytest.raises((SpecError, InfeasibleError)) as caught:
        cluster_of("p", pool(fabric=fabric))
    assert str(caught.value).startswith(said)


def test_all_pools_of_a_system():
    system = System.model_validate(
        {
            "myriad": 1,
            "name": "two",
            "pools": {"a": pool(), "b": pool(fabric=NARROW)},
            "jobs": {"j": {"model": "llama3-8b", "seq_len": 4096, "global_batch": 512}},
        }
    )
    assert {name: len(one.links) for name, one in clusters_of(system).items()} == {"a": 2, "b": 3}


def test_fabrics_and_sites_in_words():
    assert fabric_text("fat-tree-ndr-rails") == "fabric fat-tree-ndr-rails, rails aligned, sprayed"
    tree = FatTree(switch="qm9700", leaf_ports=TierPorts(down=48, up=16), planes=2)
    text = fabric_text(Fabric(topology=tree, routing="ecmp"))
    assert text == "fabric fat-tree, rails mixed, leaves 3:1, 2 planes, ECMP with 1 flow per pair"
    sites = Sites(number=2, distance=80e3, bandwidth=1e12, fibre="hollow-core")
    assert sites_text(sites) == "2 sites 80 km apart over hollow-core fibre: 272 µs, 7.28 dB"


def test_a_cluster_by_name_on_a_fabric():
    node, _ = catalog.counted_node("h100:512")
    found = on_fabric(catalog.cluster("h100:512"), node, Fabric.model_validate(NARROW))
    assert len(found.links) == 3
