"""What breaks between a run and a real Slurm, and what its backend then says: never that a run is well that is not."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from myriad.api.training_launch import training_files
from myriad.run.described import BackendError, RefusedError, RunFolder, Sighting, Submission
from myriad.run.on_slurm import SCRIPT, SlurmBackend
from myriad.run.supervisor import SETTLE_S
from slurm_cluster import SlurmCluster, slurm_cluster, until
from small_runs import ended, small_launch

PATIENCE_S = 60
JOB = """\
#!/bin/bash
#SBATCH --nodes={nodes} --ntasks-per-node=1 --requeue {options}
rm -f logs/exit-$SLURM_JOB_ID
srun bash -c 'touch began-$SLURM_PROCID; until [ -e go ]; do sleep 0.2; done'
code=$?
echo $code >logs/exit-$SLURM_JOB_ID
exit $code
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """Whose nodes fail in their prolog where a file of their name lies beside it."""
    folder = tmp_path_factory.mktemp("nodes")
    prolog = folder / "prolog"
    prolog.write_text(f"#!/bin/sh\n[ ! -e {folder}/$SLURMD_NODENAME ]\n", "utf-8")
    prolog.chmod(0o755)
    with slurm_cluster(nodes=4, more=["MinJobAge=300", f"Prolog={prolog}"]) as cluster:
        yield cluster


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path)
    made.files.mkdir()
    return made


@pytest.fixture
def backend(slurm: SlurmCluster, folder: RunFolder) -> Iterator[SlurmBackend]:
    """Its jobs and what they did to nodes are gone afterwards."""
    yield SlurmBackend(folder, slurm.environment, timeout_s=15)
    slurm.run("scancel", "--user=root", check=False)
    for name in slurm.node_names:
        slurm.run("scontrol", "update", f"nodename={name}", "state=resume", check=False)
    until(lambda: set(slurm.states().values()) == {"idle"}, PATIENCE_S, "all nodes to be idle")


def job(folder: RunFolder, number: int = 0, *, nodes: int = 2, options: str = "", without: tuple[str, ...] = ()):
    """A job that runs until `finish`."""
    (folder.files / SCRIPT).write_text(JOB.format(nodes=nodes, options=options), "utf-8")
    return Submission("fault-0001", number, folder, {}, without)


def finish(folder: RunFolder) -> None:
    (folder.path / "go").touch()


def running(backend: SlurmBackend, submitted: Submission) -> str:
    """Its handle as soon as its ranks run: `srun` alone may still be asking the controller for its step."""
    handle = backend.submit(submitted)
    begun = submitted.folder.path / "began-0"
    until(lambda: backend.look(handle).state == "running" and begun.exists(), PATIENCE_S, "the job to run")
    return handle


def test_unreachable_at_submission_then_back(slurm, backend, folder):
    slurm.stop_controller()
    try:
        for call in (backend.find, backend.submit):
            with pytest.raises(BackendError, match="Unable to contact slurm controller"):
                call(job(folder))
    finally:
        slurm.start_controller()
    assert backend.find(job(folder)) is None, "nothing was submitted meanwhile"
    handle = running(backend, job(folder))
    assert backend.find(job(folder)) == handle


def test_unreachable_while_it_runs(slurm, backend, folder):
    handle = running(backend, job(folder))
    slurm.stop_controller()
    try:
        for call in (backend.look, backend.cancel, backend.restart):
            with pytest.raises(BackendError):
                call(handle)
    finally:
        slurm.start_controller()
    assert backend.look(handle).state == "running"
    finish(folder)
    assert ended(backend, handle, PATIENCE_S)[0].exit_code == 0


def test_a_controller_that_hangs_costs_its_time_limit_and_submits_nothing_twice(slurm, backend, folder):
    backend.timeout_s = 2
    daemon = slurm._daemons["slurmctld"]
    daemon.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(BackendError, match="sbatch gave no answer within 2 s"):
            backend.submit(job(folder))
    finally:
        daemon.send_signal(signal.SIGCONT)
    backend.timeout_s = 15
    end = time.monotonic() + SETTLE_S  # within which a controller takes in what it was sent, if it was
    while (found := backend.find(job(folder))) is None and time.monotonic() < end:
        time.sleep(0.2)
    names = slurm.run("squeue", "--noheader", "--format=%j").split()
    assert names == ([] if found is None else ["fault-0001-000"])


def test_authentication_is_down(slurm, backend, folder):
    daemon = slurm._daemons["munged"]
    daemon.send_signal(signal.SIGSTOP)
    backend.timeout_s = 3
    try:
        with pytest.raises(BackendError):
            backend.submit(job(folder))
    finally:
        daemon.send_signal(signal.SIGCONT)


@pytest.mark.parametrize(
    ("options", "nodes", "words"),
    [
        ("--partition=banana", 2, "Invalid partition name specified"),
        ("", 5, "would never start .*Partition"),
        ("--gres=gpu:1", 2, "Invalid generic resource"),
        ("--mem=900G", 2, "Memory specification can not be satisfied"),
        ("--time=banana", 2, "Invalid --time specification"),
    ],
)
def test_a_refused_submission_leaves_nothing_behind(slurm, backend, folder, options, nodes, words):
    with pytest.raises(RefusedError, match=words):
        backend.submit(job(folder, nodes=nodes, options=options))
    until(lambda: not slurm.run("squeue", "--noheader"), PATIENCE_S, "the queue to be empty")


def test_cancelled_behind_our_back(slurm, backend, folder):
    handle = running(backend, job(folder))
    slurm.run("scancel", handle)
    last, _ = ended(backend, handle, PATIENCE_S)
    assert last.reason == "CANCELLED"
    assert last.exit_code != 0
    backend.cancel(handle)


def test_forgotten_by_the_controller_but_not_by_its_exit_file(slurm, backend, folder):
    handle = running(backend, job(folder))
    finish(folder)
    ended(backend, handle, PATIENCE_S)
    slurm.stop_controller()
    slurm.start_controller("-c")
    assert backend.look(handle) == Sighting("ended", 0, "as the job itself wrote")
    (folder.logs / f"exit-{handle}").unlink()
    assert backend.look(handle) == Sighting("unknown")
    backend.cancel(handle)
    assert not backend.restart(handle)


def test_a_number_that_was_given_anew_is_not_taken_for_ours(slurm, backend, folder, tmp_path):
    other = RunFolder(tmp_path / "other")
    other.files.mkdir(parents=True)
    handle = running(SlurmBackend(other, slurm.environment), job(other))
    assert backend.look(handle).state == "unknown"
    assert backend.find(job(folder)) is None, "of the same name, but in another folder"


def test_a_folder_with_a_space_in_its_name_is_known_again(slurm, folder, tmp_path):
    spaced = RunFolder(tmp_path / "my runs" / "a = 100%")
    spaced.files.mkdir(parents=True)
    backend = SlurmBackend(spaced, slurm.environment, timeout_s=15)
    handle = running(backend, job(spaced))
    assert backend.find(job(spaced)) == handle
    assert (spaced.logs / "000.log").exists()
    finish(spaced)
    assert ended(backend, handle, PATIENCE_S)[0].exit_code == 0


def test_a_partition_that_is_closed_for_maintenance_is_waited_for(slurm, backend, folder):
    slurm.run("scontrol", "update", "partitionname=main", "state=drain")
    try:
        with pytest.raises(BackendError, match="inactive or drain"):
            backend.submit(job(folder))
    finally:
        slurm.run("scontrol", "update", "partitionname=main", "state=up")
    assert backend.find(job(folder)) is None
    running(backend, job(folder))


def test_a_supervisor_that_is_a_job_itself_gives_nothing_of_it_to_the_job(backend, folder, monkeypatch):
    theirs = {
        "SLURM_CPUS_PER_TASK": "3",
        "SLURM_MEM_PER_CPU": "10",
        "SLURM_EXPORT_ENV": "NONE",
        "SBATCH_EXPORT": "NONE",
    }
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)
    submitted = job(folder, 7)
    (folder.files / SCRIPT).write_text("#!/bin/bash\nenv >told.part; mv told.part told\n", "utf-8")
    backend.submit(submitted)
    until((folder.path / "told").exists, PATIENCE_S, "the job to tell")
    told = dict(line.split("=", 1) for line in (folder.path / "told").read_text().splitlines() if "=" in line)
    assert (told["MYRIAD_SUBMISSION"], told["MYRIAD_RUN_FOLDER"]) == ("7", str(folder.path))
    assert not told.keys() & {"SLURM_CPUS_PER_TASK", "SLURM_MEM_PER_CPU"}


def test_a_drained_node_is_told_when_its_job_is_restarted(slurm, backend, folder):
    handle = running(backend, job(folder))
    bad = backend.look(handle).nodes[1]
    slurm.run("scontrol", "update", f"nodename={bad}", "state=drain", "reason=bad")
    assert backend.look(handle) == Sighting("running", nodes=backend.look(handle).nodes), "what runs, runs on"
    assert backend.restart(handle)
    seen = []
    until(
        lambda: (
            seen.append(backend.look(handle))
            or (seen[-1].state == "running" and seen[-1].reason == "" and bad not in seen[-1].nodes)
        ),
        PATIENCE_S,
        "the job to run elsewhere",
    )
    assert {node for one in seen for node in one.failed_nodes} == {bad}


def test_excluded_nodes_are_left_alone_and_too_few_are_waited_for(slurm, backend, folder):
    handle = running(backend, job(folder, without=("n0", "n2")))
    assert backend.look(handle).nodes == ("n1", "n3")
    backend.cancel(handle)
    slurm.run("scontrol", "update", "nodename=n[0-2]", "state=drain", "reason=bad")
    handle = backend.submit(job(folder, 1))
    until(lambda: backend.look(handle).reason not in {"PENDING", "Priority"}, PATIENCE_S, "a reason")
    seen = backend.look(handle)
    assert (seen.state, seen.nodes) == ("queued", ())
    assert "Resources" in seen.reason or "DRAINED" in seen.reason


def test_held_is_waiting_and_says_so(slurm, backend, folder):
    handle = running(backend, job(folder))
    slurm.run("scontrol", "requeuehold", handle)
    until(lambda: "held" in backend.look(handle).reason.lower(), PATIENCE_S, "the job to be held")
    assert backend.look(handle).state == "queued"
    slurm.run("scontrol", "release", handle)
    until(lambda: backend.look(handle).state == "running", PATIENCE_S, "the job to run again")
    assert backend.look(handle).restarts == 1


def test_a_node_that_fails_before_the_job_starts_holds_it_only_until_somebody_looks(slurm, backend, folder):
    prolog = next(line for line in (slurm.folder / "slurm.conf").read_text().splitlines() if line.startswith("Prolog="))
    broken = Path(prolog.removeprefix("Prolog=")).with_name("n0")
    broken.touch()
    try:
        handle = backend.submit(job(folder))
        until(lambda: slurm.states()["n0"].startswith("drain"), PATIENCE_S, "the node to be drained")
        began = folder.path / "began-0"
        until(lambda: backend.look(handle) and began.exists(), PATIENCE_S, "the job to start elsewhere")
    finally:
        broken.unlink()
    assert backend.look(handle).nodes == ("n1", "n2")


def test_held_by_its_user_before_it_starts(backend, folder):
    handle = backend.submit(job(folder, options="--hold"))
    assert backend.look(handle) == Sighting("queued", reason="JobHeldUser")


def test_a_job_that_is_not_requeued_is_not_restarted_but_submitted_anew(backend, folder):
    handle = running(backend, job(folder, options="--no-requeue"))
    assert not backend.restart(handle)
    assert backend.look(handle).state == "running"


def test_its_time_limit_is_no_success(slurm, backend, folder):
    handle = running(backend, job(folder))
    slurm.run("scontrol", "update", f"jobid={handle}", "endtime=now")
    last, _ = ended(backend, handle, 3 * PATIENCE_S)
    assert last.exit_code != 0


def test_near_its_time_limit_the_rendered_script_is_requeued(slurm, backend, folder):
    launch = small_launch({"kind": "slurm", "topology": "none", "gres": "", "time_limit": 3600.0})
    for file in training_files(launch):
        (folder.files / file.path).write_text(file.text, "utf-8")
    (folder.files / "start.sh").write_text("touch started; until [ -e go ]; do sleep 0.2; done\n", "utf-8")
    handle = backend.submit(Submission("fault-0001", 0, folder, {}))
    until((folder.path / "started").exists, PATIENCE_S, "the ranks to start")
    (folder.path / "started").unlink()  # before there is a second life, which may begin at once
    slurm.run("scancel", "--batch", "--signal=USR1", handle)  # as Slurm does 120 s before the limit
    until(lambda: backend.look(handle).restarts == 1, PATIENCE_S, "a requeue")
    until((folder.path / "started").exists, PATIENCE_S, "the ranks to start again")
    finish(folder)
    last, _ = ended(backend, handle, PATIENCE_S)
    assert (last.exit_code, last.restarts) == (0, 1)


def test_a_node_dies_under_a_job_that_is_not_requeued(slurm, backend, folder):
    handle = running(backend, job(folder, options="--no-requeue"))
    name = backend.look(handle).nodes[1]
    slurm.kill_node(name)
    try:
        last, _ = ended(backend, handle, PATIENCE_S)
        assert last.exit_code != 0
        until(lambda: backend.look(handle).failed_nodes == (name,), PATIENCE_S, "the node to be told")
    finally:
        slurm.start_node(name)


def test_slurm_is_not_installed_here(folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder.path))
    with pytest.raises(BackendError, match="sbatch is not installed here, or not on PATH"):
        SlurmBackend(folder).submit(job(folder))
