"""How many requests per second a simulation of serving takes, compiled and plain, on a trace and on drawn requests.

    python benchmarks/serving_simulation.py [TRACE] [--json FILE] [--runs N]

TRACE is a file that `myriad serving simulate --trace` reads, such as Mooncake's `conversation_trace.jsonl`; without
one, only drawn requests of the same kind are simulated: conversations of long prompts with hashed blocks. Median, least
and most of several runs after a first one, which compiles; of the events alone (`run_fleet`, with its arrays), and of
the whole `api.simulate_serving`: iteration tables, events, percentiles and intervals. Plain Python runs in a process of
its own, without numba, and once. Processor time is that of all threads; on a machine that others use too it says more
than the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from myriad import api, catalog
from myriad.api.serving import machine_of
from myriad.estimate.serving.table import iteration_table
from myriad.sim.compiled import COMPILES
from myriad.sim.serving import Arrivals
from myriad.sim.serving.arrivals import lengths, poisson_s
from myriad.sim.serving.run import run_fleet
from myriad.sim.serving.traces import read_trace
from myriad.spec.serving import Deployment, Objective, Replicas, ServingLayout, ServingWork

MODEL, CLUSTER = "qwen3-32b", "h200:16"
DEPLOYMENT = Deployment(
    model=MODEL, accelerator="h200-sxm", replicas=Replicas(layout=ServingLayout(tp=2), work=ServingWork(), count=8)
)
OBJECTIVE = Objective(ttft=5.0, tpot=0.05)
#: Like Mooncake's conversation trace: requests, their rate, means and variations of tokens, share that goes on where an
#: earlier one ended.
DRAWN, RATE_PER_S, INPUT, OUTPUT, GO_ON = 12_000, 3.4, (12_000, 1.3), (340, 0.73), 0.4
BLOCK_TOKENS = 512


def main() -> None:
    """Measures and prints a table, or writes everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", type=Path, nargs="?")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--here", action="store_true", help="in this process alone, as JSON on standard output")
    arguments = parser.parse_args()
    if arguments.here:
        sys.stdout.write(json.dumps(measure(arguments.trace, arguments.runs)))
        return
    rows = [row for plain in (False, True) for row in apart(arguments.trace, arguments.runs, plain)]
    whole = {"cores": os.cpu_count(), "python": sys.version.split()[0], "numpy": np.__version__, "rows": rows}
    if arguments.json:
        arguments.json.write_text(json.dumps(whole, indent=1))
    show(Console(width=132), whole)


def apart(trace: Path | None, runs: int, plain: bool) -> list[dict]:
    """The figures from a process of its own: numba is switched off before it is loaded, or not at all."""
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_DISABLE_JIT"}
    if plain:
        environment["NUMBA_DISABLE_JIT"] = "1"
    command = [
        sys.executable,
        __file__,
        "--here",
        "--runs",
        str(1 if plain else runs),
        *([str(trace)] if trace else []),
    ]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    found: list[dict] = json.loads(done.stdout)
    return found


def measure(trace: Path | None, runs: int) -> list[dict[str, object]]:
    """All figures of this process, whether it compiles or not."""
    jobs = {"drawn": drawn()} | ({trace.name.split(".")[0]: read_trace(trace)} if trace else {})
    return [row for name, arrivals in jobs.items() for row in measure_one(name, arrivals, runs)]


def measure_one(name: str, arrivals: Arrivals, runs: int) -> list[dict[str, object]]:
    """The figures of these requests: of the events alone, and of the whole answer."""
    cluster = catalog.cluster(CLUSTER)
    fleet = api.fleet_of(cluster, DEPLOYMENT)
    pool, replicas = fleet.replicas, DEPLOYMENT.replicas
    table = iteration_table(
        catalog.model(MODEL), replicas.layout, machine_of(cluster, replicas.work), pool.max_batched_tokens,
        pool.max_sequences, replicas.work.memory_fraction, int((arrivals.input_tokens + arrivals.output_tokens).max()),
    )  # fmt: skip
    parts: dict[str, Callable[[], object]] = {
        "events": lambda: run_fleet(fleet, (table,), arrivals),
        "whole": lambda: api.simulate_serving(MODEL, CLUSTER, DEPLOYMENT, arrivals, OBJECTIVE),
    }
    # The first run, which compiles.
    events = api.simulate_serving(MODEL, CLUSTER, DEPLOYMENT, arrivals, OBJECTIVE).result.events
    return [
        {
            "requests": name, "count": len(arrivals), "events": events, "part": part,
            "code": "compiled" if COMPILES else "plain", **timed(run, runs, len(arrivals)),
        }
        for part, run in parts.items()
    ]  # fmt: skip


def timed(run: Callable[[], object], runs: int, count: int) -> dict[str, float]:
    """Seconds of a run, and requests in a second."""
    wall, processor = [], []
    for _ in range(runs):
        start, used = time.perf_counter(), time.process_time()
        run()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    return {
        "wall_s": statistics.median(wall),
        "least_wall_s": min(wall),
        "most_wall_s": max(wall),
        "processor_s": statistics.median(processor),
        "requests_per_s": count / statistics.median(wall),
        "requests_per_processor_s": count / statistics.median(processor),
    }


def drawn() -> Arrivals:
    """Conversations: some requests bring the blocks of an earlier one and go on, all begin with the same block."""
    generator = np.random.default_rng(0)
    inputs = np.maximum(lengths(*INPUT, DRAWN, generator), 1)
    goes_on = generator.random(DRAWN) < GO_ON
    earlier = (generator.random(DRAWN) * np.arange(DRAWN)).astype(np.int64)
    prompts: list[list[int]] = []
    fresh = 1
    for place, tokens in enumerate(inputs.tolist()):
        number = tokens // BLOCK_TOKENS
        told = (prompts[earlier[place]] if place and goes_on[place] else [0])[:number]
        prompts.append([*told, *range(fresh, fresh + number - len(told))])
        fresh += number - len(told)
    return Arrivals(
        arrival_s=poisson_s(RATE_PER_S, DRAWN, generator),
        input_tokens=inputs,
        output_tokens=lengths(*OUTPUT, DRAWN, generator),
        block_counts=np.array([len(blocks) for blocks in prompts], dtype=np.int64),
        block_ids=np.array([block for blocks in prompts for block in blocks], dtype=np.int64),
        block_tokens=BLOCK_TOKENS,
    )


def show(console: Console, whole: dict) -> None:
    table = Table(title=f"{whole['cores']} cores, Python {whole['python']}, NumPy {whole['numpy']}")
    for name in ("requests", "code", "part", "count", "events", "s", "least", "most", "processor s", "per s",
                 "per processor s"):  # fmt: skip
        table.add_column(name, justify="left" if name in ("requests", "code", "part") else "right")
    for row in whole["rows"]:
        table.add_row(
            row["requests"], row["code"], row["part"], f"{row['count']:,}", f"{row['events']:,}",
            f"{row['wall_s']:.3f}", f"{row['least_wall_s']:.3f}", f"{row['most_wall_s']:.3f}",
            f"{row['processor_s']:.3f}", f"{row['requests_per_s']:,.0f}", f"{row['requests_per_processor_s']:,.0f}",
        )  # fmt: skip
    console.print(table)


if __name__ == "__main__":
    main()
