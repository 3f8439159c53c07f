"""Logs of clusters whose reliability is known: drawn, and written as operators write them."""

from __future__ import annotations

from typing import Any

import numpy as np

from myriad.sim.campaign import EVENT_KINDS, Campaign, CampaignRun
from myriad.sim.failures import Breakable, Incidents, draw_incidents
from myriad.spec.reliability import Reliability
from myriad.units import DAY_S


def profile(causes: dict[str, Any], lemons: dict[str, float] | None = None) -> Reliability:
    """A profile; causes give what differs from an event per node that is found and repaired at once."""
    usual = {"component": "gpu", "detection": {"mean": 60.0}, "repair": {"mean": 3600.0}}
    whole = {name: {**usual, **given} for name, given in causes.items()}
    return Reliability.model_validate({"name": "known", "causes": whole, "lemons": lemons or {}})


def breakable(known: Reliability, nodes: int, age_s: float = 0.0) -> Breakable:
    return Breakable(
        num_nodes=nodes,
        accelerators_per_node=8,
        links_per_node=8,
        switches=0.1 * nodes,
        causes=tuple(known.causes.items()),
        nodes_per_leaf=32,
        nodes_per_rack=4,
        nodes_per_power_domain=64,
        lemon_share=known.lemons.share,
        lemon_times=known.lemons.times,
        joined_s=np.zeros(nodes),
        age_s=np.full(nodes, age_s),
    )


def seen(incidents: Incidents) -> list[int]:
    """Events that happen to someone: not those of a node that is out of service."""
    back_s: dict[int, float] = {}
    found = []
    for index in range(len(incidents)):
        node, start_s = int(incidents.node[index]), float(incidents.start_s[index])
        if start_s < back_s.get(node, 0.0):
            continue
        found.append(index)
        if incidents.repair_s[index] > 0.0:
            back_s[node] = start_s + down_s(incidents, index)
    return found


def down_s(incidents: Incidents, index: int) -> float:
    if incidents.repair_s[index] <= 0.0:
        return 0.0
    return float(incidents.detection_s[index] + incidents.diagnosis_s[index] + incidents.repair_s[index])


def drawn_log(known: Reliability, nodes: int, days: float, seed: int, age_s: float = 0.0) -> str:
    """The incidents of one life of a cluster, as CSV."""
    cluster = breakable(known, nodes, age_s)
    incidents = draw_incidents(cluster, days * DAY_S, np.random.SeedSequence(seed))
    names = [name for name, _ in cluster.causes]
    lines = ["time,cause,node,downtime,detection"]
    for index in seen(incidents):
        lines.append(
            f"{incidents.start_s[index]:.3f},{names[incidents.cause[index]]},node-{incidents.node[index]},"
            f"{down_s(incidents, index):.3f},{incidents.detection_s[index]:.3f}"
        )
    return "\n".join(lines) + "\n"


def step_log(run: CampaignRun, campaign: Campaign, logged_every: int = 1) -> str:
    """The steps of a simulated campaign with one level of checkpoints, as CSV: what a training loop would log."""
    (level,) = campaign.levels
    kinds = [EVENT_KINDS[kind] for kind in run.event_kind]
    done_s = began_s = 0.0
    running = False
    rows: list[str] = []
    for kind, at_s, lost_s in zip([*kinds, "end"], [*run.event_s, run.wall_s], [*run.event_lost_s, 0.0], strict=True):
        if kind == "running":
            began_s, running = float(at_s), True
        elif running and kind in ("failure", "end"):
            reached_s = _steps(
                rows, done_s, began_s, float(at_s), level.interval_s, level.blocking_s, campaign.step_s, logged_every
            )
            done_s, running = reached_s - float(lost_s), False
    return "time,step,seconds\n" + "\n".join(rows) + "\n"


def _steps(
    rows: list[str],
    done_s: float,
    began_s: float,
    end_s: float,
    interval_s: float,
    blocking_s: float,
    step_s: float,
    every: int,
) -> float:
    """Adds the steps between two moments; the training time that was reached."""
    passed = end_s - began_s
    whole, part = divmod(passed, interval_s + blocking_s)
    reached_s = done_s + whole * interval_s + min(part, interval_s)
    first = int(done_s / step_s) + 1
    before_s = began_s
    for step in range(first, int(reached_s / step_s + 1e-9) + 1):
        trained_s = step * step_s - done_s
        # A step that ends with the interval ends before the checkpoint begins.
        saved = max(int(np.ceil(trained_s / interval_s - 1e-9)) - 1, 0)
        at_s = began_s + trained_s + saved * blocking_s
        if step % every == 0:
            rows.append(f"{at_s:.3f},{step},{(at_s - before_s) if every == 1 else step_s:.3f}")
        before_s = at_s
    return reached_s
