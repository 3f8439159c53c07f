"""One run with a scheduler and a clock that do what a test says; database and files are real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from myriad.run.described import Sighting
from myriad.run.policy import Policy
from myriad.run.readings import events_of, run_of
from myriad.run.store import Store
from myriad.run.supervisor import Supervisor
from myriad.spec.run import RunEvent
from myriad.spec.training_launch import TrainingLaunch
from run_fixtures import a_step, small_launch, write_events
from scripted_backend import RUNNING, ScriptedBackend, ScriptedClock

POLICY = Policy(look_every=1.0, hang_floor=30.0, start_floor=100.0, lost_after=5.0)


class Story:
    """One run with a scripted scheduler and clock."""

    def __init__(
        self,
        tmp_path: Path,
        launch: TrainingLaunch | None = None,
        policy: Policy = POLICY,
        database: str | None = None,
    ) -> None:
        self.store = Store(database or str(tmp_path / "runs.sqlite"))
        self.launch = launch or small_launch()
        self.run = self.store.enter_run(self.launch, tmp_path, policy)
        self.folder = tmp_path / self.run
        self.backend = ScriptedBackend()
        self.time = ScriptedClock()
        for name in ("files", "logs", "events"):
            (self.folder / name).mkdir(parents=True)

    def supervisor(self, **more: Any) -> Supervisor:
        return Supervisor(self.store, self.run, self.backend, clock=self.time.clock(), **more)

    def supervise(self) -> str:
        return self.supervisor().supervise()

    def writes(self, life: str, first: int, last: int, seen: Sighting = RUNNING, ranks: int = 4) -> Callable[[], Any]:
        """A look at which ranks have written a life from `first` to `last`."""

        def write() -> Sighting:
            self.write_life(life, first, last, ranks)
            return seen

        return write

    def write_life(self, life: str, first: int, last: int, ranks: int = 4) -> None:
        for rank in range(ranks):
            start = {
                "kind": "start",
                "step": first - 1,
                "host": f"n{rank // 2 + 1}",
                "pid": 100 + rank,
                "world_size": 4,
            }
            steps = [a_step(step, loss=1.0 / step if rank == 0 else None) for step in range(first, last + 1)]
            write_events(self.folder, life, rank, start, *steps)

    def events(self, *kinds: str) -> list[RunEvent]:
        return [event for event in events_of(self.store, self.run) if not kinds or event.kind in kinds]

    @property
    def reason(self) -> str:
        return run_of(self.store, self.run).summary.reason
