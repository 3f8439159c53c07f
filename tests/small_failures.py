"""Small clusters that break, for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from myriad.sim.failures import Breakable
from myriad.spec.reliability import Duration, FailureCause, Rate

DAY_S = 86400.0
YEAR_S = 365.25 * DAY_S


def cause(per_1000_unit_days: float = 1.0, **changes: Any) -> FailureCause:
    """A cause of nodes found at once and repaired at once, but for what is changed."""
    given: dict[str, Any] = {"component": "gpu", "detection": Duration(mean=0.0), **changes}
    if given.get("reach") == "none":
        given.setdefault("repaired", 0.0)
    return FailureCause(rate=Rate(per_1000_unit_days=per_1000_unit_days), **given)


def breakable(num_nodes: int, causes: dict[str, FailureCause], **changes: Any) -> Breakable:
    """New nodes of 8 accelerators and 8 links, 16 to a leaf, 4 to a rack, 32 to a power domain, a tenth of a switch."""
    given: dict[str, Any] = {
        "num_nodes": num_nodes,
        "accelerators_per_node": 8,
        "links_per_node": 8,
        "switches": 0.1 * num_nodes,
        "causes": tuple(causes.items()),
        "nodes_per_leaf": 16,
        "nodes_per_rack": 4,
        "nodes_per_power_domain": 32,
        "lemon_share": 0.0,
        "lemon_times": 1.0,
        "joined_s": np.zeros(num_nodes),
        "age_s": np.zeros(num_nodes),
        **changes,
    }
    return Breakable(**given)
