"""Measurements as CSV: cells read by column into frozen rows, with errors that name file, line and column."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, TypeVar

from myriad.catalog.yaml_file import read_text
from myriad.errors import SpecError, nearest, unknown_name
from myriad.spec.base import Spec

QUALITIES: Final = ("primary", "secondary", "suspect")
"""What a row may decide: only primary ones judge."""


class MeasuredRow(Spec):
    """One measurement, known by its id."""

    id: str


Row = TypeVar("Row", bound=MeasuredRow)


def count(value: str) -> int:
    """A whole number of at least 1; `16.0` is 16."""
    number = float(value)
    if number != int(number) or number < 1:
        raise ValueError(value)
    return int(number)


def positive(scale: float) -> Callable[[str], float]:
    """A reader of numbers above 0, in units of `scale`."""

    def parse(value: str) -> float:
        number = float(value)
        if not math.isfinite(number) or number <= 0:
            raise ValueError(value)
        return number * scale

    return parse


def one_of(allowed: Sequence[str]) -> Callable[[str], str]:
    """A reader of names out of a list."""

    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError(value)
        return value

    return parse


class Reader(NamedTuple):
    """How a non-empty cell is read, and what it holds in words."""

    parse: Callable[[str], Any]
    holds: str


TEXT: Final = Reader(str, "a text")
COUNT: Final = Reader(count, "a whole number of at least 1")
NUMBER: Final = Reader(positive(1.0), "a number above 0")
QUALITY: Final = Reader(one_of(QUALITIES), "one of " + ", ".join(QUALITIES))


def header_names(fields: Sequence[str], columns: Collection[str], required: Sequence[str], where: str) -> list[str]:
    """The columns that a header names; `where` names the file.

    Raises SpecError for an empty one, a name that stands twice or is almost a known one, and a missing column.
    """
    names = [field.strip() for field in fields]
    if not any(names):
        raise SpecError(f"{where}:1: the file is empty; expected a header line with {', '.join(required)}, ...")
    for name in names:
        if name and names.count(name) > 1:
            raise SpecError(f"{where}:1: the column {name!r} stands twice")
        missing = [column for column in columns if column not in names]
        # Further columns of the user's own are fine, but one that is almost a known name is a slip.
        if name not in columns and nearest(name, missing):
            raise SpecError(f"{where}:1: {unknown_name('column', name, missing)}")
    for name in required:
        if name not in names:
            near = nearest(name, [other for other in names if other not in columns])
            raise SpecError(f"{where}:1: the column {name!r} is missing{near}; needed are: {', '.join(required)}")
    return names


@dataclass(frozen=True)
class Table(Generic[Row]):
    """The columns of one kind of measurement, and the rows that they fill."""

    row: type[Row]
    columns: Mapping[str, tuple[str, Reader]]
    """Column -> (field of the row, reader of its cells)."""
    required: Sequence[str]
    """Columns that a file must have; their cells may be empty except those of `filled`."""
    filled: Sequence[str]

    def parse(self, text: str, where: str) -> list[Row]:
        """The rows of a CSV text; `where` names it in errors.

        Raises SpecError with file, line and column for a missing or misspelt column, a cell that is not
        what its column holds, a row of another length, and an id that stands twice.
        """
        rows: list[Row] = []
        line_of: dict[str, int] = {}
        for line, row in self._lines(text, where):
            if row.id in line_of:
                raise SpecError(f"{where}:{line}: id: {row.id!r} stands already in line {line_of[row.id]}")
            line_of[row.id] = line
            rows.append(row)
        if not rows:
            raise SpecError(f"{where}: a header but no rows")
        return rows

    def read(self, path: Path) -> list[Row]:
        """The rows of a user's CSV file, see `parse`. Raises SpecError if it cannot be read as text."""
        return self.parse(read_text(path, "CSV"), str(path))

    def shipped(self, folder: str) -> list[Row]:
        """The rows that come with the package in one folder, by file name; `sources.yaml` beside them cites."""
        place = resources.files("myriad") / "data" / "measurements" / folder
        files = sorted((f for f in place.iterdir() if f.name.endswith(".csv")), key=lambda f: f.name)
        return [row for f in files for row in self.parse(f.read_text("utf-8"), f.name)]

    def _lines(self, text: str, where: str) -> Iterator[tuple[int, Row]]:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            names = header_names(next(reader, []), self.columns, self.required, where)
            for cells in reader:
                if any(c.strip() for c in cells):
                    yield reader.line_num, self._row(names, cells, f"{where}:{reader.line_num}")
        except csv.Error as error:
            raise SpecError(f"{where}:{reader.line_num}: not a CSV file ({error})") from None

    def _row(self, names: list[str], cells: list[str], where: str) -> Row:
        if len(cells) != len(names):
            raise SpecError(f"{where}: expected {len(names)} cells as in the header, found {len(cells)}")
        values = {n: c.strip() for n, c in zip(names, cells, strict=True) if c.strip() and n in self.columns}
        for name in self.filled:
            if name not in values:
                raise SpecError(f"{where}: {name}: expected a text, found nothing")
        found = {self.columns[n][0]: self._cell(n, c, where) for n, c in values.items()}
        return self.row.model_validate(found)

    def _cell(self, column: str, text: str, where: str) -> Any:
        reader = self.columns[column][1]
        try:
            return reader.parse(text)
        except (ValueError, OverflowError):
            raise SpecError(f"{where}: {column}: expected {reader.holds}, found {text[:60]!r}") from None
