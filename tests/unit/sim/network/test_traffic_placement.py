"""Orders in which ranks fill domains."""

from __future__ import annotations

import numpy as np

from fabric_ranks import small_tree
from myriad.sim.network.placement import near, packed, pods_of, shuffled, some_free, spread, units_of


def test_domains_of_one_leaf_are_one_unit():
    assert units_of(small_tree(16, 2, planes=2), 2)[:8].tolist() == [32] * 8
    aligned = units_of(small_tree(32, 2, rails="aligned"), 2)
    assert [len(np.unique(aligned[start : start + 8])) for start in range(0, 32, 8)] == [1, 1, 1, 1]
    assert len(np.unique(aligned)) == 4


def test_orders_hold_every_free_domain_once():
    network = small_tree(64, 1, tiers=3)
    units, free = units_of(network, 1), some_free(64, 40, seed=1)
    for order in (packed(free), spread(free, units), shuffled(free, 3), near(free, 40, (units,), 4)):
        assert np.sort(order).tolist() == free.tolist()
    assert (shuffled(free, 3) == shuffled(free, 3)).all()
    assert (shuffled(free, 3) != shuffled(free, 4)).any()


def test_spread_neighbours_share_no_leaf():
    network = small_tree(64, 1)
    units = units_of(network, 1)
    order = units[spread(np.arange(64), units)]
    assert (order[1:] != order[:-1]).all()


def test_near_keeps_more_blocks_within_leaves_than_the_order_of_the_fabric():
    network = small_tree(64, 1, tiers=3)
    levels = units_of(network, 1), pods_of(network, 1)
    free = some_free(64, 48, seed=2)

    def within(order):
        blocks = levels[0][order[: len(order) // 4 * 4]].reshape(-1, 4)
        return int((blocks == blocks[:, :1]).all(axis=1).sum())

    assert within(near(free, 48, levels, 4)) > within(packed(free))
    assert within(near(free, 48, levels, 4)) == sum(np.bincount(levels[0][free]) // 4)
