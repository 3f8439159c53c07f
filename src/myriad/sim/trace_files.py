"""Files of traces as rows with their line numbers: CSV and JSON Lines, packed by gzip or not."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from myriad.errors import SpecError

MOST_BYTES: Final = 2_000_000_000


def read_text(path: Path) -> str:
    """The text of a file, unpacked where it ends with `.gz`. Raises SpecError where that cannot be."""
    try:
        if not path.is_file():
            raise SpecError(f"{path}: no such file")
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except (OSError, EOFError) as error:
        raise SpecError(f"{path}: cannot be read: {str(error).lower()}") from None
    if len(raw) > MOST_BYTES:
        raise SpecError(f"{path}: is larger than {MOST_BYTES / 1e9:.0f} GB, the most that is read")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}:{raw.count(10, 0, error.start) + 1}: is not UTF-8 text") from None


def csv_rows(path: Path, text: str, delimiter: str = ",") -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a CSV with a header, each with its line; only commas know quotes. Raises SpecError with file and line."""
    file = io.StringIO(text, newline="")
    reader = (
        csv.DictReader(file) if delimiter == "," else csv.DictReader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    )
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise SpecError(f"{path}:{reader.line_num}: {error}") from None


def json_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects of JSON Lines, each with its line. Raises SpecError with file and line."""
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except (json.JSONDecodeError, RecursionError):
            raise SpecError(f"{path}:{line}: is not JSON") from None
        if not isinstance(row, dict):
            raise SpecError(f"{path}:{line}: expected an object, one per line")
        yield line, row
