"""Groups of ranks by the order of a layout."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.estimate import rank_groups as g
from myriad.spec.layout import Layout

LAYOUT = Layout(tp=2, cp=2, pp=3, dp=4, ep=4, vpp=1)
EVERY = (
    g.tensor_groups, g.context_groups, g.expert_groups, g.replica_groups, g.expert_replica_groups,
)  # fmt: skip


@pytest.mark.parametrize("order", ["tp-cp-ep-dp-pp", "tp-cp-ep-pp-dp"])
def test_every_rank_is_in_one_group_of_each_kind_on_one_stage(order):
    layout = LAYOUT.model_copy(update={"order": order})
    stage = np.empty(layout.world_size, int)
    stage[g.rank_grid(layout).reshape(3, -1)] = np.arange(3)[:, None]
    for groups in (of(layout) for of in EVERY):
        assert np.sort(groups.ravel()).tolist() == list(range(48))
        assert (stage[groups] == stage[groups[:, :1]]).all()


def test_strides_are_the_sizes_before():
    strides = {of.__name__: int(np.diff(of(LAYOUT)[0]).min()) for of in EVERY}
    assert list(strides.values()) == [1, 2, 1, 2, 4]
    assert g.replica_groups(LAYOUT).shape == (6, 8)
    assert g.expert_replica_groups(LAYOUT).shape == (12, 4)


def test_stages_hand_on_to_the_next_and_chunks_go_round():
    assert g.stage_pairs(LAYOUT).shape == (32, 2)
    assert set(np.diff(g.stage_pairs(LAYOUT)).ravel().tolist()) == {16}
    assert g.stage_pairs(LAYOUT.model_copy(update={"vpp": 2})).shape == (48, 2)


def test_copies_of_shards_are_as_far_apart_as_a_shard_is_large():
    inner, outer = g.parted(np.arange(8).reshape(1, 8), 4)
    assert inner.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert outer.tolist() == [[0, 4], [1, 5], [2, 6], [3, 7]]
