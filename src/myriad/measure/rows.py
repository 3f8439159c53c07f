"""Rows of measured times, and the file that they are kept in."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace


@dataclass(frozen=True)
class Row:
    """One operation of one size, measured on all ranks at once."""

    operation: str
    """`gemm`, `attention`, `copy`, `add`, `launch`, a kind of `spec.calibration.Eager`, a collective of nccl-tests."""
    direction: str
    """`forward` or `backward`; of a product's backward pass both products together."""
    m: int
    """Rows of a product or of an element-wise operation; query tokens of attention; bytes of a collective."""
    n: int
    """Columns of the same; heads of attention; ranks of a collective."""
    k: int
    """Inner dimension of a product; head size of attention."""
    batch: int
    """Sequences of attention, else 1."""
    seconds: float
    """Median over the rounds of the median over repetitions of the mean over ranks."""
    low_s: float
    """The fastest repetition of all."""
    high_s: float
    """The slowest one."""


def merged(rounds: Sequence[Sequence[Row]]) -> list[Row]:
    """What several rounds over the same operations found of each."""
    return [
        replace(
            same[0], seconds=statistics.median(row.seconds for row in same),
            low_s=min(row.low_s for row in same), high_s=max(row.high_s for row in same),
        )
        for same in zip(*rounds, strict=True)
    ]  # fmt: skip


def rows_csv(rows: list[Row]) -> str:
    """The rows as a table."""
    out = io.StringIO()
    table = csv.DictWriter(out, [field.name for field in fields(Row)], lineterminator="\n")
    table.writeheader()
    for row in rows:
        times = {name: f"{getattr(row, name):.4g}" for name in ("seconds", "low_s", "high_s")}
        table.writerow({**asdict(row), **times})
    return out.getvalue()


def read_rows(text: str) -> list[Row]:
    """The rows of a table that `rows_csv` wrote."""
    numbers = {"m": int, "n": int, "k": int, "batch": int, "seconds": float, "low_s": float, "high_s": float}
    return [Row(**{k: numbers.get(k, str)(v) for k, v in row.items()}) for row in csv.DictReader(io.StringIO(text))]
