"""A small planned job on this machine, its ranks and its supervisor killed, against the same job left alone.

    python benchmarks/kill_and_recover.py [--on local] [--steps 40] [--job quad] [--folder FOLDER]

Two ranks are killed with -9, the second while no supervisor lives, because that was killed with -9 before; then
`myriad supervise` takes the run up. What it prints: steps that lasted, each once; losses and tokens equal to those of
the undisturbed run; what was lost; times. On Slurm and on Ray its node is killed instead: see `kill_a_node.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kill_a_node import node_of, scheduler

from myriad.run.readings import events_of, lives_of, rank_events_of, run_of, run_summaries, steps_of
from myriad.run.store import Store
from myriad.spec.run import ENDED, RunEvent, StepRecord

SYSTEM: Final = Path(__file__).parents[1] / "examples" / "this-machine.yaml"
PATIENCE_S: Final = 400.0
"""For one thing to happen."""


@dataclass(frozen=True)
class Told:
    """What the database says of a run that has ended."""

    run: str
    state: str
    reason: str
    steps: tuple[StepRecord, ...]
    events: tuple[RunEvent, ...]
    lives: tuple[str, ...]
    wall_s: float
    checkpoints: int

    @property
    def kept(self) -> list[StepRecord]:
        return [one for one in self.steps if one.kept]

    @property
    def lost(self) -> list[StepRecord]:
        return [one for one in self.steps if not one.kept]


@dataclass(frozen=True)
class Study:
    """The two runs, and what was done to the second."""

    alone: Told
    killed: Told
    done: tuple[str, ...]
    taken_up_s: float | None
    """From `myriad supervise` to a supervisor that holds the run; `None` where none was killed."""

    @property
    def steps_once(self) -> bool:
        """Whether the steps that lasted are all steps, each once."""
        return [one.step for one in self.killed.kept] == [one.step for one in self.alone.kept]

    @property
    def losses_equal(self) -> bool:
        """Bit for bit."""
        return [one.loss for one in self.killed.kept] == [one.loss for one in self.alone.kept]

    @property
    def tokens_equal(self) -> bool:
        """Of every step that was trained, lost ones too."""
        crcs = {one.step: one.tokens_crc for one in self.alone.kept}
        return all(one.tokens_crc is not None and one.tokens_crc == crcs[one.step] for one in self.killed.steps)

    @property
    def tokens_lost(self) -> int:
        """Trained on again, by what ranks counted."""
        each = (self.alone.kept[-1].tokens or 0) // len(self.alone.kept)
        return each * len(self.killed.lost)


class Machine:
    """`myriad` as a process, with a database and a folder of runs of its own."""

    def __init__(self, folder: Path, on: str = "local", environment: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.on, self.environment = folder, on, dict(environment or {})
        self.database = folder / "runs.sqlite"
        self.store = Store(str(self.database))

    def myriad(self, *arguments: str) -> str:
        """What one command printed; it must end well."""
        command = [sys.executable, "-P", "-m", "myriad", *arguments, "--database", str(self.database)]
        environment = os.environ | self.environment | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=environment)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def launch(self, system: Path, job: str, steps: int) -> str:
        """The id of a run that was started and left to its supervisor."""
        runs = str(self.folder / "runs")
        flags = ("--job", job, "--on", self.on, "--steps", str(steps), "--folder", runs, "--detach")
        self.myriad("launch", str(system), *flags)
        return run_summaries(self.store)[0].run

    def wait(self, what: str, run: str, happened: Callable[[], bool]) -> None:
        """Waits until it has; a run that ended before is an error."""
        end = time.monotonic() + PATIENCE_S
        while not happened():
            summary = run_of(self.store, run).summary
            assert summary.state not in ENDED, f"{run} {summary.state} before {what}: {summary.reason}"
            assert time.monotonic() < end, f"{run}: no {what} within {PATIENCE_S:.0f} s; {summary}"
            time.sleep(0.1)

    def wait_for_end(self, run: str) -> Told:
        """Everything about the run, once it has ended."""
        end = time.monotonic() + PATIENCE_S
        while (record := run_of(self.store, run)).summary.state not in ENDED:
            assert time.monotonic() < end, f"{run} did not end within {PATIENCE_S:.0f} s: {record.summary}"
            time.sleep(0.1)
        one = record.summary
        return Told(
            run, one.state, one.reason, steps_of(self.store, run), events_of(self.store, run),
            lives_of(self.store, run), (one.ended_s or 0.0) - one.created_s,
            len(rank_events_of(self.store, run, ("checkpoint",))),
        )  # fmt: skip

    def written(self, run: str) -> list[tuple[str, dict[str, object]]]:
        """What rank 0 wrote, by life, straight from its files: nobody reads them for us while no supervisor lives."""
        files = sorted((run_of(self.store, run).folder.events).glob("*/rank-00000.jsonl"))
        return [(file.parent.name, json.loads(line)) for file in files for line in file.read_text().splitlines()]

    def kill_rank(self, run: str, rank: int) -> str:
        """Kills one rank of the newest life with -9."""
        lives = sorted(run_of(self.store, run).folder.events.iterdir())
        lines = (lives[-1] / f"rank-{rank:05d}.jsonl").read_text().splitlines()
        pid = next(json.loads(line)["pid"] for line in lines if '"start"' in line)
        os.kill(pid, signal.SIGKILL)
        return f"rank {rank} of life {lives[-1].name} killed"


def study(folder: Path, steps: int, job: str = "quad", system: Path = SYSTEM) -> Study:
    """The job left alone, then killed as the text above says."""
    machine = Machine(folder)
    alone = machine.wait_for_end(machine.launch(system, job, steps))
    run = machine.launch(system, job, steps)
    done = []

    def trained(lives: int, least: int, saved: bool = True) -> Callable[[], bool]:
        def happened() -> bool:
            told = machine.written(run)
            newest = [event for life, event in told if life == told[-1][0]]
            is_far = any(event["kind"] == "step" and int(str(event["step"])) >= least for event in newest)
            has_saved = any(event["kind"] == "checkpoint" for _, event in told)
            return len({life for life, _ in told}) == lives and is_far and (has_saved or not saved)

        return happened

    machine.wait("checkpoint", run, trained(1, steps // 4))
    done.append(machine.kill_rank(run, 1))
    machine.wait("second life", run, trained(2, steps // 2))
    held = json.loads(run_of(machine.store, run).folder.lock.read_text())
    os.kill(held["pid"], signal.SIGKILL)
    done.append("supervisor killed")
    done.append(machine.kill_rank(run, 2) + " while nobody supervised")
    machine.wait("third life", run, trained(3, steps // 2, saved=False))
    begin_s = time.monotonic()
    machine.myriad("supervise", run, "--detach")
    taken_up_s = time.monotonic() - begin_s
    return Study(alone, machine.wait_for_end(run), tuple(done), taken_up_s)


def study_of_node(folder: Path, on: str, steps: int, job: str = "pair", system: Path = SYSTEM) -> Study:
    """The job left alone on this machine, then on a scheduler, its node killed as soon as it has saved."""
    here = Machine(folder / "alone")
    alone = here.wait_for_end(here.launch(system, job, steps))
    with scheduler(on, ranks=2) as (environment, kill_node):
        machine = Machine(folder / on, on, environment)
        run = machine.launch(system, job, steps)

        def steps_of_kind(kind: str) -> list[int]:
            return [int(str(event["step"])) for _, event in machine.written(run) if event["kind"] == kind]

        machine.wait("checkpoint", run, lambda: bool(steps_of_kind("checkpoint")))
        node = node_of(machine.store, run)
        kill_node(node)
        if max(steps_of_kind("step")) == steps:
            raise SystemExit(f"all {steps} steps were trained before the node died: more --steps show a recovery")
        return Study(alone, machine.wait_for_end(run), (f"node {node} killed",), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--on", choices=("local", "slurm", "ray"), default="local")
    parser.add_argument("--steps", type=int, help="default: 40; on Slurm and Ray 300, of which some must follow a save")
    parser.add_argument("--job", help="default: quad; on Slurm and Ray pair")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="kill-and-recover-"))
    folder.mkdir(parents=True, exist_ok=True)
    if given.on == "local":
        found = study(folder, given.steps or 40, given.job or "quad")
    else:
        found = study_of_node(folder, given.on, given.steps or 300, given.job or "pair")
    sys.stdout.write(text(found, folder))


def text(found: Study, folder: Path) -> str:
    """The figures for people."""
    alone, killed = found.alone, found.killed
    lines = [f"folder: {folder}"]
    for event in killed.events:
        where = f" rank {event.rank}" if event.rank is not None else ""
        lines.append(f"  {event.time_s - killed.events[0].time_s:6.1f} s  {event.kind}{where}: {event.text}")
    lines += [
        f"done to it: {'; '.join(found.done)}",
        f"left alone: {alone.state}, {len(alone.kept)} steps in {alone.wall_s:.1f} s, {alone.checkpoints} checkpoints",
        f"killed: {killed.state}, {len(killed.kept)} steps that last and {len(killed.lost)} that were lost, in "
        f"{killed.wall_s:.1f} s, {killed.checkpoints} checkpoints, lives {', '.join(killed.lives)}",
        f"every step once: {found.steps_once}; losses equal bit for bit: {found.losses_equal}",
        f"tokens of every step equal: {found.tokens_equal}; tokens trained on again: {found.tokens_lost:,}",
    ]
    if found.taken_up_s is not None:
        lines.append(f"taken up {found.taken_up_s:.1f} s after `myriad supervise`")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
