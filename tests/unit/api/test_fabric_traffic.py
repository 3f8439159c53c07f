"""Collectives on fabrics of the catalog."""

from __future__ import annotations

import numpy as np
import pytest

from myriad import catalog
from myriad.api.fabric import fabric_of, network_of
from myriad.api.fabric_ranks import card_bytes_per_s, domain_size, ranks_of
from myriad.api.fabric_traffic import simulate_collective
from myriad.errors import InfeasibleError, SpecError
from myriad.spec.fabric import Damage, LinkFault, SwitchFault
from myriad.spec.traffic import CollectiveTraffic, Conditions

TREE, RAILS, FEW = "fat-tree-ndr", "fat-tree-ndr-rails", "fat-tree-ndr-2to1"


def asked(collective: str, **more: object) -> CollectiveTraffic:
    return CollectiveTraffic.model_validate({"collective": collective, "size": "1GiB", **more})


@pytest.mark.parametrize("collective", ["all-reduce", "all-gather", "reduce-scatter", "all-to-all", "send-recv"])
def test_long_messages_on_a_whole_tree_reach_what_the_estimates_say_of_the_links(collective):
    found = simulate_collective(RAILS, "dgx-h100:512", asked(collective, size="16GiB"))
    assert found.run.makespan_s == pytest.approx(found.ideal_s, rel=0.05)
    assert found.bus_bytes_per_s == pytest.approx(found.ideal_bus_bytes_per_s, rel=0.05)


def test_use_of_links_adds_up_to_what_is_sent():
    found = simulate_collective(TREE, "hgx-h800:512", asked("all-to-all"), Conditions(efficiency=1.0))
    up = {one.link_class: one for one in found.run.use if one.direction == "up"}
    sent = 2**30 * (512 - 8) / 512
    assert up["host-leaf"].mean_fraction * 50e9 * found.run.makespan_s == pytest.approx(sent, rel=1e-6)
    assert up["leaf-spine"].max_fraction <= 1.0
    assert found.run.hottest[0].used_fraction == max(one.max_fraction for one in found.run.use)


def test_damage_and_hashes_cost_time_and_seeds_repeat():
    whole = simulate_collective(TREE, "hgx-h800:512", asked("all-to-all")).run.makespan_s
    for harm in (
        Conditions(damage=Damage(links=(LinkFault(share=0.05),))),
        Conditions(damage=Damage(switches=(SwitchFault(tier="spine"),))),
        Conditions(damage=Damage(links=(LinkFault(share=0.05, bandwidth_left=0.5, tier="host-leaf"),))),
    ):
        times = [simulate_collective(TREE, "hgx-h800:512", asked("all-to-all"), harm).run.makespan_s for _ in range(2)]
        assert times[0] == times[1] > whole
    ring = asked("all-reduce", group=64, stride=8)
    hashed = [simulate_collective(FEW, "hgx-h800:512", ring, Conditions(routing=way)) for way in ("spray", "ecmp")]
    assert hashed[1].run.makespan_s > 1.2 * hashed[0].run.makespan_s


def test_random_hosts_cost_time_on_a_tree_with_few_spines():
    far = asked("all-gather", group=128)
    packed, random = (
        simulate_collective(FEW, "hgx-h800:1024", far, Conditions(placement=one, seed=1)).run.makespan_s
        for one in ("packed", "random")
    )
    assert random > packed


def test_blocks_kept_near_are_faster_on_hosts_that_lie_scattered():
    groups = asked("all-to-all", group=32)
    times = {
        one: simulate_collective(FEW, "hgx-h800:2048", groups, Conditions(placement=one, free=0.7, seed=2))
        for one in ("near", "packed")
    }
    assert times["near"].run.use[2].mean_fraction < times["packed"].run.use[2].mean_fraction
    assert times["near"].groups == times["packed"].groups


def test_domains_of_several_trays_are_filled_whole():
    fabric, (node, number) = fabric_of(RAILS), catalog.counted_node("gb200-nvl72:576")
    network, cluster = network_of(fabric, node, number), catalog.cluster("gb200-nvl72:576")
    assert domain_size(cluster, network) == (72, 72)
    ranks = ranks_of(cluster, fabric, network, Conditions(placement="random"), 144, 72)
    assert len(np.unique(ranks.domain)) == 2
    assert len(np.unique(ranks.cards)) == 144
    assert card_bytes_per_s(network).sum() == pytest.approx(576 * node.scale_out_bytes_per_s_one_way)


@pytest.mark.parametrize(
    ("more", "conditions", "said"),
    [
        ({"group": 512, "stride": 8}, {}, "a job of 512"),
        ({"group": 1}, {}, "a job of 512"),
        ({"collective": "all-reduce", "algorithm": "in-switch"}, {}, "switches that sum"),
        ({}, {"damage": {"links": [{"share": 0.1, "tier": "leaf-spin"}]}}, "leaf-spine"),
        ({}, {"damage": {"switches": [{"tier": "spin"}]}}, "spine"),
    ],
)
def test_what_cannot_be_is_refused(more, conditions, said):
    fabric = "fat-tree-spectrum" if more.get("algorithm") else TREE
    with pytest.raises(SpecError, match=said):
        simulate_collective(
            fabric, "hgx-h800:512", asked(**{"collective": "all-to-all", **more}), Conditions.model_validate(conditions)
        )


def test_a_torus_is_the_scale_up_domain_and_has_no_leaves(tmp_path):
    torus = tmp_path / "torus.yaml"
    torus.write_text("topology: {kind: torus, dimensions: [4, 4, 16], link_bandwidth: 50 GB/s}\n", encoding="utf-8")
    ring = asked("all-reduce", algorithm="ring", group=16)
    packed = simulate_collective(str(torus), "tpu-v4:256", ring)
    random = simulate_collective(str(torus), "tpu-v4:256", ring, Conditions(placement="random"))
    assert packed.run.use[0].links == 3 * 256
    assert random.run.makespan_s > 2 * packed.run.makespan_s
    with pytest.raises(SpecError, match="goes by leaves"):
        simulate_collective(str(torus), "tpu-v4:256", ring, Conditions(placement="spread"))


def test_too_many_messages_one_by_one_are_refused():
    with pytest.raises(InfeasibleError, match="messages one by one"):
        simulate_collective(TREE, "hgx-h800:10000", asked("all-to-all", algorithm="pairwise"))


def test_traffic_that_is_cut_off_says_so():
    nothing = Conditions(damage=Damage(links=(LinkFault(share=1.0),)))
    with pytest.raises(InfeasibleError, match="damage leaves no path"):
        simulate_collective(TREE, "hgx-h800:512", asked("all-to-all"), nothing)
