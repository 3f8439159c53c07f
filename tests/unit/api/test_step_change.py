"""Step times where the network gives less."""

from __future__ import annotations

import pytest

from myriad.api.step_change import changed_parts_s
from myriad.estimate.training import estimate_layout
from myriad.spec.layout import Layout
from small_setting import moe_model, setting

LAYOUT = Layout(dp=64, pp=2, ep=16, zero=1)


def test_a_network_as_planned_changes_nothing():
    whole = estimate_layout(setting(moe_model()), LAYOUT).time_parts_s
    assert changed_parts_s(setting(moe_model()), LAYOUT, {"ep": 1.0, "dp": 1.0, "pp": 1.0}) == pytest.approx(whole)


@pytest.mark.parametrize(("kind", "moved"), [("dp", {"dp_comm"}), ("pp", {"pp_comm"}), ("ep", {"ep_comm", "bubble"})])
def test_a_slower_kind_moves_its_own_part_and_the_bubble_where_it_lies_inside(kind, moved):
    whole = estimate_layout(setting(moe_model()), LAYOUT).time_parts_s
    parts = changed_parts_s(setting(moe_model()), LAYOUT, {kind: 2.0})
    assert {part for part, seconds in parts.items() if seconds > whole[part] * (1 + 1e-9)} == moved
    assert parts[f"{kind}_comm"] == pytest.approx(2 * whole[f"{kind}_comm"], rel=0.2)


def test_what_stays_in_the_host_does_not_notice():
    layout = Layout(tp=8, dp=4, zero=1)
    whole = estimate_layout(setting(), layout).time_parts_s
    assert changed_parts_s(setting(), layout, {"cp": 9.0})["cp_comm"] == whole["cp_comm"]
