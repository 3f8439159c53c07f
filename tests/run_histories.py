"""Made runs: what ranks and supervisor would have written. Everything a test needs to count by."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from myriad.run.ingest import ingest
from myriad.run.lives import Life, lives_of
from myriad.run.policy import Policy
from myriad.run.readings import RankEventOf, kept_until, restored_from
from myriad.run.report import report_of
from myriad.run.store import Store
from myriad.spec.run import RankEvent, RunEvent, RunReport, StepRecord
from run_fixtures import small_launch, write_events

PROMISE = {
    "step_s": 1.5, "step_low_s": 1.2, "step_high_s": 1.8, "tokens_per_step": 1000.0, "model_flops_per_token": 4e9,
    "peak_flops_per_s": 1e12, "mfu": 2 / 3, "memory_peak_bytes": 900.0, "ettr": 0.5,
    "ledger": {"productive": 0.5, "lost_work": 0.2, "restart": 0.3}, "mean_time_to_interruption_s": 100.0,
    "checkpoint_interval_s": 18.0, "checkpoint_blocking_s": 1.0, "restart_s": 4.0,
}  # fmt: skip
"""Of the jobs of these runs."""


@dataclass
class History:
    """A run that grows; times in seconds from `start_s`."""

    start_s: float = 1_000_000.0
    step_s: float = 2.0
    tokens_per_step: int = 1000
    ranks: int = 2
    now_s: float = 0.0
    events: dict[str, list[RankEvent]] = field(default_factory=dict)
    told: list[RunEvent] = field(default_factory=list)

    @property
    def lives(self) -> tuple[Life, ...]:
        return lives_of(self.steps, self.rank_events)

    @property
    def rank_events(self) -> list[RankEventOf]:
        every = [(life, one) for life, events in self.events.items() for one in events]
        return [RankEventOf(life, one) for life, one in every if one.kind != "step"]

    @property
    def steps(self) -> list[StepRecord]:
        """As the database has them."""
        until = kept_until(self.events, restored_from(one for one in self.rank_events if one.event.kind == "start"))
        return [
            StepRecord(
                life=life, step=one.step or 0, time_s=one.time_s, step_s=one.step_s or 0.0, loss=one.loss,
                tokens=one.tokens, tokens_crc=one.tokens_crc, memory_bytes=(one.memory_bytes or 0) + self.ranks - 1,
                kept=(one.step or 0) <= until[life],
            )
            for life, events in self.events.items()
            for one in events
            if one.kind == "step" and one.rank == 0
        ]  # fmt: skip

    @property
    def time_s(self) -> float:
        return self.start_s + self.now_s

    def tell(self, kind: str, after_s: float = 0.0, **more: object) -> None:
        self.now_s += after_s
        self.told.append(RunEvent.model_validate({"time_s": self.time_s, "kind": kind, **more}))

    def submit(self, number: int = 0, queued_s: float = 0.0) -> None:
        self.tell("submitted", submission=number)
        self.tell("running", queued_s, submission=number)

    def begin(self, life: str, restored: int = 0, start_s: float = 5.0, read_s: float = 0.0) -> None:
        self.now_s += start_s
        for rank in range(self.ranks):
            self._write(life, "start", rank, step=restored, start_s=start_s, read_s=read_s, host=f"n{rank}", pid=1)

    def train(self, life: str, first: int, last: int, step_s: float | None = None, checkpoint_every: int = 0,
              blocking_s: float = 0.5) -> None:  # fmt: skip
        length_s = self.step_s if step_s is None else step_s
        for step in range(first, last + 1):
            self.now_s += length_s
            for rank in range(self.ranks):
                told = (
                    {"loss": 10.0 / step, "tokens": step * self.tokens_per_step, "tokens_crc": step} if not rank else {}
                )
                self._write(life, "step", rank, step=step, step_s=length_s, own_s=length_s / 2,
                            memory_bytes=1000 + rank, **told)  # fmt: skip
            if checkpoint_every and step % checkpoint_every == 0:
                self.now_s += blocking_s
                self._write(life, "checkpoint", 0, step=step, blocking_s=blocking_s, write_s=blocking_s, bytes=4000)

    def finish(self, life: str, step: int) -> None:
        self._write(life, "finish", 0, step=step)

    def _write(self, life: str, kind: str, rank: int, **more: object) -> None:
        one = {"kind": kind, "time_s": self.time_s, "rank": rank, **more}
        self.events.setdefault(life, []).append(RankEvent.model_validate(one))


def killed_twice() -> History:
    """Submitted at 0; 10 s queued, 5 s to start; 25 steps of 2 s, saved each 10th for 0.5 s; killed twice.

    Life 0.0 makes 1 to 13 and is started again by its agent 3 s later; 0.1 makes 11 to 22 and its submission exits,
    seen 4 s later, decided 1 s later, queued for 20 s; 1.0 makes 21 to 25 and finishes, seen 2 s later.
    """
    run = History()
    run.tell("created")
    run.submit(0, queued_s=10.0)
    run.begin("000.000")
    run.train("000.000", 1, 13, checkpoint_every=10)
    run.now_s += 3.0
    run.begin("000.001", 10)
    run.train("000.001", 11, 22, checkpoint_every=10)
    run.tell("exit", 4.0, submission=0)
    run.tell("restart", 1.0)
    run.submit(1, queued_s=20.0)
    run.begin("001.000", 20)
    run.train("001.000", 21, 25, checkpoint_every=10)
    run.finish("001.000", 25)
    run.tell("finished", 2.0)
    return run


def stored(run: History, folder: Path, state: str = "finished", steps: int = 25) -> RunReport:
    """The report of a run that went through files and database."""
    with Store(str(folder / "runs.sqlite")) as store:
        name = store.enter_run(small_launch(steps=steps, **PROMISE), folder, Policy())
        for life, events in run.events.items():
            for one in events:
                write_events(folder / name, life, one.rank, one.model_dump(exclude_none=True))
        ingest(store, name, folder / name / "events")
        told = [one for one in run.told if one.kind != "created"]
        ended = {"ended_s": run.time_s} if state == "finished" else {}
        store.change(name, {"state": state, "created_s": run.start_s, **ended}, told)
        return report_of(store, name, run.time_s)
