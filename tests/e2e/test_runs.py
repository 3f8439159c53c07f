"""Runs from the command line: real processes, killed; a supervisor that another replaces."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from benchmark_modules import benchmark
from myriad.api.runs import cancel_run, detach, enter_run
from myriad.launch.files import File
from myriad.run.policy import Policy
from myriad.run.readings import events_of, run_of, steps_of
from myriad.run.store import Store
from myriad.spec.run import ENDED
from myriad.spec.training_launch import JobLaunch
from run_fixtures import small_launch

# Stands in for a trainer where only its processes matter: writes a step every tenth of a second, saves every fifth.
# After the fifteenth it waits for the file `go`, so that tests need not be quicker than it.
TRAINER = r"""
life=$(printf '%03d.000' "$MYRIAD_SUBMISSION")
cd "$MYRIAD_RUN_FOLDER" && mkdir -p "events/$life"
step=$(cat saved 2>/dev/null || echo 0)
tell() { echo "{\"time_s\": $(date +%s.%N), \"rank\": 0, $1}" >> "events/$life/rank-00000.jsonl"; }
tell "\"kind\": \"start\", \"step\": $step, \"pid\": $$, \"world_size\": 1"
while [ $step -lt "$STEPS" ]; do
  while [ $step -ge 15 ] && [ ! -e go ]; do sleep 0.1; done
  sleep 0.1
  step=$((step + 1))
  tell "\"kind\": \"step\", \"step\": $step, \"step_s\": 0.1, \"loss\": 0.$step, \"tokens\": $((step * 512))"
  if [ $((step % 5)) -eq 0 ]; then echo $step > saved; fi
done
tell "\"kind\": \"finish\", \"step\": $step"
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(str(tmp_path / "runs.sqlite"))
    yield store
    with store.reading():
        pass
    from myriad.run.readings import run_summaries

    for one in run_summaries(store):
        if one.state not in ENDED:
            cancel_run(store, one.run)
    store.close()


def entered(store: Store, folder: Path, steps: int, script: str = TRAINER) -> str:
    launch = small_launch(steps=steps)
    launch = launch.model_copy(
        update={"launch": JobLaunch(folder=str(folder / "runs"), environment={"STEPS": str(steps)})}
    )
    return enter_run(store, launch, [File("start.sh", script)], Policy(look_every=0.2, backoff=0.2))


def until(happened: Callable[[], bool], patience_s: float = 60.0) -> None:
    end = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


def myriad(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "COLUMNS": "200"}
    command = [sys.executable, "-P", "-m", "myriad", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)


def supervisor_of(store: Store, run: str) -> int:
    return int(json.loads(run_of(store, run).folder.lock.read_text())["pid"])


def test_killed_ranks_and_a_killed_supervisor_change_nothing(tmp_path: Path) -> None:
    """A planned job with the reference trainer on four ranks; see the benchmark for what is done to it."""
    # Long enough for a checkpoint, which is planned every 14 s, before the half of it is over on a quick machine.
    found = benchmark("kill_and_recover").study(tmp_path, steps=32)
    assert (found.alone.state, found.killed.state) == ("finished", "finished")
    assert [one.step for one in found.alone.kept] == list(range(1, 33))
    assert found.alone.lives == ("000.000",)
    assert found.killed.lives == ("000.000", "000.001", "000.002")
    assert found.steps_once
    assert found.losses_equal
    assert found.tokens_equal
    assert found.tokens_lost == 2048 * len(found.killed.lost)
    named = [(one.rank, one.text) for one in found.killed.events if one.kind == "restart"]
    assert named == [
        (1, "rank 1 killed by SIGKILL; the ranks were started again in place"),
        (2, "rank 2 killed by SIGKILL; the ranks were started again in place"),
    ]


def test_a_job_and_its_supervisor_killed_in_turn(store: Store, tmp_path: Path) -> None:
    run = entered(store, tmp_path, steps=40)
    database = ("--database", str(tmp_path / "runs.sqlite"))
    detach(store, run)
    again = myriad("supervise", run, *database)
    assert again.returncode == 2
    assert re.search(rf"{run} is supervised already, by process {supervisor_of(store, run)} on", again.stderr)
    until(lambda: run_of(store, run).summary.step >= 12)
    mark = run_of(store, run).folder.path / "local" / f"{run}-000.pid"
    os.kill(supervisor_of(store, run), signal.SIGKILL)
    wrapper = psutil.Process(int(mark.read_text().split()[0]))
    for process in [wrapper, *wrapper.children(recursive=True)]:  # so that nobody can write down an exit code
        process.kill()
    (run_of(store, run).folder.path / "go").touch()
    listed = myriad("runs", *database)
    assert f"{run}: running, not supervised, step" in listed.stdout
    taken = myriad("supervise", run, "--detach", *database)
    assert taken.returncode == 0, taken.stderr
    watched = myriad("status", run, "--watch", *database)
    assert watched.returncode == 0, watched.stderr
    assert "killed, or this machine was started again" in watched.stderr
    summary = run_of(store, run).summary
    assert (summary.state, summary.step, summary.restarts) == ("finished", 40, 1)
    kept = [one for one in steps_of(store, run) if one.kept]
    assert [one.step for one in kept] == list(range(1, 41))
    assert {one.life for one in kept} == {"000.000", "001.000"}
    submitted = [one for one in events_of(store, run) if one.kind in ("submitted", "adopted")]
    assert [one.kind for one in submitted] == ["submitted", "submitted"]
    logs = myriad("logs", run, "--rank", "0", *database)
    assert logs.stdout.count('"finish"') == 1
    page = tmp_path / "run.html"
    status = json.loads(myriad("status", run, "--json", "-", "--html", str(page), *database).stdout)
    assert (status["summary"]["run"], status["summary"]["state"]) == (run, "finished")
    assert sum(status["ledger_s"].values()) == pytest.approx(status["wall_s"], abs=1e-6)
    assert "loss-step-wide" in page.read_text()


def test_cancelling_with_and_without_a_supervisor(store: Store, tmp_path: Path) -> None:
    database = ("--database", str(tmp_path / "runs.sqlite"))
    for supervised in (True, False):
        run = entered(store, tmp_path, steps=100_000)
        detach(store, run)
        until(lambda run=run: run_of(store, run).summary.step >= 2)
        if not supervised:
            os.kill(supervisor_of(store, run), signal.SIGKILL)
        done = myriad("cancel", run, *database)
        assert done.returncode == 0, done.stderr
        assert f"{run}: cancelled" in done.stderr
        path = str(run_of(store, run).folder.path)
        assert not any(path in " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
    again = myriad("cancel", run, *database)
    assert again.returncode == 2
    assert "has ended already: cancelled" in again.stderr


def test_an_interrupt_leaves_the_run_to_its_supervisor(store: Store, tmp_path: Path) -> None:
    run = entered(store, tmp_path, steps=40)
    detach(store, run)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [
        sys.executable,
        "-P",
        "-m",
        "myriad",
        "status",
        run,
        "--watch",
        "--database",
        str(tmp_path / "runs.sqlite"),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as watching:
        assert watching.stderr is not None
        assert "created" in watching.stderr.readline()
        watching.send_signal(signal.SIGINT)
        assert f"end it with `myriad cancel {run}`" in watching.communicate(timeout=60)[1]
    assert watching.returncode == 130
    (run_of(store, run).folder.path / "go").touch()
    until(lambda: run_of(store, run).summary.state == "finished")


def test_logs_are_followed_from_before_there_are_any(store: Store, tmp_path: Path) -> None:
    """And printed as the bytes that they are, a letter in two parts among them."""
    run = entered(store, tmp_path, steps=1, script="printf '\\344\\270'; sleep 2; printf '\\207\\377\\n'\n")
    database = ("--database", str(tmp_path / "runs.sqlite"))
    none = myriad("logs", run, *database)
    assert none.returncode == 2
    assert "nothing was written" in none.stderr
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-P", "-m", "myriad", "logs", run, "--follow", *database]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as following:
        time.sleep(2)
        assert following.poll() is None
        detach(store, run)
        assert following.communicate(timeout=120)[0] == "万".encode() + b"\xff\n"
    assert following.returncode == 0


def test_a_refusal_ends_at_once(store: Store, tmp_path: Path) -> None:
    run = entered(store, tmp_path, steps=5, script="echo 'trainer: text: no such file'; exit 2\n")
    done = myriad("supervise", run, "--database", str(tmp_path / "runs.sqlite"))
    assert done.returncode == 1
    assert "refused by the trainer: exit code 2; last line: trainer: text: no such file" in done.stderr


def test_wrong_names_are_told(tmp_path: Path) -> None:
    database = ("--database", str(tmp_path / "runs.sqlite"))
    for command in (("status", "nobody"), ("logs", "nobody"), ("cancel", "nobody"), ("supervise", "nobody")):
        done = myriad(*command, *database)
        assert done.returncode == 2
        assert "unknown run 'nobody'" in done.stderr
    (tmp_path / "pretrain-0001").mkdir()
    (tmp_path / "pretrain-0001" / "launch.json").touch()
    lost = myriad("status", str(tmp_path / "pretrain-0001"), *database)
    assert lost.returncode == 2
    assert f"`myriad supervise {tmp_path / 'pretrain-0001'}` enters it from its folder" in lost.stderr
    assert f"no run was launched yet, by the database sqlite:///{database[1]}" in myriad("runs", *database).stderr
    assert "--rank: 'x' is not a number" in myriad("logs", "nobody", "--rank", "x", *database).stderr
    assert "--metrics: must be less than or equal to 65535, found '70000'" in (
        myriad("supervise", "nobody", "--metrics", "70000", *database).stderr
    )


def test_an_interrupt_says_what_becomes_of_a_run_that_is_supervised_here(store: Store, tmp_path: Path) -> None:
    run = entered(store, tmp_path, steps=40)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-P", "-m", "myriad", "supervise", run, "--database", str(tmp_path / "runs.sqlite")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as supervising:
        until(lambda: run_of(store, run).summary.step >= 1)
        supervising.send_signal(signal.SIGINT)
        said = supervising.communicate(timeout=60)[1]
    assert supervising.returncode == 130
    assert f"{run} goes on without a supervisor; `myriad supervise {run}` takes it up again" in said
    assert "Traceback" not in said
    assert not run_of(store, run).summary.supervised
