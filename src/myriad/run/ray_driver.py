"""What a Ray job runs: `start.sh` on every node, again on other nodes when one is lost. Needs Ray, and not Myriad.

One placement group holds a bundle on each node; an actor in each runs the node's part, through `ray_keeper.py`. When
an actor or its node dies, all are stopped; as soon as nothing of them runs, a new life begins on nodes that are left.
What it is doing stands in `logs/SSS.ray.json`, which outlives Ray.

Both are copied into the folder of the run and started from there, so that the cluster needs no package beside Ray.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import ray
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

MOST_LIVES = 100
"""Of one submission: nodes that are lost so often are somebody's business."""
NOTICE_S = 45.0
"""From the failure of a rank until Ray is sure that a node is gone; later, the failure was the software's own."""
LEASE_S = 15.0
"""A node whose lease was not touched for so long is dead, with all that ran there."""
CHECK_S = 300.0
"""For nodes to check themselves; one that does not answer until then counts as broken."""
ACTOR_START_S = 120.0


class LostError(Exception):
    """An actor or its node is gone."""


class Node:
    """One node's part."""

    def where(self) -> tuple[str, str]:
        """Id of the node, and the address under which others reach it."""
        return ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address()

    def free_port(self) -> int:
        with socket.socket() as one:
            one.bind(("", 0))
            return int(one.getsockname()[1])

    def check(self, script: str) -> str:
        """What is wrong with this node; empty if nothing is."""
        done = subprocess.run(["sh", script], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return (done.stdout.strip().splitlines() or [f"exit code {done.returncode}"])[-1] if done.returncode else ""

    def run(self, keeper: str, lease: str, command: list[str], environment: dict[str, str], log: str) -> int:
        """Exit code of the command; negative is a signal. When this actor is killed, the command ends."""
        with open(log, "ab") as out:  # noqa: PTH123
            kept = subprocess.Popen(
                [sys.executable, keeper, lease, *command],
                env=os.environ | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
            )
        assert kept.stdout is not None
        told = kept.stdout.read()
        kept.wait()
        return int(told) if told else -signal.SIGKILL


class Status:
    """`logs/SSS.ray.json`, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, Any] = {}

    def write(self, **values: Any) -> None:
        self.values |= values
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.values), "utf-8")
        new.replace(self.path)

    def lost(self, nodes: list[str]) -> None:
        """Nodes that are gone, with which this life ends."""
        self.write(failed_nodes=nodes, failed_life=self.values.get("life", 0))


def main() -> int:
    """Exit code of the run."""
    folder = Path(os.environ["MYRIAD_RUN_FOLDER"])
    number = int(os.environ["MYRIAD_SUBMISSION"])
    launch = json.loads((folder / "launch.json").read_text("utf-8"))
    excluded = {name for name in os.environ.get("MYRIAD_EXCLUDED_NODES", "").split(",") if name}
    status = Status(folder / "logs" / f"{number:03d}.ray.json")
    ray.init(address="auto", log_to_driver=False)
    _await_ends(folder, status)
    for life in range(MOST_LIVES):
        try:
            code = one_life(folder, number, launch, life, excluded, status)
        except LostError as error:
            _say(f"life {life}: {error}; starting again")
            status.write(state="queued", nodes=[], reason=str(error))
            continue
        status.write(state="ended", exit_code=code)
        return code
    _say(f"nodes were lost {MOST_LIVES} times")
    status.write(state="ended", exit_code=1)
    return 1


def one_life(folder: Path, number: int, launch: dict[str, Any], life: int, excluded: set[str], status: Status) -> int:
    """Exit code of the first node that failed, else 0. Raises LostError when a node or an actor is gone."""
    count = int(launch["nodes"])
    bundle = _bundle(launch)
    group = _reserve(count, bundle, excluded, status, life)
    actors: list[Any] = []
    try:
        try:
            actors = [_actor(group, i, bundle) for i in range(count)]
            places = ray.get([actor.where.remote() for actor in actors], timeout=ACTOR_START_S)
            port = ray.get(actors[0].free_port.remote(), timeout=ACTOR_START_S)
            names = _names([node for node, _ in places])
            _check(actors, list(names.values()), folder, number, excluded)
        except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError) as error:
            raise LostError(f"a node did not start: {_line(error)}") from None
        status.write(state="running", life=life, nodes=list(names.values()), reason="")
        _say(f"life {life} on {', '.join(names.values())}")
        restarts = _restarts_before(folder, number)
        keeper = str(folder / "files" / "ray_keeper.py")
        running = {}
        for rank, actor in enumerate(actors):
            environment = {
                "NODE_RANK": str(rank),
                "NNODES": str(count),
                "MASTER_ADDR": places[0][1],
                "MASTER_PORT": str(port),
                # Of the name that ranks count their lives by, whichever scheduler started them again.
                "SLURM_RESTART_COUNT": str(restarts),
            }
            log = folder / "logs" / (f"{number:03d}.log" if rank == 0 else f"{number:03d}-{rank:05d}.log")
            lease = _leases(folder) / f"{number:03d}.{life:03d}-{rank:05d}"
            lease.touch()  # held from before anything can run
            command = ["sh", str(folder / "files" / "start.sh")]
            running[actor.run.remote(keeper, str(lease), command, environment, str(log))] = rank
        return _wait(running, names, status)
    finally:
        for actor in actors:
            ray.kill(actor)
        _await_ends(folder, status)
        remove_placement_group(group)


def _check(actors: list[Any], names: list[str], folder: Path, number: int, excluded: set[str]) -> None:
    """Lets nodes check themselves; raises LostError where some fail, which are noted and left out from then on."""
    checks = [actor.check.remote(str(folder / "files" / "health.sh")) for actor in actors]
    answered, _ = ray.wait(checks, num_returns=len(checks), timeout=CHECK_S)
    silent = f"it gave no answer within {CHECK_S:.0f} s"
    found = {name: ray.get(one) if one in answered else silent for name, one in zip(names, checks, strict=True)}
    bad = {name: why for name, why in found.items() if why}
    if bad:
        with (folder / "unhealthy.txt").open("a", encoding="utf-8") as file:
            file.writelines(f"{number} {name} {why}\n" for name, why in bad.items())
        excluded |= set(bad)
        raise LostError(f"{', '.join(bad)} failed the check")


def _wait(running: dict[Any, int], names: dict[str, str], status: Status) -> int:
    """Until all have ended well, or one has not. `names` are those of the nodes by id."""
    failed: tuple[int, int] | None = None
    """Rank of the node that failed first, and its exit code."""
    end = float("inf")
    while running and time.monotonic() < end:
        done, _ = ray.wait(list(running), num_returns=1, timeout=2.0)
        for reference in done:
            rank = running.pop(reference)
            try:
                code = ray.get(reference)
            except ray.exceptions.RayActorError as error:
                status.lost([names[node] for node in _await_verdict(list(names))])
                raise LostError(f"the actor of node {rank} is gone: {_line(error)}") from None
            if code and failed is None:
                failed = rank, code
                end = time.monotonic() + NOTICE_S
        if lost := [names[node] for node in _dead(list(names))]:
            status.lost(lost)
            raise LostError(f"{', '.join(lost)} is gone")
    if failed is None:
        return 0
    _say(f"node {failed[0]} ended with exit code {failed[1]}")
    return failed[1]


def _await_verdict(nodes: list[str]) -> list[str]:
    """Nodes that are gone, when Ray is sure; none if only a process was lost."""
    end = time.monotonic() + NOTICE_S / 3
    while time.monotonic() < end:
        if lost := _dead(nodes):
            return lost
        time.sleep(0.5)
    return []


def _dead(nodes: list[str]) -> list[str]:
    alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
    return [node for node in nodes if node not in alive]


def _reserve(count: int, bundle: dict[str, float], excluded: set[str], status: Status, life: int) -> Any:
    """A bundle on each of `count` nodes, as soon as there are so many."""
    waiting = False
    while True:
        selectors = _selectors(count, excluded)
        group = placement_group([bundle] * count, strategy="STRICT_SPREAD", **selectors)
        if group.wait(timeout_seconds=10 if waiting else 3):
            return group
        # Made anew each time, for it is bound to the names of nodes that were there.
        remove_placement_group(group)
        waiting = True
        needs = " ".join(f"{amount:g} {name}" for name, amount in bundle.items())
        without = f", not {', '.join(sorted(excluded))}" if excluded else ""
        reason = f"waits for {count} nodes with {needs} free{without}"
        status.write(state="queued", life=life, nodes=[], reason=reason)


def _selectors(count: int, excluded: set[str]) -> dict[str, Any]:
    alive = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    banned = [node for node, name in _names(alive).items() if name in excluded]
    if not banned:
        return {}
    return {"bundle_label_selector": [{"ray.io/node-id": f"!in({','.join(banned)})"}] * count}


def _bundle(launch: dict[str, Any]) -> dict[str, float]:
    """What one node's ranks need. Where nodes offer no accelerators, each rank is a core."""
    resource = launch.get("scheduler", {}).get("resource", "GPU")
    return {resource or "CPU": float(launch["gpus_per_node"])}


def _actor(group: Any, index: int, bundle: dict[str, float]) -> Any:
    """It takes the whole bundle: Ray then shows its children the accelerators that are theirs, and only these."""
    ((resource, amount),) = bundle.items()
    known = {"CPU": "num_cpus", "GPU": "num_gpus"}.get(resource)
    takes: dict[str, Any] = {"num_cpus": 0} | ({known: amount} if known else {"resources": bundle})
    place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=index)
    return ray.remote(max_restarts=0, scheduling_strategy=place, **takes)(Node).remote()


def _names(nodes: list[str]) -> dict[str, str]:
    """What people call each: the name of its host, with a part of its id where one host has several."""
    hosts = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
    alone = {host for host in hosts.values() if list(hosts.values()).count(host) == 1}
    return {
        node: hosts[node] if hosts.get(node) in alone else f"{hosts.get(node, 'gone')}/{node[:8]}" for node in nodes
    }


def _restarts_before(folder: Path, number: int) -> int:
    """A number of this life that none before had: torchrun counts on within each."""
    lives = [path.name for path in (folder / "events").glob(f"{number:03d}.*")]
    return 1 + max((int(name.split(".")[1]) for name in lives), default=-1)


def _await_ends(folder: Path, status: Status) -> None:
    """Until nothing of this run runs on any node: two lives at once would write into the same folder.

    A node that is cut off from Ray may run on for a while, and renews its lease as long as it does.
    """
    now = _leases(folder) / "now"
    while True:
        now.touch()
        latest_s = now.stat().st_mtime - LEASE_S  # of the clock that leases go by
        held = [path for path in now.parent.iterdir() if path != now and _touched_s(path) > latest_s]
        if not held:
            return
        status.write(state="queued", nodes=[], reason=f"nodes whose ranks have not ended yet: {len(held)}")
        time.sleep(0.5)


def _leases(folder: Path) -> Path:
    made = folder / "leases"
    made.mkdir(exist_ok=True)
    return made


def _touched_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _say(text: str) -> None:
    print(f"ray_driver: {text}", flush=True)  # noqa: T201


def _on_sigterm(_signal: int, _frame: object) -> None:
    """Ray stops a job with SIGTERM: the actors are told before this process is gone."""
    raise SystemExit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _on_sigterm)
    sys.exit(main())
