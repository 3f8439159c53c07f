"""How long simulations of large fat trees take, and how much memory: each case in a process of its own.

    python benchmarks/network_flows.py [--endpoints 16384] [--only NAME] [--plain] [--json FILE]

Seconds are those of `simulate` alone, routing and all, after a small run that compiles; processor time says more than
the clock on a machine that others use too; memory is the peak of the whole process. `--plain` runs without numba. Trees
have 64 ports of 400 Gb/s, three tiers, cards of one host on one leaf.

ring: 2 (n - 1) repeats of every card sending to the same card of the next host. permutation: every card to one of
another host, drawn at random. all-to-all: all pairs, as rows by pair of leaves, and one for all that each card sends
and receives. rounds: 16 of the n - 1 rounds of a pairwise exchange, evenly spaced, one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from myriad.estimate.fabric.damage import damaged
from myriad.estimate.fabric.fat_tree import fat_tree
from myriad.estimate.fabric.network import Network
from myriad.sim.compiled import COMPILES
from myriad.sim.network.flows import Activity, Flows, Phase
from myriad.sim.network.run import simulate
from myriad.spec.fabric import Damage, FatTree, LinkFault
from myriad.spec.fabric_parts import Switch

CARDS = 8
SWITCH = Switch(name="64 x 400G", vendor="any", technology="any", ports=64, port_bandwidth=50e9)
CASES = [("ring", "ecmp"), ("ring", "spray"), ("permutation", "ecmp"), ("all-to-all", "spray"), ("rounds", "ecmp")]
ROUNDS = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoints", type=int, nargs="*", default=[16384, 65536])
    parser.add_argument("--only", help="ring, permutation, all-to-all or rounds")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--here", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        traffic, routing, endpoints, broken = arguments.here
        sys.stdout.write(json.dumps(measured(traffic, routing, int(endpoints), float(broken))))
        return
    rows = []
    write(
        f"{'endpoints':>9} {'traffic':12} {'routing':7} {'links down':>10} {'rows':>9} {'solves':>6} "
        f"{'simulated s':>12} {'seconds':>8} {'processor s':>11} {'GB':>5}"
    )
    for endpoints in arguments.endpoints:
        for traffic, routing in CASES:
            for broken in (0.0, 0.01):
                if arguments.only in (None, traffic):
                    rows.append(apart([traffic, routing, str(endpoints), str(broken)], arguments.plain))
                    write(
                        "{endpoints:9} {traffic:12} {routing:7} {broken:10.0%} {rows:9} {solves:6} {simulated_s:12.6g} "
                        "{seconds:8.2f} {processor_s:11.2f} {gigabytes:5.2f}".format(**rows[-1])
                    )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


def apart(case: list[str], plain: bool) -> dict[str, Any]:
    """A case in a process of its own."""
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1" if plain else "0"}
    done = subprocess.run(
        [sys.executable, __file__, "--here", *case], env=environment, capture_output=True, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measured(traffic: str, routing: str, endpoints: int, broken: float) -> dict[str, Any]:
    """A case in this process."""
    small = tree(64, 0.0)
    simulate(small, [activity(small, "permutation")], "ecmp")
    network = tree(endpoints, broken)
    asked = activity(network, traffic)
    begin_s, begin_processor_s = time.perf_counter(), time.process_time()
    run = simulate(network, [asked], routing)  # type: ignore[arg-type]
    seconds, processor_s = time.perf_counter() - begin_s, time.process_time() - begin_processor_s
    return {
        "endpoints": endpoints,
        "traffic": traffic,
        "routing": routing,
        "broken": broken,
        "compiled": COMPILES,
        "rows": sum(len(phase.flows) for phase in asked.phases),
        "solves": run.num_solves,
        "simulated_s": run.makespan_s,
        "seconds": seconds,
        "processor_s": processor_s,
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def tree(endpoints: int, broken: float) -> Network:
    network = fat_tree(FatTree(switch="any"), endpoints // CARDS, CARDS, SWITCH.port_bandwidth, {"any": SWITCH})
    return damaged(network, Damage(links=(LinkFault(share=broken),))) if broken else network


def activity(network: Network, traffic: str) -> Activity:
    """The traffic of a case; 1 MB from each card to each other, or 1 GB to reduce."""
    number = network.num_endpoints
    card = np.arange(number)
    ones = np.ones(number, int)
    if traffic == "ring":
        flows = Flows(card, (card + CARDS) % number, np.full(number, 1e9 / number), ones)
        return Activity(traffic, (Phase(flows, 2 * (number - 1), 1e-5),))
    if traffic == "permutation":
        host = np.random.default_rng(0).permutation(number // CARDS)
        target = host[card // CARDS] * CARDS + card % CARDS
        return Activity(traffic, (Phase(Flows(card, target, np.full(number, 1e8), ones)),))
    if traffic == "rounds":
        steps = np.linspace(CARDS, number - CARDS, ROUNDS).astype(int)
        flows_of = [Flows(card, (card + step) % number, np.full(number, 1e6), ones) for step in steps]
        return Activity(traffic, tuple(Phase(flows) for flows in flows_of))
    leaf_of = network.upper[network.lower < number]
    leaf, below = np.unique(leaf_of, return_counts=True)
    one, other = np.divmod(np.arange(len(leaf) ** 2), len(leaf))
    apart_ = one != other
    one, other = one[apart_], other[apart_]
    pairs = np.concatenate([below[one] * below[other], ones, ones])
    source = np.concatenate([leaf[one], card, leaf_of])
    target = np.concatenate([leaf[other], leaf_of, card])
    sent = np.full(number, 1e6 * (number - CARDS))
    return Activity(
        traffic, (Phase(Flows(source, target, np.concatenate([np.full(len(one), 1e6), sent, sent]), pairs)),)
    )


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
