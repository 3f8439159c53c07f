"""A job of the reference trainer on a Ray cluster: a raylet dies in the middle, and the run ends as if none had."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from myriad.run.health import unhealthy_nodes
from myriad.run.on_ray import RayBackend
from ray_jobs import RayWithJobs, ray_with_jobs
from slurm_cluster import until
from small_runs import check_recovery, ended, events, last_step, run_folder, run_here, small_launch, submission

STEPS = 300  # on fast machines too longer than it takes to kill a node
PATIENCE_S = 300  # of a machine that is busy with other things


# Ray's own processes, where it did not start in its time and was started again.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayWithJobs]:
    with ray_with_jobs(workers=4, gpus=2) as started:
        yield started


def test_ranks_see_the_accelerators_of_their_bundle_on_nodes_that_passed_their_check(
    cluster: RayWithJobs, tmp_path: Path
):
    folder = run_folder(tmp_path, small_launch({"kind": "ray", "resource": "GPU"}))
    # The first to check itself is broken.
    (folder.files / "health.sh").write_text(f"mkdir {tmp_path}/first 2>/dev/null || exit 0; echo no card; exit 1\n")
    (folder.files / "start.sh").write_text('echo "rank $NODE_RANK of $NNODES sees $CUDA_VISIBLE_DEVICES"\n')
    backend = RayBackend(folder, cluster.address, sys.executable)
    last, _ = ended(backend, backend.submit(submission(folder)), PATIENCE_S)
    assert (last.exit_code, len(last.nodes)) == (0, 2)
    logs = [(folder.logs / name).read_text() for name in ("000.log", "000-00001.log")]
    assert logs == ["rank 0 of 2 sees 0\n", "rank 1 of 2 sees 0\n"]
    ((number, node),) = unhealthy_nodes(folder.path)
    assert (number, unhealthy_nodes(folder.path)[number, node]) == (0, "no card")
    assert node not in last.nodes


# Ranks that are all on one node could train on without the others.
@pytest.mark.parametrize("nodes", [1, 2])
def test_a_killed_raylet_is_replaced_and_the_run_ends_as_if_it_had_lived(
    cluster: RayWithJobs, tmp_path: Path, nodes: int
):
    shape = {"nodes": nodes, "ranks_per_node": 2 // nodes}
    launch = small_launch({"kind": "ray", "resource": "GPU"}, **shape, steps=STEPS, interval_s=0.5)
    disturbed, undisturbed = (run_folder(tmp_path / name, launch) for name in ("disturbed", "undisturbed"))
    backend = RayBackend(disturbed, cluster.address, sys.executable)
    handle = backend.submit(submission(disturbed))
    until(lambda: len(events(disturbed, "checkpoint")) >= 2, PATIENCE_S, "two checkpoints")
    lost = backend.look(handle).nodes[-1]
    cluster.kill_node(lost)
    assert last_step(disturbed) < STEPS, "the node died in the middle"
    last, _ = ended(backend, handle, PATIENCE_S)

    assert (last.exit_code, last.reason, last.restarts) == (0, "SUCCEEDED", 1)
    assert last.failed_nodes == (lost,)
    assert lost not in last.nodes

    run_here(undisturbed, PATIENCE_S)
    assert 0 <= check_recovery(disturbed, undisturbed, STEPS) < STEPS


def test_ranks_of_a_cancelled_run_save_and_end(cluster: RayWithJobs, tmp_path: Path):
    launch = small_launch({"kind": "ray", "resource": "GPU"}, nodes=1, ranks_per_node=2, steps=100_000, interval_s=600)
    folder = run_folder(tmp_path, launch)
    backend = RayBackend(folder, cluster.address, sys.executable)
    handle = backend.submit(submission(folder))
    until(lambda: last_step(folder) >= 5, PATIENCE_S, "five steps")
    backend.cancel(handle)
    last, _ = ended(backend, handle, PATIENCE_S)
    assert last.reason == "STOPPED"
    leases = folder.path / "leases"
    until(lambda: not list(leases.glob("000.*")), PATIENCE_S, "the end of all ranks")
    ((_, saved),) = events(folder, "checkpoint")
    assert saved["step"] == last_step(folder)
