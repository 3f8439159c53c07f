"""A scheduler that does what a test says, in order: the double for what a real one would take days to do.

It remembers what it was given, so that nothing can be submitted twice without a test seeing it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from myriad.run.clock import Clock
from myriad.run.described import BackendError, Sighting, Submission

RUNNING = Sighting(state="running", nodes=("n1", "n2"))


def ended(code: int | None, **more: object) -> Sighting:
    return replace(Sighting(state="ended", exit_code=code), **more)  # type: ignore[arg-type]


@dataclass
class ScriptedBackend:
    """`sightings` by submission; the last one stays. An error in it is raised, a function is called first."""

    sightings: dict[int, list[Sighting | BackendError | Callable[[], Sighting]]] = field(default_factory=dict)
    submit_errors: list[BackendError | None] = field(default_factory=list)
    """Raised by one submit after another."""
    requeues: bool = False
    submitted: list[Submission] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    restarted: list[str] = field(default_factory=list)

    def submit(self, submission: Submission) -> str:
        if self.submit_errors and (error := self.submit_errors.pop(0)) is not None:
            raise error
        assert self.find(submission) is None, f"{submission.name} was submitted twice"
        self.submitted.append(submission)
        return submission.name

    def find(self, submission: Submission) -> str | None:
        known = [one.name for one in self.submitted]
        return submission.name if submission.name in known else None

    def look(self, handle: str) -> Sighting:
        if handle in self.cancelled:
            return Sighting(state="ended", exit_code=-15)
        script = self.sightings.setdefault(int(handle[-3:]), [RUNNING])
        seen = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(seen, BackendError):
            raise seen
        return seen() if callable(seen) else seen

    def cancel(self, handle: str) -> None:
        if handle not in self.cancelled:
            self.cancelled.append(handle)

    def restart(self, handle: str) -> bool:
        if self.requeues:
            self.restarted.append(handle)
        return self.requeues


@dataclass
class ScriptedClock:
    """A clock that sleeping moves, and whose wall may be set."""

    now_s: float = 1000.0
    wall_s: float = 1.8e9
    on_sleep: Callable[[], None] = lambda: None

    def clock(self) -> Clock:
        return Clock(lambda: self.now_s, lambda: self.wall_s, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.wall_s += seconds
        self.on_sleep()
