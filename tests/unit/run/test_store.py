"""What is kept of runs, read back; files of events read once whatever happens to them."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from myriad.errors import SpecError
from myriad.run.ingest import ingest
from myriad.run.policy import Policy
from myriad.run.readings import (
    events_of,
    last_steps_of,
    lives_of,
    rank_events_of,
    run_of,
    run_summaries,
    steps_of,
    submissions_of,
)
from myriad.run.store import Store, StoreError
from myriad.spec.run import RunEvent
from run_fixtures import a_step, small_launch, write_events


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "runs.sqlite"))


@pytest.fixture
def run(store: Store, tmp_path: Path) -> str:
    return store.enter_run(small_launch(), tmp_path, Policy())


def test_runs_are_numbered_by_name_and_found_by_id_name_and_folder(store: Store, tmp_path: Path) -> None:
    first = store.enter_run(small_launch(), tmp_path, Policy())
    (tmp_path / "pretrain-0002").mkdir()  # of another database
    second = store.enter_run(small_launch(), tmp_path, Policy())
    other = store.enter_run(small_launch("tune"), tmp_path, Policy(hang_steps=7))
    assert (first, second, other) == ("pretrain-0001", "pretrain-0003", "tune-0001")
    assert {one.run for one in run_summaries(store)} == {first, second, other}
    assert run_of(store, "pretrain").summary.run == second
    assert run_of(store, str(tmp_path / "tune-0001")).policy.hang_steps == 7
    assert run_of(store, first).launch == small_launch()
    assert [event.kind for event in events_of(store, first)] == ["created"]
    with pytest.raises(SpecError, match="did you mean 'pretrain-0001'"):
        run_of(store, "pretrain-001")


def test_what_happens_together_is_kept_together_or_not_at_all(store: Store, run: str) -> None:
    event = RunEvent(time_s=2.0, kind="submitted", submission=0)
    new = {"number": 0, "state": "intended", "intended_s": 1.0, "excluded_nodes": ["n1"], "nodes": []}
    store.change(run, {"state": "queued"}, [event], new_submission=new)
    with pytest.raises(StoreError):
        store.change(run, {"state": "failed"}, [event], new_submission=new)
    assert run_of(store, run).summary.state == "queued"
    assert events_of(store, run, after=1) == (event,)
    (submission,) = submissions_of(store, run)
    assert (submission.number, submission.excluded_nodes, submission.handle) == (0, ("n1",), None)


def test_events_are_read_as_they_come_and_each_once(store: Store, run: str, tmp_path: Path) -> None:
    write_events(tmp_path, "000.000", 0, {"kind": "start", "step": 0}, a_step(1, loss=5.0, tokens=512))
    path = write_events(tmp_path, "000.000", 1, {"kind": "start", "step": 0}, a_step(1, memory_bytes=7))
    with path.open("a") as file:
        file.write('{"kind": "step", "time_s": 2.0, "ra')
    first = ingest(store, run, tmp_path / "events")
    assert first.new_lives == ["000.000"]
    assert len(first.events) == 4
    assert ingest(store, run, tmp_path / "events").events == []
    with path.open("a") as file:
        file.write('nk": 1, "step": 2, "step_s": 0.2}\n')
    assert [one.event.step for one in ingest(store, run, tmp_path / "events").events] == [2]
    assert last_steps_of(store, run, "000.000") == {0: 1, 1: 2}
    one, two = steps_of(store, run)
    assert (one.loss, one.tokens, one.memory_bytes, two.step_s) == (5.0, 512, 7, 0.2)
    assert run_of(store, run).summary.loss == 5.0
    assert len(rank_events_of(store, run)) == 2


def test_figures_of_rank_0_win_whichever_comes_first(store: Store, run: str, tmp_path: Path) -> None:
    write_events(tmp_path, "000.000", 3, a_step(1, step_s=0.3, memory_bytes=9))
    ingest(store, run, tmp_path / "events")
    write_events(tmp_path, "000.000", 0, a_step(1, step_s=0.1, memory_bytes=5, loss=4.0))
    write_events(tmp_path, "000.000", 2, a_step(1, step_s=0.2))
    ingest(store, run, tmp_path / "events")
    (step,) = steps_of(store, run)
    assert (step.step_s, step.loss, step.memory_bytes) == (0.1, 4.0, 9)


def test_steps_behind_a_restart_are_not_kept(store: Store, run: str, tmp_path: Path) -> None:
    for life, restored, last in (("000.000", 0, 5), ("000.001", 3, 6), ("001.000", 5, 7)):
        steps = [a_step(step) for step in range(restored + 1, last + 1)]
        write_events(tmp_path, life, 0, {"kind": "start", "step": restored}, *steps)
    ingest(store, run, tmp_path / "events")
    assert lives_of(store, run) == ("000.000", "000.001", "001.000")
    lost = [(one.life, one.step) for one in steps_of(store, run) if not one.kept]
    assert lost == [("000.000", 4), ("000.000", 5), ("000.001", 6)]
    assert sorted(one.step for one in steps_of(store, run) if one.kept) == list(range(1, 8))


def test_garbage_is_left_out_and_told_once(store: Store, run: str, tmp_path: Path) -> None:
    path = write_events(tmp_path, "000.000", 0, a_step(1))
    with path.open("ab") as file:
        file.write(b"\x00\xff garbage\n[]\n" + b'{"kind": "step", "time_s": 1, "rank": 5, "step": 9}\n')
    write_events(tmp_path, "000.000", 0, a_step(2))
    found = ingest(store, run, tmp_path / "events")
    assert found.troubles == ["000.000/rank-00000.jsonl holds a line that is no event; it is left out"]
    assert [one.step for one in steps_of(store, run)] == [1, 2]
    with path.open("ab") as file:
        file.write(b"more\n")
    assert ingest(store, run, tmp_path / "events").troubles == []


def test_a_file_that_became_shorter_is_read_again(store: Store, run: str, tmp_path: Path) -> None:
    path = write_events(tmp_path, "000.000", 0, {"kind": "start", "step": 0}, a_step(1), a_step(2))
    ingest(store, run, tmp_path / "events")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert "became shorter" in ingest(store, run, tmp_path / "events").troubles[0]
    write_events(tmp_path, "000.000", 0, a_step(2), a_step(3))
    ingest(store, run, tmp_path / "events")
    assert [one.step for one in steps_of(store, run)] == [1, 2, 3]
    assert len(rank_events_of(store, run)) == 1


def test_a_database_that_another_holds_is_waited_for_and_named(store: Store, run: str, tmp_path: Path) -> None:
    impatient = Store(str(tmp_path / "runs.sqlite"), busy_s=0.2)
    with sqlite3.connect(tmp_path / "runs.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked: another process has held it for too long"):
            impatient.want_cancelled(run)
        assert run_of(impatient, run).cancel_wanted is False  # reading goes on
        other.execute("ROLLBACK")
    impatient.want_cancelled(run)
    assert run_of(store, run).cancel_wanted


def test_a_database_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are notes, long enough to be looked at as a database " * 40)
    with pytest.raises(StoreError, match="not a database: the file is damaged, or is something else"):
        Store(str(tmp_path / "notes.txt"))
    with pytest.raises(StoreError, match="cannot be made"):
        Store(str(tmp_path / "notes.txt" / "runs.sqlite"))
    assert run_summaries(Store(str(tmp_path / "none.sqlite"), create=False)) == ()
    assert not (tmp_path / "none.sqlite").exists()


def test_tables_of_another_version_are_refused(store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "runs.sqlite") as raw:
        raw.execute("UPDATE myriad_schema SET version = 99")
    with pytest.raises(StoreError, match="version 99"):
        Store(str(tmp_path / "runs.sqlite"))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://host/name", "found mysql://, expected a file, sqlite:///FILE or postgresql://"),
        ("postgresql+psycopg2://host/name", r"found postgresql\+psycopg2://"),
        ("postgresql://host:port/name", "is no database URL, such as postgresql://host/name"),
        ("sqlite://", "names no file, and a supervisor is a process of its own"),
    ],
)
def test_urls_of_what_cannot_keep_runs_are_refused(url: str, told: str) -> None:
    with pytest.raises(SpecError, match=f"^--database: .*{told}"):
        Store(url)


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as if it were not installed
    with pytest.raises(SpecError, match=r"need psycopg; install it with: pip install 'myriad-ai\[postgresql\]'"):
        Store("postgresql://host/name")
