"""What a seed breaks."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.errors import SpecError
from myriad.estimate.fabric.damage import damaged
from myriad.spec.fabric import Damage, LinkFault, SwitchFault
from small_fabrics import small


def down(network):
    return set(np.flatnonzero(network.bytes_per_s == 0).tolist())


def test_the_same_seed_breaks_the_same_links_between_switches():
    network = small("three-tier-lean")
    damage = Damage(links=(LinkFault(share=0.25),), seed=4)
    once, again = damaged(network, damage), damaged(network, damage)
    assert down(once) == down(again) != down(damaged(network, damage.model_copy(update={"seed": 5})))
    between = np.flatnonzero(network.link_class > 0)
    assert down(once) <= set(between.tolist())
    assert len(down(once)) == round(0.25 * len(between))
    assert damaged(network, Damage()) is network


def test_a_larger_share_and_more_faults_break_more():
    network = small("two-tier")
    few = damaged(network, Damage(links=(LinkFault(share=0.1),)))
    many = damaged(network, Damage(links=(LinkFault(share=0.4),)))
    both = damaged(network, Damage(links=(LinkFault(share=0.1), LinkFault(share=0.01, tier="host-leaf"))))
    assert down(few) < down(many)
    assert down(few) < down(both)
    assert len(down(both) - down(few)) == 1


def test_slow_links_keep_a_part():
    network = small("two-tier")
    slow = damaged(network, Damage(links=(LinkFault(share=1.0, tier="leaf-spine", bandwidth_left=0.3),)))
    links = network.links("leaf-spine")
    np.testing.assert_allclose(slow.bytes_per_s[links], 0.3 * network.bytes_per_s[links])
    assert (slow.bytes_per_s[network.links("host-leaf")] == network.bytes_per_s[network.links("host-leaf")]).all()


def test_a_switch_takes_all_its_links_along():
    network = small("two-tier")
    broken = damaged(network, Damage(switches=(SwitchFault(tier="spine", number=2),)))
    spines = set(network.upper[sorted(down(broken))].tolist())
    assert len(spines) == 2
    assert spines <= set(network.switches("spine").tolist())
    assert len(down(broken)) == np.isin(network.upper, list(spines)).sum()


def test_all_links_of_a_torus_may_break():
    network = small("torus")
    assert len(down(damaged(network, Damage(links=(LinkFault(share=0.1),))))) == round(0.1 * network.num_links)


def test_more_switches_than_there_are_and_links_of_no_such_class():
    network = small("two-tier")
    with pytest.raises(SpecError, match="99 spine down, the network has"):
        damaged(network, Damage(switches=(SwitchFault(tier="spine", number=99),)))
    with pytest.raises(SpecError, match="no links 'spine-core'"):
        damaged(network, Damage(links=(LinkFault(share=0.1, tier="spine-core"),)))
