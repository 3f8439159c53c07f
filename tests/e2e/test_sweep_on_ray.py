"""A sweep on a Ray cluster of two workers, one of which is killed on the way: no row is lost or counted twice."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ray_cluster import cluster as cluster
from sweep_fixtures import PATIENCE_S, SMALL_GRID, sweeping, wait_for_rows

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

if "CI" not in os.environ:  # there it is in the lock, and must be
    pytest.importorskip("ray", reason="the package ray is not installed (pip install 'myriad-ai[ray]')")


def test_a_killed_worker_loses_no_row(cluster: Cluster) -> None:
    Path("grid.yaml").write_text(SMALL_GRID.replace("[8, 12, 16]", "8..96 +8"), "utf-8")
    journal = Path("rows.csv.journal")
    command = ("grid.yaml", "--out", "rows.csv", "--json", "-", "--engine", "ray", "--address", cluster.address)
    with sweeping(*command) as sweep:
        wait_for_rows(sweep, journal, 4)
        before = journal.read_bytes().count(b"\n") - 1
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        printed, said = sweep.communicate(timeout=PATIENCE_S)
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
