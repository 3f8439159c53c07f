"""How long one simulated campaign takes: drawing what breaks, and walking a job through it.

    python benchmarks/campaigns.py [--profile h100-fleet] [--repeats 5] [--json FILE]

Nodes of 8 accelerators of one profile of the catalog, 2 % of them spare; checkpoints each minute in the memory of peers
and each half hour in storage; 16,384 accelerators for 90 days, 100,000 for 365. Seconds are the least of the repeats,
processor time of one thread (others may use the machine) and by the clock.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from myriad import catalog
from myriad.sim.campaign import CATEGORIES, Campaign, Level, run_campaign
from myriad.sim.failures import Breakable, draw_incidents
from myriad.spec.reliability import Reliability
from myriad.units import DAY_S

CASES = [(16_384, 90), (100_000, 365)]
CARDS = 8
SPARES = 0.02
LEVELS = (Level("peer-memory", 60.0, 0.5, 10.0, 10.0), Level("storage", 1800.0, 5.0, 120.0, 60.0))
Mode = Literal["restart", "elastic", "replica"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="h100-fleet")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    profile = catalog.reliability(arguments.profile)
    rows = []
    write(
        f"{'accelerators':>12} {'days':>5} {'mode':8} {'incidents':>9} {'hit the job':>11} {'ETTR':>6} "
        f"{'draw s':>7} {'walk s':>7} {'both by the clock s':>20}"
    )
    for accelerators, days in CASES:
        for mode in get_args(Mode):
            rows.append(measured(profile, accelerators, days * DAY_S, mode, arguments.repeats))
            write(
                "{accelerators:12,} {days:5.0f} {mode:8} {incidents:9,} {interruptions:11,} {ettr:6.3f} "
                "{draw_s:7.3f} {walk_s:7.3f} {clock_s:20.3f}".format(**rows[-1])
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


def measured(profile: Reliability, accelerators: int, horizon_s: float, mode: Mode, repeats: int) -> dict[str, Any]:
    nodes = accelerators // CARDS
    breakable = cluster(profile, math.ceil(nodes * (1.0 + SPARES)))
    job = Campaign(
        nodes=nodes,
        work_s=math.inf,
        horizon_s=horizon_s,
        step_s=10.0,
        levels=LEVELS,
        mode=mode,
        restart_s=300.0,
        swap_s=0.0,
        replica_nodes=next(size for size in (16, 20) if nodes % size == 0),
        replica_stall_s=10.0,
        heal_s=60.0,
        repair_crews=None,
    )
    seed = np.random.SeedSequence(0)
    incidents, draw_s, draw_clock_s = least(lambda: draw_incidents(breakable, horizon_s, seed), repeats)
    run, walk_s, walk_clock_s = least(lambda: run_campaign(job, breakable, incidents), repeats)
    return {
        "accelerators": accelerators,
        "days": horizon_s / DAY_S,
        "mode": mode,
        "incidents": len(incidents),
        "interruptions": int(run.interruptions.sum()),
        "ettr": float(run.ledger_s[CATEGORIES.index("productive")] / run.wall_s),
        "draw_s": draw_s,
        "walk_s": walk_s,
        "clock_s": draw_clock_s + walk_clock_s,
    }


def cluster(profile: Reliability, nodes: int) -> Breakable:
    return Breakable(
        num_nodes=nodes,
        accelerators_per_node=CARDS,
        links_per_node=CARDS,
        switches=profile.switches_per_node * nodes,
        causes=tuple(profile.causes.items()),
        nodes_per_leaf=profile.nodes_per_leaf,
        nodes_per_rack=profile.nodes_per_rack,
        nodes_per_power_domain=profile.nodes_per_power_domain,
        lemon_share=profile.lemons.share,
        lemon_times=profile.lemons.times,
        joined_s=np.zeros(nodes),
        age_s=np.zeros(nodes),
    )


def least(function: Callable[[], Any], repeats: int) -> tuple[Any, float, float]:
    """What it gives; the least processor time and the least time by the clock."""
    processor, clock, result = [], [], None
    for _ in range(repeats):
        begin_processor, begin_clock = time.process_time(), time.perf_counter()
        result = function()
        processor.append(time.process_time() - begin_processor)
        clock.append(time.perf_counter() - begin_clock)
    return result, min(processor), min(clock)


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
