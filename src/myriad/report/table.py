"""The rows of a sweep as a file: CSV, JSON Lines or Parquet, one column per key of `spec.sweep_result.COLUMNS`."""

from __future__ import annotations

import csv
import io
import json
from typing import Final

from myriad.errors import MissingDataError, SpecError, unknown_name
from myriad.spec.sweep_result import COLUMNS, SweepResult

FORMATS: Final = (".parquet", ".csv", ".jsonl")


def check_format(suffix: str) -> None:
    """Raises SpecError for a suffix that is no format, MissingDataError for Parquet without pyarrow."""
    if suffix not in FORMATS:
        raise SpecError(unknown_name("format of rows", suffix, FORMATS))
    if suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise MissingDataError(
                "Parquet needs the package pyarrow: pip install 'myriad-ai[sweep]', or name a .csv or .jsonl file"
            ) from None


def rows_bytes(result: SweepResult, suffix: str) -> bytes:
    """The rows as the content of a file with this suffix of `FORMATS`, numbers unrounded.

    A value that does not apply is an empty cell in CSV and null in the others. Raises as `check_format`.
    """
    check_format(suffix)
    rows = [row.flat() for row in result.rows]
    if suffix == ".parquet":
        return _parquet(rows)
    text = io.StringIO(newline="")
    if suffix == ".csv":
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        text.writelines(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    return text.getvalue().encode()


def _parquet(rows: list[dict[str, str | int | float | bool | None]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, types[column.kind]) for name, column in COLUMNS.items()])
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    return sink.getvalue()
