"""What a supervisor asks of a scheduler, and the folder that everyone of a run shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from myriad.errors import LaunchError


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps its files; all nodes see it."""

    path: Path

    @property
    def launch(self) -> Path:
        """The `TrainingLaunch` that it was made from, JSON."""
        return self.path / "launch.json"

    @property
    def files(self) -> Path:
        """What was rendered: scripts, options, `trainer.json`."""
        return self.path / "files"

    @property
    def events(self) -> Path:
        """`LIFE/rank-00000.jsonl`, see `spec.run.RankEvent`."""
        return self.path / "events"

    @property
    def logs(self) -> Path:
        """Output: `SSS.log` of each submission, and whatever the scheduler adds beside it."""
        return self.path / "logs"

    @property
    def unhealthy(self) -> Path:
        """Nodes that failed their check before ranks were started: a line `SUBMISSION NODE REASON` each."""
        return self.path / "unhealthy.txt"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def control(self) -> Path:
        """`TrainerControl`, JSON, replaced as a whole."""
        return self.path / "control.json"

    @property
    def lock(self) -> Path:
        """Held (flock) by the supervisor of the run; it is free as soon as that process is gone."""
        return self.path / "supervisor.lock"


@dataclass(frozen=True)
class Submission:
    """One job as it is given to a scheduler."""

    run: str
    number: int
    """From 0; the scheduler knows it as `RUN-NUMBER`."""
    folder: RunFolder
    environment: dict[str, str]
    excluded_nodes: tuple[str, ...] = ()
    """That a health check or an earlier failure found bad."""

    @property
    def name(self) -> str:
        return f"{self.run}-{self.number:03d}"


@dataclass(frozen=True)
class Sighting:
    """A submission as its scheduler sees it now."""

    state: Literal["queued", "running", "ended", "unknown"]
    """`unknown`: the scheduler has no record of it (any more)."""
    exit_code: int | None = None
    """Of `ended`: 0 is success; negative is a signal."""
    reason: str = ""
    """The scheduler's own word: `NODE_FAIL`, `OutOfMemory`, `Priority`."""
    restarts: int = 0
    """How often the scheduler itself has started it again."""
    nodes: tuple[str, ...] = ()
    failed_nodes: tuple[str, ...] = ()


class Backend(Protocol):
    """One scheduler. Every call may raise `BackendError`, upon which the supervisor tries again later.

    Submitting twice must not start two jobs: after a crash between submitting and writing it down, the supervisor
    calls `find` before it submits again.
    """

    def submit(self, submission: Submission) -> str:
        """Starts it and gives the handle that the scheduler knows it by. Raises `RefusedError` where it never will."""

    def find(self, submission: Submission) -> str | None:
        """The handle of a submission that was made before; `None` if there is none."""

    def look(self, handle: str) -> Sighting:
        """How it is now."""

    def cancel(self, handle: str) -> None:
        """Ends it with all its processes; nothing if it has ended."""

    def restart(self, handle: str) -> bool:
        """Asks the scheduler to stop and requeue it; `False` where it cannot, so that it is cancelled and submitted."""


class BackendError(LaunchError):
    """The scheduler does not answer, or answered what nobody understands; it may later."""


class RefusedError(LaunchError):
    """The scheduler refused for good: a partition that does not exist, more nodes than there are."""
