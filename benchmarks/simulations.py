"""How long simulated training campaigns take: one run, and 200 runs on two workers.

    python benchmarks/simulations.py [--json FILE] [--repeats N]

A job on 16,384 GPUs over 90 days and one on 100,000 over a year, both broken as Llama 3's cluster was, with a spare for
each 50 nodes. One run is drawn and simulated in this process, the median of several with seeds of their own after a
first one; `drawing` is the part of `draw_incidents`. 200 runs go through `api.campaign_runs.runs_of`, in this process
and on two workers, whose start counts and is also given alone. Behind each time stands the processor time, of workers
too; on a machine that others use it says more than the clock.
"""

from __future__ import annotations

import argparse
import json
import resource
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
from myriad.api.campaign_runs import runs_of
from myriad.api.failures import breakable_of
from myriad.engine import Local, run_points
from myriad.sim.campaign import Campaign, Level, run_campaign
from myriad.sim.campaign.chunks import Chunk, Question, run_chunk
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


def seconds(function: Callable[[], object]) -> tuple[float, float]:
    """By the clock, and of processors: of this process and of the children that it waited for."""
    start, busy = time.perf_counter(), busy_s()
    function()
    return time.perf_counter() - start, busy_s() - busy


def busy_s() -> float:
    """Processor time so far."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def one_run(asked: Question, repeats: int) -> dict[str, float]:
    """Medians of one run and of its drawing, and how much happens in it."""
    whole, drawing, stops = [], [], 0
    for run in range(repeats + 1):
        seed = np.random.SeedSequence(0, spawn_key=(0, run))
        drawing.append(seconds(partial(draw_incidents, asked.breakable, asked.campaign.horizon_s, seed)))
        incidents = draw_incidents(asked.breakable, asked.campaign.horizon_s, seed)
        walked = seconds(partial(run_campaign, asked.campaign, asked.breakable, incidents))
        whole.append(tuple(map(sum, zip(drawing[-1], walked, strict=True))))
        stops = int(run_campaign(asked.campaign, asked.breakable, incidents).interruptions.sum())
    (run_s, run_busy_s), (drawing_s, _) = (
        map(statistics.median, zip(*times[1:], strict=True)) for times in (whole, drawing)
    )
    return {"run_s": run_s, "run_busy_s": run_busy_s, "drawing_s": drawing_s, "interruptions": stops}


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
        cells = [
            f"{figures['run_s']:.3f} s ({figures['run_busy_s']:.3f})", f"{figures['drawing_s']:.3f} s",
            f"{figures['interruptions']:,.0f}",
        ]  # fmt: skip
        if nodes < 10_000:
            for key, workers in (("here", 1), ("workers", WORKERS)):
                took = seconds(partial(runs_of, (asked,), 0, 0, RUNS, Local(workers), lambda _: None))
                figures[f"{key}_s"], figures[f"{key}_busy_s"] = took
                cells.append(f"{took[0]:.2f} s ({took[1]:.2f})")
        table.add_row(name, *cells)
        found[name] = figures
    nothing = Chunk((), 0, 0, 0, 0)
    calls = {str(number): nothing for number in range(WORKERS)}
    found["start_s"], found["start_busy_s"] = seconds(
        lambda: run_points(calls, run_chunk, Local(WORKERS), lambda *_: None)
    )
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    console = Console(width=120)
    console.print(table)
    console.print(
        f"start of {WORKERS} workers, in the time on the right: {found['start_s']:.2f} s ({found['start_busy_s']:.2f})"
    )


if __name__ == "__main__":
    main()
