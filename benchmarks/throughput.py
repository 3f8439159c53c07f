"""Layouts per second, where the time goes, and how far that is from the memory bandwidth of the machine.

    python benchmarks/throughput.py [--json FILE]

For a dense model and for a mixture of experts, on 1,024 to 131,072 accelerators:

- search: wall time from a job to its ranked layouts, and layouts evaluated in full per second of it;
- estimate: layouts per second of `estimate_table` alone, on all cores and on one, over every layout that divides on at
  least half of the accelerators, whatever software could run it, or a million of them in a row;
- parts: shares of the processor time of a search on one core;
- limit: layouts per second at which the columns could be read and the results written once, at the bandwidth that
  copying large arrays reaches on the same cores.
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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from unittest.mock import patch

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from myriad.api.training import case_of, search_layouts, setting_of
from myriad.estimate.setting import Setting
from myriad.estimate.table import TrainingTable, estimate_table
from myriad.search.space import default_space, enumerate_layouts
from myriad.spec.job import TrainingWork
from myriad.spec.layout import LayoutTable

JOBS = {
    "llama3.1-405b": ("h100", TrainingWork(seq_len=8192, global_batch=2048)),
    "mimo-v2-pro": ("h800", TrainingWork(seq_len=4096, global_batch=8192)),
}
GPUS = (1024, 16384, 131072)
RUNS = 5
MOST_ROWS = 1 << 20
BATCH = 1 << 17

#: Part -> (file, function) whose time it is, with all that they call; in the order of the search.
PARTS = {
    "enumerate and reject": ("space.py", "enumerate_layouts"),
    "find what is shared": ("layout.py", "distinct"),
    "blocks": ("setting.py", "costs_of"),
    "stages": ("stages.py", "costs"),
    "shardings": ("shardings.py", "__init__"),
    "rounds": ("rounds.py", "__init__"),
    "memory": ("stage_memory.py", "__init__"),
}


def main() -> None:
    """Measures every job and prints a table, or writes everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    console = Console()
    bandwidth = copy_bytes_per_s()
    bytes_per_layout = 8 * (len(fields(LayoutTable)) + sum(np.size(c[..., 0]) for c in columns(TrainingTable.empty(1))))
    cases = [(model, gpus) for model in JOBS for gpus in GPUS]
    results = [measure(model, gpus) for model, gpus in track(cases, console=console, transient=True)]
    whole = {
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "copy_bytes_per_s": bandwidth,
        "bytes_per_layout": bytes_per_layout,
        "limit_layouts_per_s": bandwidth / bytes_per_layout,
        "jobs": results,
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(whole, indent=1))
    show(console, whole)


def measure(model: str, gpus: int) -> dict[str, object]:
    """All figures of one job."""
    accelerator, work = JOBS[model]

    def fresh() -> Setting:
        return setting_of(model, f"{accelerator}:{gpus}", work)

    def search() -> int:
        return len(search_layouts(fresh(), least_gpus=gpus * 3 // 4).ranking.layouts)

    search_s, evaluated = timed(search)
    setting = fresh()
    case = case_of(setting)
    layouts = enumerate_layouts(case, default_space(case, gpus // 2), "own").layouts
    first = max(0, (len(layouts) - MOST_ROWS) // 2)
    layouts = layouts.take(slice(first, first + MOST_ROWS))

    def estimate(cores: int) -> int:
        size = min(BATCH, -(-len(layouts) // cores))
        with ThreadPoolExecutor(cores) as pool:
            starts = range(0, len(layouts), size)
            return sum(
                pool.map(lambda a: len(estimate_table(setting, layouts.take(slice(a, a + size))).step_s), starts)
            )

    every_core_s, one_core_s = (timed(lambda cores=cores: estimate(cores))[0] for cores in (os.cpu_count() or 1, 1))
    return {
        "model": model,
        "gpus": gpus,
        "search_s": search_s,
        "layouts_evaluated": evaluated,
        "search_layouts_per_s": evaluated / search_s,
        "estimate_rows": len(layouts),
        "estimate_layouts_per_s": len(layouts) / every_core_s,
        "estimate_layouts_per_s_one_core": len(layouts) / one_core_s,
        "parts": shares(search),
    }


def timed(run: Callable[[], int]) -> tuple[float, int]:
    """Median wall time of a few runs after a first one, and what the last gave."""
    result = run()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return statistics.median(times), result


def shares(search: Callable[[], int]) -> dict[str, float]:
    """Share of the time of a search on one core by `PARTS`; the rest joins, ranks and copies."""
    profile = cProfile.Profile(time.process_time)
    with patch("myriad.search.rank.ThreadPoolExecutor", Inline):
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
    return found | {"join, rank, copy": 1.0 - sum(found.values())}


class Inline(ThreadPoolExecutor):
    """Runs everything at once in the calling thread, where a profile sees it."""

    def map(self, run, *of, **_):
        return map(run, *of)


def columns(table: TrainingTable) -> list[np.ndarray]:
    return [getattr(table, f.name) for f in fields(TrainingTable)]


def copy_bytes_per_s() -> float:
    """Bytes read and written per second by copying arrays far larger than the caches on all cores."""
    cores, size = os.cpu_count() or 1, 1 << 25
    pairs = [(np.ones(size), np.empty(size)) for _ in range(cores)]

    def copy() -> int:
        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs))
        return 0

    return 2 * 8 * size * cores / timed(copy)[0]


def show(console: Console, whole: dict) -> None:
    table = Table(title=f"{whole['cores']} cores, Python {whole['python']}, NumPy {whole['numpy']}")
    for name in ("model", "GPUs", "search s", "layouts", "layouts/s", "estimate: layouts/s", "on one core", "of limit"):
        table.add_column(name, justify="left" if name == "model" else "right")
    for job in whole["jobs"]:
        table.add_row(
            job["model"], f"{job['gpus']:,}", f"{job['search_s']:.3f}", f"{job['layouts_evaluated']:,}",
            f"{job['search_layouts_per_s']:,.0f}", f"{job['estimate_layouts_per_s']:,.0f}",
            f"{job['estimate_layouts_per_s_one_core']:,.0f}",
            f"{job['estimate_layouts_per_s'] / whole['limit_layouts_per_s']:.1%}",
        )  # fmt: skip
    console.print(table)
    parts = Table(title="Where the processor time of a search goes")
    parts.add_column("part")
    for job in whole["jobs"]:
        parts.add_column(f"{job['model']}\n{job['gpus']:,}", justify="right")
    for part in whole["jobs"][0]["parts"]:
        parts.add_row(part, *(f"{job['parts'][part]:.0%}" for job in whole["jobs"]))
    console.print(parts)
    console.print(
        f"Limit: {whole['bytes_per_layout']} bytes per layout at {whole['copy_bytes_per_s'] / 1e9:.1f} GB/s are "
        f"{whole['limit_layouts_per_s'] / 1e6:.0f} M layouts/s."
    )


if __name__ == "__main__":
    main()
