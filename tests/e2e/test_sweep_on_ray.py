"""A sweep on a Ray cluster of two workers, one of which is killed on the way: no row is lost or counted twice."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ray_cluster import cluster as cluster
from sweep_fixtures import SMALL_GRID, wait_for_rows

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

if "CI" not in os.environ:  # there it is in the lock, and must be
    pytest.importorskip("ray", reason="the package ray is not installed (pip install 'myriad-ai[ray]')")


def test_a_killed_worker_loses_no_row(cluster: Cluster) -> None:
    Path("grid.yaml").write_text(SMALL_GRID.replace("[8, 12, 16]", "8..96 +8"), "utf-8")
    journal = Path("rows.csv.journal")
    command = ("sweep", "grid.yaml", "--out", "rows.csv", "--json", "-", "--engine", "ray", "--address")
    sweep = subprocess.Popen(
        [sys.executable, "-m", "myriad", *command, cluster.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_rows(journal, 4)
    before = journal.read_bytes().count(b"\n") - 1
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    printed, said = sweep.communicate(timeout=60)
    assert sweep.returncode == 0, said
    assert before < 24, "the worker was killed after the work"

    keys = [json.loads(line)["key"] for line in journal.read_text("utf-8").splitlines()[1:]]
    assert len(keys) == len(set(keys)) == 24
    with Path("rows.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 48
    assert {row["status"] for row in rows} == {"ok"}
    assert printed.startswith("{"), printed[:2000]
    assert len(json.loads(printed)["rows"]) == 48, "Ray's own words must not mix with the result"
    assert len(cluster.list_all_nodes()) == 2
