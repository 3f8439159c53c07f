"""Small campaigns and incidents, written by hand or drawn, for the tests of simulated campaigns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from myriad.sim.campaign import CATEGORIES, EVENT_KINDS, Campaign, CampaignRun, Level
from myriad.sim.failures import EFFECTS, Breakable, Incidents
from myriad.spec.reliability import Duration, FailureCause, Rate

STORAGE = Level(to="storage", interval_s=100.0, blocking_s=0.0, write_s=0.0, read_s=0.0)
CAUSE = FailureCause(component="host", rate=Rate(per_1000_unit_days=1.0), detection=Duration(mean=0.0))

PLAIN = Campaign(
    nodes=4,
    work_s=1000.0,
    horizon_s=1e6,
    step_s=1.0,
    levels=(STORAGE,),
    mode="restart",
    restart_s=10.0,
    swap_s=0.0,
    replica_nodes=1,
    replica_stall_s=0.0,
    heal_s=0.0,
    repair_crews=None,
)


def campaign(**changes: Any) -> Campaign:
    """Four nodes, 1,000 s of work, a free checkpoint each 100 s, restarts of 10 s; with changes."""
    return replace(PLAIN, **changes)


def cluster(num_nodes: int = 5, joined_s: Any = None, causes: int = 2, unit: str = "node") -> Breakable:
    """A pool; its last cause counts by `unit`."""
    last = CAUSE.model_copy(update={"unit": unit})
    named = [(f"cause {index}", CAUSE) for index in range(causes - 1)]
    return Breakable(
        num_nodes=num_nodes,
        accelerators_per_node=8,
        links_per_node=8,
        switches=1.0,
        causes=(*named, ("last", last)),
        nodes_per_leaf=4,
        nodes_per_rack=2,
        nodes_per_power_domain=8,
        lemon_share=0.0,
        lemon_times=1.0,
        joined_s=np.zeros(num_nodes) if joined_s is None else np.asarray(joined_s, float),
        age_s=np.zeros(num_nodes),
    )


def event(start_s: float, node: int = 0, **changes: Any) -> dict[str, Any]:
    """A failure of one node that stops the job, found at once, repaired in 50 s; with changes."""
    usual: dict[str, Any] = {
        "start_s": start_s,
        "cause": 0,
        "effect": "stop",
        "node": node,
        "num_nodes": 1,
        "detection_s": 0.0,
        "diagnosis_s": 0.0,
        "repair_s": 50.0,
        "speed": 1.0,
        "lasts_s": np.inf,
    }
    return usual | changes


def incidents(*events: dict[str, Any]) -> Incidents:
    """Written by hand."""
    rows = [one | {"effect": EFFECTS.index(one["effect"])} for one in sorted(events, key=lambda one: one["start_s"])]
    whole = {"cause", "effect", "node", "num_nodes"}
    return Incidents(
        **{
            key: np.array([row[key] for row in rows], dtype=np.int64 if key in whole else np.float64)
            for key in Incidents.__dataclass_fields__
        }
    )


def ledger(run: CampaignRun) -> dict[str, float]:
    """By category, without those at 0."""
    return {name: seconds for name, seconds in zip(CATEGORIES, run.ledger_s.tolist(), strict=True) if seconds}


def log(run: CampaignRun) -> list[tuple[float, str]]:
    """Times and kinds."""
    return [(at_s, EVENT_KINDS[kind]) for at_s, kind in zip(run.event_s.tolist(), run.event_kind.tolist(), strict=True)]
