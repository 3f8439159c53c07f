"""A file of finished results, one line each, that survives an end at any moment."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from myriad.errors import SpecError

_HEAD: Final = {"format": "myriad-journal-1"}


class Journal:
    """Results by key in a JSON Lines file: read when it is opened, added to as results come, never rewritten.

    Each line is handed to the system as a whole when its result comes. A last line that an end cut short is
    dropped. Raises SpecError for a file that is no journal, before anything is written to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.results: dict[str, Any] = {}
        try:
            self._file: BinaryIO = path.open("a+b")
        except OSError as error:
            raise SpecError(f"{path}: cannot be opened: {(error.strerror or str(error)).lower()}") from None
        try:
            self._read()
        except BaseException:
            self._file.close()
            raise

    def _read(self) -> None:
        self._file.seek(0)
        raw = self._file.read()
        whole, newline, _half = raw.rpartition(b"\n")
        lines = whole.split(b"\n") if newline else []
        for number, line in enumerate(lines, start=1):
            entry = _entry(line)
            if number == 1 and entry != _HEAD:
                raise SpecError(f"{self.path}: is not a journal of a sweep; name another output, or move it away")
            if number > 1:
                if not isinstance(entry, dict) or entry.keys() != {"key", "result"}:
                    raise SpecError(f"{self.path}:{number}: is damaged; remove this line, or the file to start anew")
                self.results[entry["key"]] = entry["result"]
        if not lines:
            if raw and not _line(_HEAD).startswith(raw):
                raise SpecError(f"{self.path}: is not a journal of a sweep; name another output, or move it away")
            self._file.truncate(0)
            self._append(_HEAD)
        elif len(raw) > len(whole) + 1:
            self._file.truncate(len(whole) + 1)

    def add(self, key: str, result: Any) -> None:
        """Adds one finished result, which must be made of what JSON knows."""
        self._append({"key": key, "result": result})
        self.results[key] = result

    def _append(self, entry: Any) -> None:
        self._file.write(_line(entry))
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()


def _line(entry: Any) -> bytes:
    return json.dumps(entry, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _entry(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
