"""A job of the reference trainer on a real Slurm: a node dies in the middle, and the run ends as if none had."""

from __future__ import annotations

from pathlib import Path

from myriad.run.on_slurm import SlurmBackend
from slurm_cluster import slurm_cluster, until
from small_runs import check_recovery, ended, events, last_step, run_folder, run_here, small_launch, submission

STEPS = 300  # on fast machines too longer than it takes to kill a node
PATIENCE_S = 300  # of a machine that is busy with other things


def test_a_killed_node_is_replaced_and_the_run_ends_as_if_it_had_lived(tmp_path: Path):
    launch = small_launch({"kind": "slurm", "topology": "none"}, steps=STEPS, interval_s=0.5)
    disturbed, undisturbed = (run_folder(tmp_path / name, launch) for name in ("disturbed", "undisturbed"))
    # Requeued jobs wait for two minutes here, as on all clusters that do not say otherwise.
    with slurm_cluster(nodes=3, gpus_per_node=1, requeue_delay_s=120) as slurm:
        backend = SlurmBackend(disturbed, slurm.environment)
        handle = backend.submit(submission(disturbed))
        until(lambda: len(events(disturbed, "checkpoint")) >= 2, PATIENCE_S, "two checkpoints")
        where = backend.look(handle).nodes
        slurm.kill_node(where[1])
        assert last_step(disturbed) < STEPS, "the node died in the middle"
        last, seen = ended(backend, handle, PATIENCE_S)

        assert (last.exit_code, last.reason, last.restarts) == (0, "COMPLETED", 1)
        assert last.nodes == (where[0], "n2"), "the spare took the place of the node that is gone"
        assert {node for one in seen for node in one.failed_nodes} == {where[1]}
        assert slurm.states()[where[1]].startswith("down")

    run_here(undisturbed, PATIENCE_S)
    again = check_recovery(disturbed, undisturbed, STEPS)
    assert 0 <= again < STEPS
