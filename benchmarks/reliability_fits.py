"""How often the intervals of `myriad reliability fit` cover the truth: 200 logs each, drawn from known profiles.

    python benchmarks/reliability_fits.py [--cases N]

400 nodes of eight, 90 days (250 where parts wear); seeds 0 to N - 1. Needs the folder tests beside this one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from myriad import api
from myriad.spec.reliability import Reliability
from myriad.spec.reliability_fit import Interval, ReliabilityFit
from reliability_logs import drawn_log, profile

NODES = 400


def _cause(rate: float, **given: Any) -> dict[str, Any]:
    return {"rate": {"per_1000_unit_days": rate}, **given}


PROFILES: dict[str, tuple[Reliability, float]] = {
    "constant, lognormal repair": (
        profile({"alpha": _cause(2.0, repair={"law": "lognormal", "mean": 7200.0, "variation": 1.5})}), 90.0,
    ),
    "rare, exponential repair": (profile({"alpha": _cause(0.3, repair={"law": "exponential", "mean": 3600.0})}), 90.0),
    "failing young, shape 0.5": (profile({"alpha": _cause(2.0, shape=0.5)}), 90.0),
    "wearing, shape 2": (profile({"alpha": _cause(2.0, shape=2.0)}), 250.0),
    "bursts of 3": (profile({"alpha": _cause(3.0, burst=3.0, burst_within=120.0, repaired=0.0)}), 90.0),
    "2 % lemons, 15 times": (profile({"alpha": _cause(4.0)}, {"share": 0.02, "times": 15.0}), 90.0),
}  # fmt: skip


def _judged(fit: ReliabilityFit, known: Reliability) -> Iterator[tuple[str, Interval, float]]:
    for one in fit.causes:
        cause = known.causes[one.name]
        yield "rate", one.per_1000_node_days, cause.rate.per_1000_unit_days
        if one.shape is not None:
            yield "shape", one.shape, cause.shape
        if one.repair is not None and one.repair.law != "fixed":
            yield "mean repair", one.repair.mean_s, cause.repair.mean
    if fit.lemons is not None and known.lemons.share:
        yield "share of lemons", fit.lemons.share, known.lemons.share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200)
    cases = parser.parse_args().cases
    table = Table("profile", "figure", "covered", "of", "mean estimate / truth")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for name, (known, days) in PROFILES.items():
            found: dict[str, list[tuple[bool, float]]] = defaultdict(list)
            for seed in range(cases):
                log = Path(folder) / "log.csv"
                log.write_text(drawn_log(known, NODES, days, seed), "utf-8")
                fit = api.fit_reliability(log, NODES, days=days)
                for figure, one, truth in _judged(fit, known):
                    found[figure].append((one.low <= truth <= one.high, one.value / truth))
            for figure, seen in found.items():
                covered, mean = sum(hit for hit, _ in seen), sum(ratio for _, ratio in seen) / len(seen)
                table.add_row(name, figure, f"{covered}", f"{len(seen)}", f"{mean:.3f}")
    console = Console()
    console.print(table)
    console.print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
