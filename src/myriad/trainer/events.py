"""What a rank tells the supervisor: lines that are in the file as soon as they are written."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from myriad.errors import SpecError
from myriad.spec.run import RankEvent, RankEventKind


def life(environment: Mapping[str, str]) -> str:
    """`SSS.RRR`: the submission, and how often ranks were started again within it by torchrun or by Slurm."""
    restarts = sum(int(environment.get(name, "0")) for name in ("TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"))
    return f"{int(environment.get('MYRIAD_SUBMISSION', '0')):03d}.{restarts:03d}"


def peak_memory_bytes() -> int:
    """Most memory of the host that this process has ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class EventLog:
    """Events of one rank in one life. An exception that leaves its `with` block becomes an `error` event.

    Raises SpecError where the file cannot be written.
    """

    def __init__(self, folder: Path, this_life: str, rank: int) -> None:
        self.rank = rank
        self.step: int | None = None
        """Of errors that name none themselves."""
        path = folder / "events" / this_life / f"rank-{rank:05d}.jsonl"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise SpecError(f"folder: {path}: cannot be written: {(error.strerror or str(error)).lower()}") from None
        self._torn = False

    def write(self, kind: RankEventKind, **values: Any) -> None:
        """Appends one line, from any thread. A disk that is full loses the line and not the run."""
        event = RankEvent(kind=kind, time_s=time.time(), rank=self.rank, **values)
        line = event.model_dump_json(exclude_none=True).encode() + b"\n"
        try:
            written = os.write(self._file, b"\n" + line if self._torn else line)
        except OSError as error:
            print(f"rank {self.rank}: event {kind} was lost: {error.strerror}", file=sys.stderr)  # noqa: T201
            return
        self._torn = written < len(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None and not issubclass(kind, SystemExit):
            lines = str(error).splitlines()
            self.write("error", step=self.step, text=f"{kind.__name__}: {lines[0] if lines else ''}")
        os.close(self._file)
