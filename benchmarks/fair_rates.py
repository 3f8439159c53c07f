"""How long one solution of max-min fair rates takes, for many single flows on a fat tree of 16,384 endpoints.

    python benchmarks/fair_rates.py [--plain]

Three tiers of 64 ports. `groups`: an all-to-all in groups of 64 hosts, card by card, every pair a flow of its own.
`random`: flows between endpoints drawn at random, so that tens of thousands of rates differ. Routing is timed once,
the solution three times, warm, and the least is shown. `--plain` runs without numba.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from myriad.estimate.fabric.fat_tree import fat_tree
from myriad.estimate.fabric.network import Network
from myriad.sim.compiled import COMPILES
from myriad.sim.network.flows import Flows
from myriad.sim.network.maxmin import max_min_rates
from myriad.sim.network.routing import router_of
from myriad.spec.fabric import FatTree, Routing
from myriad.spec.fabric_parts import Switch

ENDPOINTS, CARDS, GROUP = 16384, 8, 64
SWITCH = Switch(name="64 x 400G", vendor="any", technology="any", ports=64, port_bandwidth=50e9)
CASES: tuple[tuple[str, int, Routing], ...] = (
    ("random", 1 << 16, "spray"), ("random", 1 << 16, "ecmp"), ("groups", 1 << 20, "spray"),
    ("groups", 1 << 20, "ecmp"), ("random", 1 << 20, "spray"), ("random", 1 << 20, "ecmp"),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plain", action="store_true")
    if parser.parse_args().plain and COMPILES:
        sys.exit(subprocess.call([sys.executable, __file__], env={**os.environ, "NUMBA_DISABLE_JIT": "1"}))
    network = fat_tree(FatTree(switch="any"), ENDPOINTS // CARDS, CARDS, 50e9, {"any": SWITCH})
    table = Table("flows", "number", "routing", "routed in, s", "solved in, s", "distinct rates")
    for kind, number, routing in CASES:
        table.add_row(kind, f"{number:,}", routing, *measured(network, kind, number, routing))
    Console().print(table)


def measured(network: Network, kind: str, number: int, routing: Routing) -> tuple[str, str, str]:
    """Seconds of routing, seconds of a solution, and how many rates come out."""
    flows = drawn(kind, number)
    started = time.perf_counter()
    paths = router_of(network, routing).paths(flows)
    routed_s = time.perf_counter() - started
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        rates = max_min_rates(paths.indptr, paths.resource, paths.capacity, paths.members)
        seconds.append(time.perf_counter() - started)
    return f"{routed_s:.2f}", f"{min(seconds):.3f}", f"{len(np.unique(rates.round(3))):,}"


def drawn(kind: str, number: int) -> Flows:
    """So many flows, one row each."""
    if kind == "random":
        generator = np.random.default_rng(0)
        source = generator.integers(0, ENDPOINTS, number)
        target = (source + generator.integers(CARDS, ENDPOINTS - CARDS, number)) % ENDPOINTS
    else:
        source = np.tile(np.arange(ENDPOINTS), number // ENDPOINTS)
        apart = ENDPOINTS // GROUP * np.repeat(np.arange(number // ENDPOINTS), ENDPOINTS)
        target = (source + apart) % ENDPOINTS
    return Flows(source, target, np.full(number, 1e6), np.ones(number, np.int64))


if __name__ == "__main__":
    main()
