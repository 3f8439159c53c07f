"""Times of single flows, here and in SimGrid, over the same paths; and how long both take.

    python benchmarks/against_simgrid.py [--python /usr/bin/python3] [--json FILE]

SimGrid (Debian: python3-simgrid, for the system's own Python) is asked for its plainest model: network/model CM02, no
TCP window, no cross traffic, bandwidth and latency factors of 1, no latency, so that flows share links max-min fairly,
as here with a tolerance of 0. Each flow takes the path that ECMP gives it here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    name: str
    hosts: int
    traffic: str
    broken: float = 0.0
    slow: float = 0.0


CASES = [
    *(
        Case(f"{tiers} tiers, {traffic}{words}", hosts, traffic, broken, slow)
        for tiers, hosts in ((2, 16), (3, 54))
        for traffic in ("permutation", "random", "all-to-all", "incast")
        for words, broken, slow in (("", 0, 0), (", links down", 0.05, 0), (", links slow", 0, 0.2))
    ),
    Case("2 tiers, large permutation", 512, "permutation"),
    Case("3 tiers, large random", 1024, "random"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default="/usr/bin/python3", help="one that has SimGrid")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--there", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.there:
        sys.stdout.write("\n" + json.dumps(with_simgrid(json.load(sys.stdin))))
        return
    rows = [compared(case, arguments.python) for case in CASES]
    write(f"{'case':34} {'flows':>6} {'solves':>6} {'worst error':>11} {'here s':>8} {'SimGrid s':>9}")
    for row in rows:
        write(
            f"{row['case']:34} {row['flows']:6} {row['solves']:6} {row['worst_error']:11.1e} {row['here_s']:8.4f} "
            f"{row['simgrid_s']:9.4f}"
        )
    write(f"worst of {len(rows)} cases: {max(row['worst_error'] for row in rows):.1e}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


def compared(case: Case, python: str) -> dict[str, Any]:
    """A case run in both."""
    import numpy as np

    from myriad.sim.network.maxmin import Incidence
    from myriad.sim.network.routing import router_of
    from myriad.sim.network.sharing import Sharing

    network, flows = laid_out(case)
    router = router_of(network, "ecmp", seed=1)
    paths = router.paths(flows)
    for _ in range(2):  # the first compiles
        begin_s = time.perf_counter()
        shares = Incidence(paths.indptr, paths.resource, paths.capacity)
        sharing = Sharing([(paths, shares)], paths.bytes_.copy(), paths.bytes_)
        now_s, ended = 0.0, []
        while not ended:
            now_s, ended = sharing.advance(now_s, np.inf, 0.0)
        here_s = time.perf_counter() - begin_s
    question = {
        "capacity": paths.capacity.tolist(),
        "flows": [
            [int(source), int(target), float(size), paths.resource[low:high].tolist()]
            for source, target, size, low, high in zip(
                flows.source, flows.target, flows.bytes_, paths.indptr[:-1], paths.indptr[1:], strict=True
            )
        ],
    }
    done = subprocess.run(
        [python, __file__, "--there"], input=json.dumps(question), capture_output=True, text=True, check=True
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    errors = sharing.end_s / np.array(answer["end_s"]) - 1
    return {
        "case": case.name,
        "flows": len(flows),
        "solves": sharing.num_solves,
        "worst_error": float(np.abs(errors).max()),
        "here_s": here_s,
        "simgrid_s": answer["wall_s"],
    }


def laid_out(case: Case) -> tuple[Any, Any]:
    """A fat tree of one card per host, and messages over it: no pair twice, none within a host."""
    import numpy as np

    from myriad.estimate.fabric.damage import damaged
    from myriad.estimate.fabric.fat_tree import fat_tree
    from myriad.sim.network.flows import Flows
    from myriad.spec.fabric import Damage, FatTree, LinkFault
    from myriad.spec.fabric_parts import Switch

    ports = {16: 8, 54: 6, 512: 32, 1024: 16}[case.hosts]
    switch = Switch(name="any", vendor="any", technology="any", ports=ports, port_bandwidth=50e9)
    network = fat_tree(FatTree(switch="any"), case.hosts, 1, 50e9, {"any": switch})
    faults = [LinkFault(share=case.broken)] if case.broken else []
    faults += [LinkFault(share=case.slow, bandwidth_left=0.3)] if case.slow else []
    network = damaged(network, Damage(links=tuple(faults), seed=2))
    generator = np.random.default_rng(len(case.name))
    all_ = np.arange(case.hosts)
    if case.traffic == "permutation":
        pairs = np.stack([all_, generator.permutation(case.hosts)], axis=1)
    elif case.traffic == "incast":
        pairs = np.stack([all_, all_ % 3], axis=1)
    elif case.traffic == "random":
        pairs = generator.integers(0, case.hosts, (2 * case.hosts, 2))
    else:
        pairs = np.stack([np.repeat(all_, case.hosts), np.tile(all_, case.hosts)], axis=1)
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    number = len(pairs)
    return network, Flows(pairs[:, 0], pairs[:, 1], generator.uniform(1e8, 1e9, number), np.ones(number, int))


def with_simgrid(question: dict[str, Any]) -> dict[str, Any]:
    """When each flow ends there, and how long its `run` takes."""
    from simgrid import Actor, Comm, Engine, Host, LinkInRoute, NetZone

    engine = Engine(
        ["benchmark", "--log=root.thresh:error", "--cfg=network/model:CM02"]
        + [
            f"--cfg=network/{key}"
            for key in ("TCP-gamma:0", "crosstraffic:0", "bandwidth-factor:1", "latency-factor:1", "weight-S:0")
        ]
        + ["--cfg=maxmin/precision:1e-9", "--cfg=surf/precision:1e-12"]
    )
    zone = NetZone.create_full_zone("all")
    vertices = sorted({end for flow in question["flows"] for end in flow[:2]})
    hosts = {vertex: zone.create_host(f"h{vertex}", 1e9).seal() for vertex in vertices}
    links = []
    for number, capacity in enumerate(question["capacity"]):
        links.append(zone.create_link(f"l{number}", capacity).set_latency(0).seal())
    for source, target, _, path in question["flows"]:
        route = [LinkInRoute(links[link]) for link in path]
        zone.add_route(hosts[source].netpoint, hosts[target].netpoint, None, None, route, False)
    zone.seal()
    end_s: list[float] = []

    def all_flows() -> None:
        comms = [
            Comm.sendto_async(hosts[source], hosts[target], int(size)) for source, target, size, _ in question["flows"]
        ]
        Comm.wait_all(comms)
        end_s.extend(comm.finish_time for comm in comms)

    Actor.create("all", Host.by_name(f"h{vertices[0]}"), all_flows)
    begin_s = time.perf_counter()
    engine.run()
    return {"end_s": end_s, "wall_s": time.perf_counter() - begin_s}


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
