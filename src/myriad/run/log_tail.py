"""Output of a submission, followed: what its framework prints becomes events in the files that ranks would write."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from myriad.run.described import RunFolder
from myriad.run.log_lines import LogReader, log_reader
from myriad.spec.training_launch import TrainingLaunch

_MOST_BYTES: Final = 8_000_000
"""Read at once; the rest comes with the next reading."""


class LogTail:
    """Reads `logs/SSS.log` as it grows and appends to `events/SSS.RRR/rank-00000.jsonl`.

    Nothing is kept beside these files: another tail, after a supervisor that was killed, reads the log from its start
    and leaves out as many events of each life as its file has.
    """

    def __init__(self, folder: RunFolder, submission: int, reader: LogReader) -> None:
        self._log = folder.logs / f"{submission:03d}.log"
        self._events = folder.events
        self._submission = submission
        self._reader = reader
        self._offset = 0
        self._written: dict[str, int] = {}
        self._seen: dict[str, int] = {}

    def poll(self) -> int:
        """Reads what is new, and gives the number of events that it added. Raises OSError where it cannot write."""
        try:
            with self._log.open("rb") as file:
                file.seek(self._offset)
                raw = file.read(_MOST_BYTES)
        except FileNotFoundError:
            return 0
        whole, newline, _ = raw.rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        added = 0
        for line in whole.decode("utf-8", errors="replace").split("\n"):
            for restart, event in self._reader.read(line):
                life = f"{self._submission:03d}.{restart:03d}"
                path = self._events / life / "rank-00000.jsonl"
                if life not in self._written:
                    self._written[life] = _lines(path)
                self._seen[life] = self._seen.get(life, 0) + 1
                if self._seen[life] > self._written[life]:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with path.open("a", encoding="utf-8") as out:
                        out.write(event.model_dump_json(exclude_none=True) + "\n")
                    self._written[life] += 1
                    added += 1
        return added


def log_tail(folder: RunFolder, submission: int, launch: TrainingLaunch) -> LogTail | None:
    """The tail of a submission; `None` where ranks write events themselves, or nothing is known of what they print."""
    reader = log_reader(launch)
    return None if reader is None else LogTail(folder, submission, reader)


def _lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0
