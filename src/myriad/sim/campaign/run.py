"""Runs one campaign: the incidents of a cluster, and what each does to the job."""

from __future__ import annotations

import math

import numpy as np

from myriad.sim.campaign.described import Campaign, CampaignRun
from myriad.sim.campaign.troubles import Troubles
from myriad.sim.campaign.walk import Walk
from myriad.sim.failures.incidents import Breakable, Incidents


def run_campaign(campaign: Campaign, breakable: Breakable, incidents: Incidents) -> CampaignRun:
    """What becomes of the job until its work is done or the horizon ends it, in seconds by category and by cause.

    The first `nodes` nodes in service have the job, the others are spare. See the modules of this package for what each
    event does: `walk` (phases), `troubles` (stop, slow, corrupt), `checkpoints`, `nodes` (spares, repairs).
    Deterministic: all chance is in the incidents. The horizon must be finite.
    """
    if campaign.mode != "restart" and campaign.nodes % campaign.replica_nodes:
        raise ValueError(f"{campaign.nodes} nodes are no whole number of replicas of {campaign.replica_nodes}")
    walk = Walk(campaign, breakable.num_nodes, len(breakable.causes))
    _plan(walk, breakable)
    troubles = Troubles(walk, breakable, incidents)
    starts_s, horizon_s = incidents.start_s.tolist(), campaign.horizon_s
    starts_s.append(math.inf)
    index = 0
    walk.begin()
    while True:
        phase_s, start_s = walk.phase_ends_s, starts_s[index]
        due_s = walk.due[0][0] if walk.due else math.inf
        now_s = min(phase_s, due_s, start_s)
        if now_s > horizon_s or now_s == math.inf:
            return walk.close(horizon_s)
        if phase_s == now_s:
            walk.phase_ends(now_s)
            if walk.finished:
                return walk.close(now_s)
        elif due_s == now_s:
            walk.next_due()
        else:
            troubles.happen(now_s, index)
            index += 1


def _plan(walk: Walk, breakable: Breakable) -> None:
    """Nodes that are there, those that join, windows."""
    for at_s in np.unique(breakable.joined_s).tolist():
        nodes = np.flatnonzero(breakable.joined_s == at_s).tolist()
        if at_s <= 0.0:
            walk.nodes.enter(nodes)
        else:
            walk.later(at_s, walk.join, nodes)
    windows = walk.campaign.windows
    if windows is not None:
        columns = (windows.start_s, windows.end_s, windows.speed, windows.nodes_out)
        starts_s = set(windows.start_s.tolist())
        for start_s, end_s, speed, nodes_out in zip(*(column.tolist() for column in columns), strict=True):
            walk.later(start_s, walk.window, speed, nodes_out)
            if end_s not in starts_s:
                walk.later(end_s, walk.window, 1.0, 0)
    while walk.due and walk.due[0][0] <= 0.0:
        walk.next_due()
