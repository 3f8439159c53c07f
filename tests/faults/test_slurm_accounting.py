"""What accounting (slurmdbd) still tells of jobs that the controller has forgotten: how each really ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from myriad.run.described import RunFolder, Submission
from myriad.run.on_slurm import SCRIPT, SlurmBackend
from slurm_accounting import missing_accounting
from slurm_cluster import SlurmCluster, slurm_cluster, until
from small_runs import ended

PATIENCE_S = 120


@pytest.fixture(scope="module")
def slurm() -> Iterator[SlurmCluster]:
    if missing := missing_accounting():
        pytest.skip(missing)
    with slurm_cluster(nodes=3, accounted=True) as cluster:
        yield cluster


def test_accounting_tells_how_forgotten_jobs_ended(slurm: SlurmCluster, tmp_path: Path):
    jobs = {
        "well": ("exit 0", ""),
        "badly": ("exit 7", ""),
        "killed": ("kill -9 $$", ""),
        "cancelled": ("sleep 300", ""),
        "late": ("sleep 300", ""),
        "again": ("[ -e again ] || exec sleep 300", ""),
        "lost": ("sleep 300", "--nodelist=n1 --no-requeue"),
    }
    runs: dict[str, tuple[SlurmBackend, Submission, str]] = {}
    for name, (body, options) in jobs.items():
        folder = RunFolder(tmp_path / f"run {name}")
        folder.files.mkdir(parents=True)
        (folder.files / SCRIPT).write_text(f"#!/bin/bash\n#SBATCH {options}\ntouch began\n{body}\n", "utf-8")
        backend, submission = SlurmBackend(folder, slurm.environment), Submission(f"run-{name}", 0, folder, {})
        runs[name] = backend, submission, backend.submit(submission)

    def runs_now(name: str) -> bool:
        backend, submission, handle = runs[name]
        return backend.look(handle).state == "running" and (submission.folder.path / "began").exists()

    for name in ("cancelled", "late", "again", "lost"):
        until(lambda name=name: runs_now(name), PATIENCE_S, f"{name} to run")
    slurm.run("scancel", runs["cancelled"][2])
    slurm.run("scontrol", "update", f"jobid={runs['late'][2]}", "endtime=now")
    (runs["again"][1].folder.path / "again").touch()
    assert runs["again"][0].restart(runs["again"][2])
    slurm.kill_node("n1")
    before = {name: ended(backend, handle, PATIENCE_S)[0] for name, (backend, _, handle) in runs.items()}
    slurm.stop_controller()
    slurm.start_controller("-c")

    told = {name: backend.look(handle) for name, (backend, _, handle) in runs.items()}
    assert {name: (one.reason, one.exit_code, one.restarts) for name, one in told.items()} == {
        "well": ("COMPLETED", 0, 0),
        "badly": ("FAILED", 7, 0),
        "killed": ("FAILED", -9, 0),
        "cancelled": ("CANCELLED", None, 0),
        "late": ("TIMEOUT", None, 0),
        "again": ("COMPLETED", 0, 1),
        "lost": ("NODE_FAIL", None, 0),
    }
    assert {one.state for one in told.values()} == {"ended"}
    assert {name: one.nodes for name, one in told.items()} == {name: one.nodes for name, one in before.items()}
    assert {name: one.failed_nodes for name, one in told.items() if one.failed_nodes} == {"lost": ("n1",)}
    for backend, submission, handle in runs.values():
        assert backend.find(submission) == handle
