"""`start.sh` as a process: what a node does when another takes its part."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from myriad.run.described import RunFolder
from slurm_cluster import until
from small_runs import events, last_step, run_folder, small_launch

pytest.importorskip("torch", reason="needs the extra `train`")
PATIENCE_S = 120


def start(folder: RunFolder, restarts: int) -> subprocess.Popen[bytes]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    environment = os.environ | {
        "NODE_RANK": "0",
        "NNODES": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "MYRIAD_SUBMISSION": "0",
        "MYRIAD_RUN_FOLDER": str(folder.path),
        "SLURM_RESTART_COUNT": str(restarts),
    }
    with (folder.logs / f"{restarts}.log").open("wb") as log:
        return subprocess.Popen(["sh", str(folder.files / "start.sh")], env=environment, stdout=log, stderr=log)


def steps(folder: RunFolder) -> dict[str, int]:
    """The last of each life."""
    return {life: event["step"] for life, event in events(folder, "step")}


def test_a_node_that_was_given_up_gives_way_to_its_successor(tmp_path: Path):
    folder = run_folder(tmp_path, small_launch({"kind": "slurm"}, nodes=1, ranks_per_node=2, steps=10**6))
    first = start(folder, 0)
    until(lambda: last_step(folder) > 0, PATIENCE_S, "a step")
    second = start(folder, 1)
    try:
        assert first.wait(timeout=PATIENCE_S) != 0
        until(lambda: len(steps(folder)) == 2, PATIENCE_S, "a second life")
        then = steps(folder)
        until(lambda: steps(folder)["000.001"] > then["000.001"] + 20, PATIENCE_S, "more steps of the second")
        assert steps(folder)["000.000"] == then["000.000"]
    finally:
        for one in (first, second):
            one.send_signal(signal.SIGTERM)
            one.wait(timeout=PATIENCE_S)
    assert (folder.path / "logs" / "taken-over.txt").read_text().count("runs node 0 now") == 1
