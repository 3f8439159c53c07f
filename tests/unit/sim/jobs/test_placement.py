"""Where jobs go."""

from __future__ import annotations

import pytest

from myriad.sim.jobs.described import Machines
from myriad.sim.jobs.nodes import Nodes
from myriad.sim.jobs.placement import fewest_leaves, first_fit, packed, spread


@pytest.fixture
def nodes() -> Nodes:
    """Two leaves of four nodes; free: 8 2 4 8 | 8 8 8 6."""
    found = Nodes(Machines(num_nodes=8, accelerators_per_node=8, nodes_per_leaf=4))
    for node, held in ((1, 6), (2, 4), (7, 2)):
        found.take(node, held)
    return found


def test_one_node(nodes: Nodes) -> None:
    everywhere = nodes.everywhere
    assert first_fit(nodes, 3, everywhere) == [0]
    assert packed(nodes, 3, everywhere) == [2]
    assert packed(nodes, 5, everywhere) == [7]
    assert spread(nodes, 1, everywhere) == [0]
    assert fewest_leaves(nodes, 2, everywhere) == [1]
    # An empty node is broken into where its leaf has fewest of them.
    assert fewest_leaves(nodes, 7, everywhere) == [0]
    assert packed(nodes, 3, 0b00000010) is None


def test_whole_nodes(nodes: Nodes) -> None:
    everywhere = nodes.everywhere
    assert first_fit(nodes, 16, everywhere) == [0, 3]
    assert spread(nodes, 16, everywhere) == [0, 4]
    # The leaf that it fits best; where none has enough, most first.
    assert fewest_leaves(nodes, 16, everywhere) == [0, 3]
    assert fewest_leaves(nodes, 24, everywhere) == [4, 5, 6]
    assert fewest_leaves(nodes, 32, everywhere) == [4, 5, 6, 0]
    assert fewest_leaves(nodes, 48, everywhere) is None
    assert fewest_leaves(nodes, 16, 0b01111110) == [4, 5]


def test_a_node_out_of_service_takes_nothing_and_comes_back_as_it_was_left(nodes: Nodes) -> None:
    nodes.out(0)
    nodes.out(1)
    assert first_fit(nodes, 8, nodes.everywhere) == [3]
    assert nodes.num_free == 4 + 8 + 8 * 3 + 6
    nodes.give(1, 6)
    nodes.back(1)
    assert first_fit(nodes, 8, nodes.everywhere) == [1]
