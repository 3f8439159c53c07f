"""Logs as CSV: columns by name in any order, times as ISO 8601 or seconds, durations with units; errors by line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from myriad.errors import SpecError
from myriad.units import parse_quantity
from myriad.validate.csv_rows import header_names

MOST_BYTES: Final = 1_000_000_000
Cell = Callable[[str], Any]


def time_of(text: str) -> tuple[float, bool]:
    """Seconds, and whether they are a date's: of the epoch for ISO 8601 (UTC where no zone is given), else as given.

    >>> time_of("1970-01-02T00:00:00Z"), time_of("12.5")
    ((86400.0, True), (12.5, False))
    """
    try:
        return parse_quantity(float(text), "seconds"), False
    except ValueError:
        moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), True


def duration(text: str) -> float:
    """Seconds of a duration of at least 0: bare seconds, or with a unit as in system files: `25 min`, `3h`."""
    seconds = parse_quantity(text, "seconds")
    if seconds < 0.0:
        raise ValueError(text)
    return seconds


def read_columns(
    path: Path, cells: Mapping[str, tuple[Cell, str]], required: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and filled cells of each row. `cells`: column -> (what reads it, what it holds in words).

    Columns that are not among them are passed over. Raises SpecError with file, line and column for a column that is
    missing or nearly right, a required cell that is empty, and a cell that is not what its column holds.
    """
    reader = csv.reader(_lines(path), strict=True)
    try:
        names = header_names(next(reader, []), cells, required, str(path))
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, _row(f"{path}:{reader.line_num}", names, row, cells, required)
    except csv.Error as error:
        raise SpecError(f"{path}:{reader.line_num}: not a CSV file ({error})") from None


def _lines(path: Path) -> Iterator[str]:
    try:
        if not path.is_file():
            raise SpecError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}, expected a CSV file")
        if path.stat().st_size > MOST_BYTES:
            raise SpecError(f"{path}: is larger than {MOST_BYTES / 1e9:.0f} GB, the most that is read")
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from file
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {(error.strerror or 'unknown reason').lower()}") from None
    except UnicodeDecodeError:
        raise SpecError(f"{path}: is not UTF-8 text") from None


def _row(
    where: str, names: list[str], row: list[str], cells: Mapping[str, tuple[Cell, str]], required: Sequence[str]
) -> dict[str, Any]:
    if len(row) != len(names):
        raise SpecError(f"{where}: expected {len(names)} cells as in the header, found {len(row)}")
    found: dict[str, Any] = {}
    for name, text in zip(names, row, strict=True):
        if name in cells and (given := text.strip()):
            read, holds = cells[name]
            try:
                found[name] = read(given)
            except (ValueError, OverflowError):
                raise SpecError(f"{where}: {name}: expected {holds}, found {given[:60]!r}") from None
    for name in required:
        if name not in found:
            raise SpecError(f"{where}: {name}: expected {cells[name][1]}, found nothing")
    return found
