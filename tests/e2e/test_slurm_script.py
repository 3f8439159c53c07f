"""The batch script on a real Slurm: ranks along switches, nodes that fail their check, a spare that takes over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from myriad.launch.training.schedulers import scheduler_files, slurm_script
from scheduled import flagship
from slurm_cluster import SlurmCluster, slurm_cluster, until
from slurm_fabric import switch_tree

CABLED = ["n1", "n4", "n7", "n0", "n3", "n6", "n2", "n5"]
"""Nodes in the order of their cables: three under a leaf, three, two."""
SMALL: dict[str, Any] = {
    "layout": {"tp": 2, "pp": 3, "dp": 2}, "gpus_per_node": 2, "nodes": 6, "nodes_per_group": (3,), "device": "cpu",
}  # fmt: skip
SAYS = 'echo "$NODE_RANK/$NNODES $SLURMD_NODENAME $MASTER_ADDR $SLURM_RESTART_COUNT" >>placed.txt\n'


@pytest.fixture(scope="module")
def slurm() -> Iterator[SlurmCluster]:
    with slurm_cluster(nodes=8, gpus_per_node=2, topology=switch_tree(CABLED, [3])) as cluster:
        yield cluster


def submitted(slurm: SlurmCluster, name: str, start: str, health: str = "exit 0\n", **more: Any) -> tuple[Path, str]:
    """The folder of a run, and the job: the rendered script with a payload and a check of nodes in its place."""
    folder = slurm.folder / name
    (folder / "files").mkdir(parents=True)
    batch, _ = scheduler_files(flagship({"kind": "slurm"}, **SMALL | more))
    for path, text in ((batch.path, batch.text), ("start.sh", start), ("health.sh", health)):
        (folder / "files" / path).write_text(text, "utf-8")
    script = str(folder / "files" / "job.sbatch")
    return folder, slurm.run("sbatch", "--parsable", f"--chdir={folder}", "--output=job.log", script)


def ended(folder: Path, job: str, timeout_s: float) -> str:
    """What the job wrote of its end."""
    file = folder / "logs" / f"exit-{job}"
    until(file.exists, timeout_s, f"the end of job {job}")
    return file.read_text("utf-8").strip()


def placed(folder: Path) -> list[str]:
    return sorted((folder / "placed.txt").read_text("utf-8").splitlines())


def test_ranks_follow_the_switches_and_pass_over_a_node_that_fails_its_check(slurm: SlurmCluster) -> None:
    folder, job = submitted(
        slurm, "order", f"cd $MYRIAD_RUN_FOLDER; {SAYS}", '[ $SLURMD_NODENAME != n0 ] || { echo no card; exit 1; }\n',
        spare_nodes=2,
    )  # fmt: skip
    assert ended(folder, job, 60) == "0", (folder / "job.log").read_text()
    # Data parallel groups lie on two nodes: whole pairs under a leaf first, then what is left over.
    nodes = [line.split()[1] for line in placed(folder)]
    leaf = {node: place // 3 for place, node in enumerate(CABLED)}
    pairs = [{leaf[node] for node in nodes[first : first + 2]} for first in (0, 2, 4)]
    assert all(len(pair) == 1 for pair in pairs), nodes
    assert "n0" not in nodes
    assert (folder / "unhealthy.txt").read_text() == "0 n0 no card\n"


def test_a_node_that_gives_no_answer_is_left_out_and_noted(
    slurm: SlurmCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm_script, "CHECK_LIMIT_S", 6)
    hangs = "[ $SLURMD_NODENAME != n5 ] || exec sleep 120\n"
    folder, job = submitted(slurm, "silent", f"cd $MYRIAD_RUN_FOLDER; {SAYS}", hangs, spare_nodes=2)
    assert ended(folder, job, 90) == "0", (folder / "job.log").read_text()
    assert (folder / "unhealthy.txt").read_text() == "0 n5 it gave no answer within 6 s\n"
    assert "n5" not in {line.split()[1] for line in placed(folder)}


def test_too_few_healthy_nodes_start_nothing(slurm: SlurmCluster) -> None:
    folder, job = submitted(slurm, "few", SAYS, "[ $SLURMD_NODENAME != n3 ]\n", nodes=8, layout={"tp": 2, "dp": 8})
    assert ended(folder, job, 60) == "75"
    assert "only 7 nodes passed their check, 8 are needed" in (folder / "job.log").read_text()
    assert not (folder / "placed.txt").exists()


def test_a_spare_takes_over_from_a_node_that_breaks(slurm: SlurmCluster) -> None:
    # Ranks of the first life wait for each other, as in training; those of the second end at once.
    start = f"cd $MYRIAD_RUN_FOLDER; mkdir -p events/000.00$SLURM_RESTART_COUNT\n{SAYS}" + (
        '[ "$SLURM_RESTART_COUNT" != 0 ] || exec sleep 120\n'
    )
    folder, job = submitted(slurm, "spare", start, spare_nodes=2)
    until(lambda: (folder / "placed.txt").exists() and len(placed(folder)) == 6, 60, "all nodes to start")
    first = {line.split()[1] for line in placed(folder)}
    victim = next(line.split()[1] for line in placed(folder) if line.startswith("5/"))
    began = time.monotonic()
    slurm.kill_node(victim)
    try:
        assert ended(folder, job, 90) == "0", (folder / "job.log").read_text()
        assert time.monotonic() - began < 90
        second = {line.split()[1] for line in placed(folder) if line.endswith(" 1")}
        assert len(second) == 6
        assert victim in first - second
        assert f"lost {victim}; spares take over" in (folder / "job.log").read_text()
    finally:
        slurm.start_node(victim)
