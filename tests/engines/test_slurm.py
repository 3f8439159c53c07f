"""Ten thousand accelerators on a real Slurm: 1,250 emulated nodes on the plan's fabric take the flagship's jobs.

Needs Debian's Slurm, root, about 10 GB and some minutes, so that only `make engines` runs it, or MYRIAD_SLURM_NODES,
which may be fewer; `-s` shows the figures.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from myriad import api, catalog
from myriad.launch.training.schedulers import scheduler_files
from myriad.launch.training.schedulers.health import CHECK_LIMIT_S
from myriad.spec.layout import Layout
from myriad.spec.system import System
from myriad.spec.training_launch import TrainingLaunch
from slurm_cluster import SlurmCluster, slurm_cluster
from slurm_fabric import groups_under_one_leaf, leaf_of_each, scattered, switch_tree

EXAMPLE = Path(__file__).parents[2] / "examples" / "human-car-home.yaml"
NODES = int(os.environ.get("MYRIAD_SLURM_NODES", "1250"))
pytestmark = pytest.mark.skipif(
    not {"MYRIAD_ENGINES", "MYRIAD_SLURM_NODES"} & set(os.environ), reason="needs 10 GB and minutes: make engines"
)
LEAF, POD = 32, 128
"""Nodes under a leaf and a pod of the example's own cluster."""
LIMIT_S = 900.0
MORE = (
    "MessageTimeout=900",
    "TCPTimeout=300",
    "SlurmdTimeout=3600",
    "SlurmctldTimeout=300",
    "TreeWidth=12",
    "LaunchParameters=send_gids",
    "SchedulerParameters=max_switch_wait=60,bf_interval=5,sched_interval=5",
)
PAYLOAD = '#!/bin/sh\necho "$NODE_RANK $SLURMD_NODENAME $MASTER_ADDR $NNODES" >>"$MYRIAD_RUN_FOLDER/placed.txt"\n'


@pytest.fixture(scope="module")
def slurm() -> Iterator[SlurmCluster]:
    tree = switch_tree([f"n{node}" for node in scattered(NODES)], [LEAF, POD])
    began = time.monotonic()
    with slurm_cluster(
        nodes=NODES, gpus_per_node=8, topology=tree, more=MORE, requeue_delay_s=600, timeout_s=LIMIT_S
    ) as cluster:
        print(f"\n{NODES} nodes of 8 are idle after {time.monotonic() - began:.0f} s")  # noqa: T201
        yield cluster


def flagship(layout: Layout, global_batch: int) -> TrainingLaunch:
    """The example's flagship on its own cluster alone, in a layout."""
    read = catalog.read_spec(EXAMPLE, System)
    update = {"pools": ("own",), "layout": layout, "global_batch": global_batch, "deadline": None}
    job = read.jobs["flagship-pretrain"].model_copy(update=update)
    own = read.pools["own"].model_copy(update={"spares": 0, "reliability": None})
    system = read.model_copy(update={"services": {}, "pools": {"own": own}, "jobs": {"flagship-pretrain": job}})
    return api.training_launch(system, on="slurm")


def as_planned() -> TrainingLaunch:
    """What the example's plan says: 25 stages, each of which fills a leaf; as many as there are leaves, if fewer."""
    launch = flagship(Layout(sp=False, pp=25, cp=2, ep=16, dp=128), 16384)
    stages = min(25, NODES // LEAF)
    layout = launch.layout.model_copy(update={"pp": stages})
    return launch.model_copy(update={"layout": layout, "nodes": stages * LEAF})


def test_a_job_lies_where_its_plan_counts_on_it(slurm: SlurmCluster) -> None:
    launch = as_planned()
    assert launch.nodes_per_group == (LEAF, POD)
    found = run(slurm, launch)
    assert found.leaves == launch.nodes // LEAF
    # Experts, context and data parallel groups of a stage meet under one leaf, all of them.
    for name in ("context", "expert", "data", "expert data"):
        whole, of = found.groups[name]
        assert whole == of, name


@pytest.mark.skipif(NODES < 1250, reason="needs all nodes")
def test_ten_thousand_accelerators_take_every_node(slurm: SlurmCluster) -> None:
    launch = flagship(Layout(sp=False, pp=25, cp=2, ep=16, dp=200), 16000)
    assert launch.world_size == 10_000
    found = run(slurm, launch)
    assert found.leaves == 40
    for name in ("context", "expert"):
        whole, of = found.groups[name]
        assert whole == of, name


class Placed:
    """Where the ranks of a job lay."""

    def __init__(self, launch: TrainingLaunch, lines: list[str]) -> None:
        rows = [line.split() for line in lines]
        assert sorted(int(row[0]) for row in rows) == list(range(launch.nodes))
        assert len({row[1] for row in rows}) == launch.nodes
        assert {(row[2], row[3]) for row in rows} == {("127.0.0.1", str(launch.nodes))}
        leaf_of = leaf_of_each(scattered(NODES), LEAF)
        node_leaf = np.zeros(launch.nodes, dtype=np.int64)
        for row in rows:
            node_leaf[int(row[0])] = leaf_of[int(row[1][1:])]
        self.leaves = len(np.unique(node_leaf))
        self.groups = groups_under_one_leaf(launch.layout, np.repeat(node_leaf, launch.gpus_per_node))


def run(slurm: SlurmCluster, launch: TrainingLaunch) -> Placed:
    """Submits the rendered script, with a payload that says where it is, and waits for its end."""
    folder = slurm.folder / f"run-{launch.nodes}"
    files = folder / "files"
    files.mkdir(parents=True)
    for one in scheduler_files(launch):
        # On one machine nodes start one after the other, the last maybe minutes after the first has ended.
        text = one.text.replace(f" {CHECK_LIMIT_S} srun ", " 900 srun ").replace(" --wait=60", " --wait=0")
        (files / one.path).write_text(text, "utf-8")
    # Emulated nodes have no accelerators that tools could list.
    (files / "health.sh").write_text("exit 0\n", "utf-8")
    (files / "start.sh").write_text(PAYLOAD, "utf-8")
    command = ["sbatch", "--parsable", f"--chdir={folder}", "--output=job.log", str(files / "job.sbatch")]
    done = subprocess.run(command, env=os.environ | slurm.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    began, started = time.monotonic(), None
    while not list(folder.glob("logs/exit-*")):
        waited = time.monotonic() - began
        log = folder / "job.log"
        assert waited < LIMIT_S, log.read_text() if log.exists() else slurm.run("squeue")
        if started is None and log.exists():
            started = waited
        time.sleep(1)
    seconds = time.monotonic() - began
    (ended,) = folder.glob("logs/exit-*")
    assert ended.read_text() == "0\n", (folder / "job.log").read_text()
    found = Placed(launch, (folder / "placed.txt").read_text().splitlines())
    print(  # noqa: T201
        f"{launch.world_size:,} ranks, {launch.layout.text()}: on {launch.nodes} nodes under {found.leaves} leaves, "
        f"begun after {started or seconds:.0f} s, all nodes checked, placed and ended after {seconds:.0f} s; "
        + ", ".join(f"{name} {whole:,} of {of:,}" for name, (whole, of) in found.groups.items())
        + " groups under one leaf"
    )
    return found
