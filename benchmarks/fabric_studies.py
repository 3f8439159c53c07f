"""What damage, hashes and placement cost: the planned step of the flagship, and collectives of ten thousand.

    python benchmarks/fabric_studies.py [--draws N] [--json FILE]

The step of `flagship-pretrain` in examples/human-car-home.yaml on three fabrics, each condition with several seeds:
which links break, what hashes say, which hosts are drawn. Then collectives on the same 10,000 accelerators, with the
seconds that the simulation takes.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from myriad import api
from myriad.api.fabric_step import STUDIES
from myriad.spec.traffic import CollectiveTraffic, Conditions

SYSTEM = Path(__file__).parent.parent / "examples" / "human-car-home.yaml"
JOB, CLUSTER = "flagship-pretrain", "hgx-h800:10000"
FABRICS = ("fat-tree-ndr-rails", "fat-tree-ndr", "fat-tree-ndr-2to1")
COLLECTIVES = (
    ("all-reduce", "hierarchical"), ("all-reduce", "ring"), ("all-reduce", "double-binary-tree"),
    ("all-reduce", "in-switch"), ("all-to-all", "direct"), ("all-to-all", "hierarchical"),
)  # fmt: skip


def main() -> None:
    """Prints both tables; with `--json` writes what is in them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    steps, traffic = _steps(options.draws), _traffic()
    if options.json is not None:
        options.json.write_text(json.dumps({"steps": steps, "traffic": traffic}, indent=2))


def _steps(draws: int) -> list[dict[str, object]]:
    """Growth of the step time by fabric and condition: mean, least and most of the seeds."""
    plan = api.plan(SYSTEM)
    rows: list[dict[str, object]] = []
    table = Table("fabric", "condition", "step", "change: mean", "least", "most", "EP", "PP", "DP")
    for fabric in FABRICS:
        for name, conditions in STUDIES.items():
            studies = {str(seed): _seeded(conditions, seed) for seed in range(draws)}
            found = api.fabric_studies(fabric, SYSTEM, JOB, studies, plan)
            changes = [one.change_fraction for one in found]
            mean = sum(changes) / draws
            slow = {kind: sum(one.slowdown[kind] for one in found) / draws for kind in ("ep", "pp", "dp")}
            step_s = found[0].planned_step_s * (1 + mean)
            rows.append({"fabric": fabric, "condition": name, "step_s": step_s, "changes": changes, "slowdown": slow})
            shown = [f"{100 * change:+.2f} %" for change in (mean, min(changes), max(changes))]
            table.add_row(fabric, name, f"{step_s:.3f} s", *shown, *(f"{ratio:.2f}" for ratio in slow.values()))
    Console(width=140).print(table)
    return rows


def _seeded(conditions: Conditions, seed: int) -> Conditions:
    damage = conditions.damage.model_copy(update={"seed": seed})
    return conditions.model_copy(update={"seed": seed, "damage": damage})


def _traffic() -> list[dict[str, object]]:
    """Bus bandwidth of collectives of all accelerators, and how long finding it takes."""
    rows: list[dict[str, object]] = []
    table = Table("fabric", "collective", "time", "busbw, GB/s", "estimate", "flows", "simulated in")
    for fabric in FABRICS:
        for collective, algorithm in COLLECTIVES:
            asked = CollectiveTraffic(collective=collective, algorithm=algorithm, size=2.0**30)
            started = time.perf_counter()
            found = api.simulate_collective(fabric, CLUSTER, asked)
            wall_s = time.perf_counter() - started
            figures = {
                "time_s": found.run.makespan_s, "bus_bytes_per_s": found.bus_bytes_per_s,
                "ideal_bus_bytes_per_s": found.ideal_bus_bytes_per_s, "flows": found.run.flows, "wall_s": wall_s,
            }  # fmt: skip
            rows.append({"fabric": fabric, "collective": collective, "algorithm": algorithm, **figures})
            table.add_row(
                fabric, f"{collective}, {algorithm}", f"{1e3 * found.run.makespan_s:.1f} ms",
                f"{found.bus_bytes_per_s / 1e9:.1f}", f"{found.ideal_bus_bytes_per_s / 1e9:.1f}",
                f"{found.run.flows:,}", f"{wall_s:.2f} s",
            )  # fmt: skip
    Console(width=140).print(table)
    return rows


if __name__ == "__main__":
    main()
