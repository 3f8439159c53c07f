"""Traces of jobs in files, told apart by their first line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from myriad.errors import SpecError
from myriad.sim.jobs.traces import kubernetes, openb, sacct, table
from myriad.sim.jobs.traces.recorded import Recorded
from myriad.sim.trace_files import csv_rows, json_rows, read_text

FORMATS: Final = {
    "own CSV": table.NEEDED,
    "pods of Alibaba's cluster data": openb.NEEDED,
    "sacct -P": sacct.NEEDED,
}
"""Format -> columns that its header must have. JSON Lines are objects of Kubernetes."""


def read_jobs(path: Path) -> Recorded:
    """The jobs of a file in any of the formats, packed by gzip (`.gz`) or not.

    Raises SpecError with file and line for anything that is wrong, and where no job remains.
    """
    text = read_text(path)
    first = text.lstrip().partition("\n")[0]
    if first.startswith("{"):
        return kubernetes.read_kubernetes(path, json_rows(path, text)).recorded(path)
    delimiter = "|" if "|" in first else ","
    header = {name.strip() for name in first.split(delimiter)}
    for needed, read in ((table.NEEDED, table.read_table), (openb.NEEDED, openb.read_openb)):
        if header.issuperset(needed):
            return read(path, _whole(path, csv_rows(path, text))).recorded(path)
    if header.issuperset(sacct.NEEDED):
        if not header & {"AllocTRES", "ReqTRES"}:
            raise SpecError(f"{path}:1: the GPUs of jobs are missing: add AllocTRES to the fields of sacct")
        return sacct.read_sacct(path, _whole(path, csv_rows(path, text, delimiter))).recorded(path)
    allowed = "; ".join(f"{name}: {', '.join(columns)}" for name, columns in FORMATS.items())
    raise SpecError(
        f"{path}:1: found {first[:80]!r}; expected JSON Lines or the columns of a trace of jobs ({allowed})"
    )


def _whole(path: Path, rows: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows. Raises SpecError at the first that has not as many cells as the header."""
    for line, row in rows:
        if None in row or None in row.values():
            raise SpecError(f"{path}:{line}: has {'more' if None in row else 'fewer'} cells than the header")
        yield line, row
