"""How long simulated training campaigns take: one run, and 200 runs on two workers.

    python benchmarks/simulations.py [--json FILE] [--repeats N]

A job on 16,384 GPUs over 90 days and one on 100,000 over a year, both broken as Llama 3's cluster was, with a spare for
each 50 nodes. One run is drawn and simulated in this process, the median of several with seeds of their own after a
first one; `drawing` is the part of `draw_incidents`. 200 runs go through `api.campaign_runs.runs_of`, in this process
and on two workers, whose start counts and is also given alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from myriad import catalog
from myriad.api.campaign_runs import Chunk, Question, run_chunk, runs_of
from myriad.api.failures import breakable_of
from myriad.engine import Local, run_points
from myriad.sim.campaign import Campaign, Level, run_campaign
from myriad.sim.failures import draw_incidents
from myriad.spec.recovery import Restart
from myriad.units import DAY_S

RUNS, WORKERS = 200, 2
CASES = (("16,384 GPUs x 90 days", 2048, 90.0), ("100,000 GPUs x 365 days", 12500, 365.0))


def question(nodes: int, days: float) -> Question:
    """A job that lasts beyond the horizon, so that every run covers all of it."""
    campaign = Campaign(
        nodes=nodes,
        work_s=float("inf"),
        horizon_s=days * DAY_S,
        step_s=10.0,
        levels=(Level("storage", interval_s=900.0, blocking_s=2.0, write_s=60.0, read_s=60.0),),
        mode="restart",
        restart_s=Restart().seconds(nodes),
        swap_s=0.0,
        replica_nodes=16,
        replica_stall_s=10.0,
        heal_s=60.0,
        repair_crews=None,
    )
    return Question(campaign, breakable_of("llama3-h100", catalog.node("dgx-h100"), nodes + nodes // 50))


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def one_run(asked: Question, repeats: int) -> dict[str, float]:
    """Medians of one run and of its drawing, and how much happens in it."""
    whole, drawing, stops = [], [], 0
    for run in range(repeats + 1):
        start = time.perf_counter()
        seed = np.random.SeedSequence(0, spawn_key=(0, run))
        incidents = draw_incidents(asked.breakable, asked.campaign.horizon_s, seed)
        drawn = time.perf_counter()
        stops = int(run_campaign(asked.campaign, asked.breakable, incidents).interruptions.sum())
        whole.append(time.perf_counter() - start)
        drawing.append(drawn - start)
    median = statistics.median
    return {"run_s": median(whole[1:]), "drawing_s": median(drawing[1:]), "first_s": whole[0], "interruptions": stops}


def main() -> None:
    """Measures and prints a table, or writes everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    table = Table("", "one run", "of it drawing", "interruptions", f"{RUNS} runs, 1 process", f"{WORKERS} workers")
    for name, nodes, days in CASES:
        asked = question(nodes, days)
        figures: dict[str, float] = one_run(asked, arguments.repeats)
        cells = [f"{figures['run_s']:.3f} s", f"{figures['drawing_s']:.3f} s", f"{figures['interruptions']:,.0f}"]
        if nodes < 10_000:
            for key, workers in (("here_s", 1), ("workers_s", WORKERS)):
                figures[key] = seconds(partial(runs_of, (asked,), 0, 0, RUNS, Local(workers), lambda _: None))
                cells.append(f"{figures[key]:.2f} s")
        table.add_row(name, *cells)
        found[name] = figures
    nothing = Chunk((), 0, 0, 0, 0)
    calls = {str(number): nothing for number in range(WORKERS)}
    found["start_s"] = seconds(lambda: run_points(calls, run_chunk, Local(WORKERS), lambda *_: None))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    console = Console(width=120)
    console.print(table)
    console.print(f"start of {WORKERS} workers, in the time on the right: {found['start_s']:.2f} s")


if __name__ == "__main__":
    main()
