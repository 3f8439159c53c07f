"""How many deployments per second a search evaluates, how soon it answers, and where the time goes.

    python benchmarks/serving_search.py [--json FILE] [--runs N]

Median, least and most of several runs after a first one, of the whole search as `myriad serving search` runs it:
enumeration, operating points, pairs, steady states at the loads in between, fronts, the best in full. Configurations
are deployments under a load: a replica's layout, precisions and limits with a batch, or a pair of sides with counts and
a batch. Processor time is that of all threads; on a machine that others use too it says more than the clock.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from myriad import api
from myriad.spec.serving import Objective, Requests, ServingWork
from myriad.spec.serving_search import ServingSearch

REQUESTS = Requests(input_tokens=4000, output_tokens=1000)
OBJECTIVE = Objective(ttft=2.0, tpot=0.05, percentile=95)
#: Model, cluster, engine, and what is asked for.
JOBS: tuple[tuple[str, str, str, dict[str, float]], ...] = (
    ("qwen3-32b", "h200:32", "vllm", {}),
    ("qwen3-32b", "h200:32", "vllm", {"requests_per_s": 20.0}),
    ("deepseek-v3", "h200:64", "sglang", {}),
    ("deepseek-v3", "h200:64", "sglang", {"requests_per_s": 20.0}),
    ("deepseek-v3", "h200:512", "sglang", {}),
)

#: Part -> (file, function) whose time it is, with all that they call.
PARTS = {
    "enumerate": ("serving_space.py", "enumerate_serving_layouts"),
    "aggregated points": ("serving_points.py", "aggregated_points"),
    "prefill sides": ("serving_points.py", "prefill_sides"),
    "decode points": ("serving_points.py", "decode_points"),
    "pairs": ("serving_pairs.py", "filling_pairs"),
    "steady states": ("serving_states.py", "states"),
    "fronts": ("serving_front.py", "fronts"),
    "the best in full": ("serving.py", "estimate_serving"),
}


def main() -> None:
    """Measures every search and prints a table, or writes everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    console = Console()
    jobs = [measure(*job, arguments.runs) for job in track(JOBS, console=console, transient=True)]
    whole = {"cores": os.cpu_count(), "python": sys.version.split()[0], "numpy": np.__version__, "jobs": jobs}
    if arguments.json:
        arguments.json.write_text(json.dumps(whole, indent=1))
    show(console, whole)


def measure(model: str, cluster: str, engine: str, asked: dict[str, float], runs: int) -> dict[str, object]:
    """All figures of one search."""

    def search(cores: int | None = None) -> ServingSearch:
        return api.search_serving(
            model, cluster, REQUESTS, OBJECTIVE, work=ServingWork(engine=engine), cores=cores, **asked
        )

    found = search()
    wall, processor = [], []
    for _ in range(runs):
        start, used = time.perf_counter(), time.process_time()
        found = search()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    median = statistics.median(wall)
    return {
        "model": model,
        "cluster": cluster,
        "asked": asked,
        "configurations": found.configurations_evaluated,
        "wall_s": median,
        "least_wall_s": min(wall),
        "most_wall_s": max(wall),
        "processor_s": statistics.median(processor),
        "configurations_per_s": found.configurations_evaluated / median,
        "configurations_per_processor_s": found.configurations_evaluated / statistics.median(processor),
        "parts": shares(lambda: search(1)),
    }


def shares(search: Callable[[], object]) -> dict[str, float]:
    """Share of the processor time of a search on one core by `PARTS`; the rest chooses, sorts and writes down."""
    profile = cProfile.Profile(time.process_time)
    with patch("myriad.search.serving_points.ThreadPoolExecutor", Inline):
        profile.runcall(search)
    stats = pstats.Stats(profile)
    total = sum(own for _, _, own, _, _ in stats.stats.values())
    found = {
        part: sum(
            cumulative / total
            for (path, _, function), (_, _, _, cumulative, _) in stats.stats.items()
            if function == name and Path(path).name == file
        )
        for part, (file, name) in PARTS.items()
    }
    return found | {"rest": 1.0 - sum(found.values())}


class Inline:
    """Runs everything at once in the calling thread, where a profile sees it."""

    def __init__(self, **_: object) -> None: ...

    def __enter__(self) -> Inline:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, run: Callable[..., object], *of: object) -> Done:
        return Done(run(*of))


class Done:
    """A result that is there already."""

    def __init__(self, value: object) -> None:
        self._value = value

    def result(self) -> object:
        return self._value


def show(console: Console, whole: dict) -> None:
    table = Table(title=f"{whole['cores']} cores, Python {whole['python']}, NumPy {whole['numpy']}")
    for name in (
        "model",
        "cluster",
        "asked",
        "configurations",
        "s",
        "least",
        "most",
        "processor s",
        "per s",
        "per processor s",
    ):
        table.add_column(name, justify="left" if name in ("model", "cluster", "asked") else "right")
    for job in whole["jobs"]:
        table.add_row(
            job["model"], job["cluster"], ", ".join(f"{k} {v:g}" for k, v in job["asked"].items()) or "most",
            f"{job['configurations']:,}", f"{job['wall_s']:.3f}", f"{job['least_wall_s']:.3f}",
            f"{job['most_wall_s']:.3f}", f"{job['processor_s']:.3f}", f"{job['configurations_per_s']:,.0f}",
            f"{job['configurations_per_processor_s']:,.0f}",
        )  # fmt: skip
    console.print(table)
    parts = Table(title="Where the processor time of a search goes")
    parts.add_column("part")
    for job in whole["jobs"]:
        parts.add_column(f"{job['model']}\n{job['cluster']}", justify="right")
    for part in whole["jobs"][0]["parts"]:
        parts.add_row(part, *(f"{job['parts'][part]:.0%}" for job in whole["jobs"]))
    console.print(parts)


if __name__ == "__main__":
    main()
