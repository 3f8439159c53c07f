"""What breaks around a supervisor: each ends in a clear state, and nothing that was saved is lost.

The scheduler is scripted; database, files and locks are real.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from myriad.api.runs import cancel_run, detach, known_run, supervise_run
from myriad.errors import LaunchError, SpecError
from myriad.run.health import problems_here
from myriad.run.policy import Policy
from myriad.run.readings import events_of, run_of, run_summaries, steps_of, submissions_of
from myriad.run.store import Store, StoreError
from myriad.run.supervisor import Supervisor
from run_fixtures import a_step, small_launch, write_events
from run_story import POLICY, Story
from scripted_backend import RUNNING, ended


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


class Killer:
    """Kills at the n-th of all calls that leave the supervisor, before or after it has happened."""

    def __init__(self, kill_at: int, after: bool) -> None:
        self.kill_at, self.after, self.calls = kill_at, after, 0

    @contextmanager
    def call(self) -> Iterator[None]:
        self.calls += 1
        dies = self.calls == self.kill_at
        if dies and not self.after:
            raise Killed
        yield
        if dies:
            raise Killed


class MortalStore(Store):
    """A database whose user may die before a transaction begins, or after it was kept."""

    killer = Killer(0, after=False)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self.killer.call(), super().writing() as connection:
            yield connection


class MortalBackend:
    """A scheduler that a supervisor may die before or after asking."""

    def __init__(self, real: Any, killer: Killer) -> None:
        self._real, self._killer = real, killer

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            with self._killer.call():
                return getattr(self._real, name)(*arguments)

        return called


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_supervisor_killed_at_each_decision_point(tmp_path: Path, after: bool) -> None:
    """A run with a restart in place, a failure, a restart and a finish; its supervisor killed at each n-th call."""
    for kill_at in count(1):
        folder = tmp_path / str(kill_at)
        folder.mkdir()
        story = Story(folder)
        written: set[str] = set()

        def once(life: str, first: int, last: int, seen: Any, story: Story = story, written: set[str] = written) -> Any:
            def look() -> Any:
                if life not in written:
                    written.add(life)
                    story.write_life(life, first, last)
                return seen

            return look

        lives = [once("000.000", 1, 5, RUNNING), once("000.001", 4, 8, RUNNING)]
        story.backend.sightings[0] = [RUNNING, *lives, RUNNING, ended(1)]
        story.backend.sightings[1] = [RUNNING, once("001.000", 6, 20, ended(0))]
        store = MortalStore(str(folder / "runs.sqlite"))
        store.killer = Killer(kill_at, after)
        mortal = Supervisor(store, story.run, MortalBackend(story.backend, store.killer), clock=story.time.clock())
        try:
            assert mortal.supervise() == "finished"
            survived = True
        except Killed:
            survived = False
            assert story.supervise() == "finished"
        store.close()
        assert len(story.backend.submitted) == 2  # and none twice, which the scheduler would have refused
        assert len(story.events("exit")) == len(story.events("finished")) == 1
        assert len(story.events("submitted", "adopted")) == 2
        assert [one.life for one in story.events("restart")] == ["000.001", None]
        assert run_of(story.store, story.run).summary.restarts == 2
        assert [one.step for one in steps_of(story.store, story.run) if one.kept] == list(range(1, 21))
        assert [one.state for one in submissions_of(story.store, story.run)] == ["ended", "ended"]
        story.store.close()
        if survived:
            break
    assert kill_at > 15


def test_two_supervisors(tmp_path: Path) -> None:
    story = Story(tmp_path)
    code = (
        "import sys; from pathlib import Path; from myriad.run.lock import only_supervisor\n"
        "with only_supervisor(Path(sys.argv[1]), 'r'): print('held', flush=True); sys.stdin.read()"
    )
    lock = story.folder / "supervisor.lock"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=environment,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert run_of(story.store, story.run).summary.supervised
        with pytest.raises(LaunchError, match=f"{story.run} is supervised already, by process {other.pid} on "):
            story.supervise()
        other.kill()
    assert not run_of(story.store, story.run).summary.supervised
    story.backend.sightings[0] = [ended(0)]
    assert story.supervise() == "finished"  # the system has freed the lock


def test_database_locked_by_another_process(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.backend.sightings[0] = [RUNNING, story.writes("000.000", 1, 20), ended(0)]
    impatient = Store(str(tmp_path / "runs.sqlite"), busy_s=0.05)
    other = sqlite3.connect(tmp_path / "runs.sqlite", isolation_level=None)

    def hold() -> None:
        if story.time.now_s == 1002:
            other.execute("BEGIN IMMEDIATE")
        if story.time.now_s == 1006:
            other.execute("ROLLBACK")

    story.time.on_sleep = hold
    assert Supervisor(impatient, story.run, story.backend, clock=story.time.clock()).supervise() == "finished"
    (trouble,) = story.events("trouble")
    assert "locked" in trouble.text
    assert len(story.backend.submitted) == 1
    other.close()


def test_database_full(tmp_path: Path) -> None:
    story = Story(tmp_path, small_launch(steps=500))
    story.backend.sightings[0] = [RUNNING, story.writes("000.000", 1, 500), RUNNING, RUNNING, RUNNING, ended(0)]
    store = Store(str(tmp_path / "runs.sqlite"))
    full = True

    def limit(connection: Any, _record: object, _proxy: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages if full else 1_000_000}")

    event.listen(store._engine, "checkout", limit)

    def free() -> None:
        nonlocal full
        full = story.time.now_s < 1010

    story.time.on_sleep = free
    assert Supervisor(store, story.run, story.backend, clock=story.time.clock()).supervise() == "finished"
    assert "full: free some space" in story.events("trouble")[0].text
    assert [one.step for one in steps_of(story.store, story.run)] == list(range(1, 501))


def test_database_removed_while_a_run_goes_on(tmp_path: Path) -> None:
    story = Story(tmp_path, policy=Policy(look_every=1.0, store_patience=20.0))
    (story.folder / "launch.json").write_text(small_launch().model_dump_json())
    story.backend.sightings[0] = [RUNNING]

    def remove() -> None:
        if story.time.now_s == 1005:
            story.write_life("000.000", 1, 7)
            for path in tmp_path.glob("runs.sqlite*"):
                path.unlink()

    story.time.on_sleep = remove
    with pytest.raises(LaunchError, match=r"was removed.* the run goes on without a supervisor: myriad supervise"):
        story.supervise()
    assert story.backend.cancelled == []
    # Its folder is all that a new database needs: the job is found, not submitted again.
    again = Store(str(tmp_path / "new.sqlite"))
    record = known_run(again, str(story.folder))
    assert record.summary.run == story.run
    story.backend.sightings[0] = [ended(0)]
    assert Supervisor(again, story.run, story.backend, clock=story.time.clock()).supervise() == "finished"
    assert [one.kind for one in events_of(again, story.run)] == ["created", "adopted", "finished"]
    assert len(steps_of(again, story.run)) == 7
    assert len(story.backend.submitted) == 1


def test_database_damaged(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.store.close()
    raw = (tmp_path / "runs.sqlite").read_bytes()
    for path in tmp_path.glob("runs.sqlite-*"):
        path.unlink()
    (tmp_path / "runs.sqlite").write_bytes(raw[:100] + b"\xff" * (len(raw) - 100))
    with pytest.raises(StoreError, match="the file is damaged"):
        Store(str(tmp_path / "runs.sqlite"))
    (tmp_path / "runs.sqlite").write_bytes(raw[:4096])
    with pytest.raises(StoreError, match="the file is damaged"), Store(str(tmp_path / "runs.sqlite")) as store:
        run_summaries(store)


def test_database_server_that_is_not_there() -> None:
    with pytest.raises(StoreError, match="refused"):
        Store("postgresql+psycopg://nobody@127.0.0.1:9/none", busy_s=2.0)


@pytest.mark.parametrize("jump_s", [-86400.0, 86400.0], ids=["back", "forward"])
def test_wall_clock_set(tmp_path: Path, jump_s: float) -> None:
    story = Story(tmp_path)

    def jump() -> None:
        if story.time.now_s == 1004:
            story.time.wall_s += jump_s

    story.time.on_sleep = jump
    moves = [story.writes("000.000", 1, 9), *[RUNNING] * 9, story.writes("000.001", 8, 20)]
    story.backend.sightings[0] = [*moves, ended(0)]
    assert story.supervise() == "finished"
    kinds = [one.kind for one in story.events()]
    assert kinds == ["created", "submitted", "running", "restart", "finished"]  # in the order of writing; no hang
    assert [one.step for one in steps_of(story.store, story.run) if one.kept] == list(range(1, 21))


def test_folder_of_the_run_removed(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.backend.sightings[0] = [story.writes("000.000", 1, 4), RUNNING]
    story.time.on_sleep = lambda: shutil.rmtree(story.folder) if story.time.now_s == 1004 else None
    assert story.supervise() == "failed"
    assert story.reason == f"its folder {story.folder} is gone"
    assert story.backend.cancelled == [f"{story.run}-000"]
    assert len(steps_of(story.store, story.run)) == 4


def test_run_whose_folder_is_gone_is_only_cancelled(tmp_path: Path) -> None:
    """Also one that was entered when its maker died, before there was a folder."""
    store = Store(str(tmp_path / "runs.sqlite"))
    run = store.enter_run(small_launch(), tmp_path, POLICY)
    for take_up in (supervise_run, detach):
        with pytest.raises(LaunchError, match=rf"its folder .*{run} is gone; end the run with `myriad cancel {run}`"):
            take_up(store, run)
    assert not (tmp_path / run).exists()
    assert cancel_run(store, run) == "cancelled"


def test_file_server_that_hiccups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(tmp_path)
    story.backend.sightings[0] = [RUNNING, story.writes("000.000", 1, 20), RUNNING, ended(0)]
    real = os.stat

    def stat(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        if 1002 <= story.time.now_s < 1004 and str(path) == str(story.folder):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", stat)
    assert story.supervise() == "finished"


def test_control_file_that_cannot_be_written(tmp_path: Path) -> None:
    story = Story(tmp_path, small_launch(mean_time_to_interruption_s=3600.0))
    (story.folder / "files" / "trainer.json").write_text("{}")
    (story.folder / "control.json").mkdir()
    story.write_life("000.000", 1, 4)
    write_events(story.folder, "000.000", 0, {"kind": "checkpoint", "step": 4, "blocking_s": 0.5})
    story.backend.sightings[0] = [RUNNING] * 4 + [ended(0)]
    assert story.supervise() == "finished"
    (trouble,) = story.events("trouble")
    assert "control.json cannot be written: is a directory; the cadence stays" in trouble.text
    assert story.events("retuned") == []


HUGE = '{"kind": "step", "time_s": 1.0, "rank": 0, "step": 99999999999999999999}'


def test_event_files_cut_and_full_of_garbage(tmp_path: Path) -> None:
    story = Story(tmp_path)

    def damage() -> Any:
        path = write_events(story.folder, "000.000", 0, a_step(5))
        path.write_bytes(path.read_bytes()[:90] + b"\n{]\n\xff\x00\n" + HUGE.encode() + b"\n" + os.urandom(50) + b"\n")
        (story.folder / "events" / "not-a-life").mkdir(exist_ok=True)
        (story.folder / "events" / "000.000" / "rank-00009.jsonl").mkdir(exist_ok=True)
        return RUNNING

    def mend() -> Any:
        write_events(story.folder, "000.000", 0, *(a_step(step, loss=1.0) for step in range(5, 21)))
        return RUNNING

    story.backend.sightings[0] = [story.writes("000.000", 1, 4), damage, mend, RUNNING, RUNNING, ended(0)]
    assert story.supervise() == "finished"
    texts = " ".join(one.text for one in story.events("trouble"))
    assert "became shorter" in texts
    assert "holds a line that is no event" in texts
    assert texts.count("rank-00009.jsonl cannot be read: is a directory") == 1  # and not with every look
    assert [one.step for one in steps_of(story.store, story.run)] == list(range(1, 21))


def test_disk_too_full_for_another_checkpoint(tmp_path: Path) -> None:
    story = Story(tmp_path)
    record = run_of(story.store, story.run)
    free = shutil.disk_usage(tmp_path).free
    assert problems_here(record) == ()
    (problem,) = problems_here(record, checkpoint_bytes=float(free))
    assert "are free" in problem
    supervisor = Supervisor(
        story.store, story.run, story.backend, lambda now: problems_here(now, float(free)), story.time.clock()
    )
    assert supervisor.supervise() == "failed"
    assert "this machine cannot run it" in story.reason
    assert story.backend.submitted == []


def test_machine_that_falls_ill_between_two_submissions(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.backend.sightings[0] = [story.writes("000.000", 1, 4), ended(1)]
    story.backend.sightings[1] = [ended(0)]
    ill = ["", "0 GiB are free", "0 GiB are free", ""]
    supervisor = Supervisor(
        story.store, story.run, story.backend, lambda _: tuple(filter(None, [ill.pop(0)])), story.time.clock()
    )
    assert supervisor.supervise() == "finished"
    assert [one.text for one in story.events("unhealthy-node")] == ["0 GiB are free"]


def test_lock_file_that_cannot_be_opened(tmp_path: Path) -> None:
    story = Story(tmp_path)
    (story.folder / "supervisor.lock").mkdir()
    with pytest.raises(LaunchError, match=os.strerror(errno.EISDIR).lower()):
        story.supervise()


def test_run_whose_launch_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "pretrain-0001").mkdir()
    (tmp_path / "pretrain-0001" / "launch.json").write_text('{"name": ')
    with pytest.raises(SpecError, match="is no launch of a run, or is damaged"):
        known_run(Store(str(tmp_path / "runs.sqlite")), str(tmp_path / "pretrain-0001"))


def test_holder_of_the_lock_that_left_no_name(tmp_path: Path) -> None:
    story = Story(tmp_path)
    descriptor = os.open(story.folder / "supervisor.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(LaunchError, match="by another process"):
        story.supervise()
    os.close(descriptor)


def test_job_that_fails_for_ever(tmp_path: Path) -> None:
    story = Story(tmp_path)
    for number in range(20):
        story.backend.sightings[number] = [ended(1)]
    assert story.supervise() == "failed"
    assert len(story.backend.submitted) == 1 + POLICY.restarts_without_progress


def test_asking_who_supervises_never_keeps_a_supervisor_from_it(tmp_path: Path) -> None:
    story = Story(tmp_path)
    descriptor = os.open(story.folder / "supervisor.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_SH)  # as `holder_of` has it, for an instant
    freed = threading.Timer(0.2, os.close, [descriptor])
    freed.start()
    story.backend.sightings[0] = [ended(0)]
    assert story.supervise() == "finished"
    freed.join()


def test_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _how: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    story = Story(tmp_path)
    monkeypatch.setattr(fcntl, "flock", refuse)  # as Lustre does that is mounted without them
    with pytest.raises(LaunchError, match=r"supervisor.lock: its file system has no locks \(function not implemented"):
        story.supervise()


@pytest.mark.parametrize(("device", "problems"), [("cpu", 0), ("cuda", 1)])
def test_accelerators_are_counted_for_jobs_that_train_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, problems: int
) -> None:
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'GPU 0: one of four'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    story = Story(tmp_path, small_launch().model_copy(update={"device": device}))
    found = problems_here(run_of(story.store, story.run))
    assert found == ("1 GPUs are there, 4 are needed",)[:problems]
