"""What holds for the tiers of every fabric: nothing that is taken from it makes anything faster."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from myriad.errors import InfeasibleError
from myriad.estimate.collectives import all_gather_s, all_reduce_s, all_to_all_s, send_recv_s
from myriad.estimate.fabric.contention import largest_load
from myriad.estimate.fabric.fat_tree import fat_tree
from myriad.estimate.fabric.tiers import scale_out_tiers
from myriad.estimate.tiers import place
from myriad.estimate.training import estimate_layout
from myriad.spec.cluster import Link
from myriad.spec.fabric import Damage, Fabric, FatTree, LinkFault, SwitchFault, TierPorts
from myriad.spec.fabric_parts import Switch
from myriad.testing import laid_out

SWITCH = Switch(name="16 x 400G", vendor="any", technology="ethernet", ports=16, port_bandwidth=50e9)
HOST = Link(tier="scale-up", domain=4, bytes_per_s_one_way=450e9, latency_s=1e-6, half_bytes=1e6)
CARD = Link(tier="scale-out", domain=4, bytes_per_s_one_way=50e9, latency_s=8e-6, efficiency=0.85, half_bytes=2e6)
HOSTS, CARDS = 64, 4
SLACK = 1 + 1e-9
few = runs(max_examples=40)

topologies = st.builds(
    FatTree,
    switch=st.just("any"),
    rails=st.sampled_from(["mixed", "aligned", "separate"]),
    tiers=st.sampled_from([None, 3]),
    planes=st.sampled_from([1, 2]),
)
routings = st.sampled_from([("spray", 1), ("ecmp", 1), ("ecmp", 8)])
groups = st.tuples(st.sampled_from([2, 3, 8, 16, 64]), st.sampled_from([1, 2, 4, 12, 16, 64]), st.floats(1e3, 1e9))


def tiers(fabric: Fabric) -> tuple[Link, ...]:
    network = fat_tree(fabric.topology, HOSTS, CARDS, 50e9, {"any": SWITCH})  # type: ignore[arg-type]
    return HOST, *scale_out_tiers(fabric, network, CARDS, CARD)


def times(links: tuple[Link, ...], group: tuple[int, int, float]) -> list[float]:
    size, stride, bytes_ = group
    placement = place(size, stride, links)
    found = [one(bytes_, placement) for one in (all_gather_s, all_reduce_s, all_to_all_s)]
    return [float(one) for one in (*found, send_recv_s(bytes_, stride, links))]


@few
@given(topologies, routings, groups)
def test_no_fabric_is_faster_than_full_bandwidth_to_all(topology, routing, group):
    fabric = Fabric(topology=topology, routing=routing[0], flows_per_pair=routing[1])
    alone = (HOST, CARD.model_copy(update={"domain": HOSTS * CARDS}))
    assert all(own * SLACK >= best for own, best in zip(times(tiers(fabric), group), times(alone, group), strict=True))


@few
@given(topologies, groups, st.sampled_from([(8, 8), (10, 6), (12, 4), (14, 2)]))
def test_oversubscription_slows_or_leaves(topology, group, ports):
    """Of leaves that hold as many hosts, of which a narrower one has fewer links upwards."""
    down, up = ports
    wide = topology.model_copy(update={"leaf_ports": TierPorts(down=down, up=up)})
    narrow = topology.model_copy(update={"leaf_ports": TierPorts(down=down, up=max(up // 2, 1))})
    try:
        slow, fast = (tiers(Fabric(topology=one)) for one in (narrow, wide))
    except InfeasibleError:
        return
    assert slow[-1].bytes_per_s_one_way <= fast[-1].bytes_per_s_one_way * SLACK


@runs(max_examples=15)
@given(topologies, routings, groups, st.integers(0, 5), st.floats(0.01, 0.2), st.floats(0, 0.9))
def test_damage_never_pays(topology, routing, group, seed, share, left):
    whole = Fabric(topology=topology, routing=routing[0], flows_per_pair=routing[1])
    broken = [Damage(links=(LinkFault(share=part, bandwidth_left=left),), seed=seed) for part in (share / 2, share)] + [
        Damage(switches=(SwitchFault(tier="spine", number=number),), seed=seed) for number in (1, 2)
    ]
    found = []
    for damage in (Damage(), *broken):
        try:
            found.append(tiers(whole.model_copy(update={"damage": damage})))
        except (InfeasibleError, ValueError):
            found.append(())
    for few_broken, more_broken in ((0, 1), (1, 2), (0, 3), (3, 4)):
        fast, slow = found[few_broken], found[more_broken]
        if fast and slow:
            assert slow[-1].bytes_per_s_one_way <= fast[-1].bytes_per_s_one_way * SLACK
            if routing[0] == "spray":
                pairs = zip(times(fast, group), times(slow, group), strict=True)
                assert all(before <= after * SLACK for before, after in pairs)


@runs(max_examples=15)
@given(laid_out(), st.sampled_from([1, 3, 6, 16]), st.lists(st.floats(1, 16), min_size=2, max_size=2))
def test_no_step_is_shorter_on_leaves_that_are_narrower(drawn, hosts, ratios):
    setting, layout = drawn[0], drawn[1].model_copy(update={"schedule": "1f1b"})
    up, out, *beyond = setting.cluster.links
    found = []
    for ratio in (1.0, *sorted([ratios[0], ratios[0] * ratios[1]])):
        far = out.model_copy(update={"bytes_per_s_one_way": out.bytes_per_s_one_way / ratio})
        near = out.model_copy(update={"domain": up.domain * hosts})
        links = (up, out, *beyond) if ratio == 1.0 else (up, near, far, *beyond)
        cluster = setting.cluster.model_copy(update={"links": links})
        found.append(estimate_layout(replace(setting, cluster=cluster), layout).step_s)
    whole, wide, narrow = found
    assert whole <= wide * SLACK
    assert wide <= narrow * SLACK


@few
@given(st.floats(1, 5000), st.integers(2, 128), st.integers(1, 50))
def test_the_largest_load_lies_between_the_mean_and_all(flows, links, parts):
    load = largest_load(flows, links, links * parts)
    assert max(flows / links, 1.0) <= load * SLACK
    assert load <= np.ceil(flows) * SLACK
    assert load <= largest_load(flows + 1, links, links * parts) * SLACK
    assert load <= largest_load(flows, links, links * parts + 1) * SLACK
    assert load * SLACK >= largest_load(flows, links + 1, links * parts)
