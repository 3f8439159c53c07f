"""A simulation on a Ray cluster of two workers says what it says on this machine, to the last bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ray_cluster import cluster as cluster
from simulated_system import BREAKING

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

if "CI" not in os.environ:  # there it is in the lock, and must be
    pytest.importorskip("ray", reason="the package ray is not installed (pip install 'myriad-ai[ray]')")


def simulated(*options: str) -> dict[str, Any]:
    """The answer of a process of its own, without what differs from call to call."""
    command = [
        sys.executable,
        "-m",
        "myriad",
        "simulate",
        "system.yaml",
        "--plan",
        "plan.json",
        "--runs",
        "6",
        *options,
    ]
    done = subprocess.run([*command, "--json", "-"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found.pop("simulate_s") > 0
    return found


def test_ray_two_workers_and_one_core_agree(cluster: Cluster, myriad: Any) -> None:
    Path("system.yaml").write_text(BREAKING, "utf-8")
    assert myriad("plan", "system.yaml", "--quiet", "--json", "plan.json").code == 0
    here = simulated("--workers", "1")
    assert len(here["campaigns"][0]["improvements"]) > 10
    assert simulated("--engine", "ray", "--address", cluster.address) == here
    assert simulated("--workers", "2") == here
