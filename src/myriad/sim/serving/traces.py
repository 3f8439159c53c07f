"""Traces of requests in files: Azure's CSV, Mooncake's JSON Lines, and our own CSV or JSON Lines.

- Azure (github.com/Azure/AzurePublicDataset, 2023): `TIMESTAMP,ContextTokens,GeneratedTokens`.
- Mooncake (github.com/kvcache-ai/Mooncake): `timestamp` in ms, `input_length`, `output_length`, `hash_ids` of blocks of
  512 tokens.
- Ours: `arrival_s`, `input_tokens`, `output_tokens`, and if wanted `priority`, `cached_tokens`; in JSON Lines also
  `block_ids`, whose blocks have `block_tokens` tokens.

The keys of the first line decide. Times count from the first request; requests are put in the order of their times.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from myriad.errors import SpecError
from myriad.sim.serving.arrivals import Arrivals
from myriad.sim.trace_files import csv_rows, json_rows, read_text

AZURE: Final = {"arrival_s": "TIMESTAMP", "input_tokens": "ContextTokens", "output_tokens": "GeneratedTokens"}
MOONCAKE: Final = {"arrival_s": "timestamp", "input_tokens": "input_length", "output_tokens": "output_length"}
OURS: Final = {name: name for name in AZURE}
MOONCAKE_BLOCK_TOKENS: Final = 512


def read_trace(path: Path, block_tokens: int = MOONCAKE_BLOCK_TOKENS) -> Arrivals:
    """The requests of a file, `.csv` or `.jsonl`, either with `.gz`; `block_tokens` holds for our own format.

    An answer of no tokens counts as one token. Raises SpecError with file and line for anything else that is wrong.
    """
    kind = path.suffixes[-2:-1] if path.suffix == ".gz" else [path.suffix]
    if kind not in ([".csv"], [".jsonl"]):
        raise SpecError(f"{path}: expected a .csv or .jsonl file, or one of these with .gz")
    rows = list((csv_rows if kind == [".csv"] else json_rows)(path, read_text(path)))
    if not rows:
        raise SpecError(f"{path}: found no request")
    names = _format(path, rows[0][1])
    time_of: Callable[[Any], float] = {id(AZURE): _timestamp_s, id(MOONCAKE): _milliseconds}.get(id(names), float)
    values = [_row(path, line, row, names, time_of) for line, row in rows]
    values.sort(key=lambda value: value[0])
    columns = list(zip(*values, strict=True))
    arrival_s = np.array(columns[0])
    blocks = columns[5]
    return Arrivals(
        arrival_s=arrival_s - arrival_s[0],
        input_tokens=np.array(columns[1], dtype=np.int64),
        output_tokens=np.array(columns[2], dtype=np.int64),
        priority=np.array(columns[3], dtype=np.int64),
        cached_tokens=np.array(columns[4], dtype=np.int64),
        block_counts=np.array([len(ids) for ids in blocks], dtype=np.int64),
        block_ids=np.array([one for ids in blocks for one in ids], dtype=np.int64),
        block_tokens=MOONCAKE_BLOCK_TOKENS if names is MOONCAKE else block_tokens,
    )


def _format(path: Path, row: dict[str, Any]) -> dict[str, str]:
    for names in (AZURE, MOONCAKE, OURS):
        if all(name in row for name in names.values()):
            return names
    allowed = "; ".join(", ".join(names.values()) for names in (OURS, AZURE, MOONCAKE))
    raise SpecError(f"{path}: found the columns {', '.join(map(str, row))}; expected those of a trace: {allowed}")


def _timestamp_s(value: Any) -> float:
    # Seven digits of a second, where Python takes six.
    whole, _, fraction = str(value).partition(".")
    moment = datetime.fromisoformat(whole.strip())
    return (moment - datetime(1970, 1, 1)).total_seconds() + float(f"0.{fraction or 0}")


def _milliseconds(value: Any) -> float:
    return float(value) / 1e3


def _row(
    path: Path, line: int, row: dict[str, Any], names: dict[str, str], time_of: Callable[[Any], float]
) -> tuple[float, int, int, int, int, tuple[int, ...]]:
    arrival_s = _value(path, line, row, names["arrival_s"], time_of)
    if not np.isfinite(arrival_s):
        raise SpecError(f"{path}:{line}: {names['arrival_s']}: expected a finite time")
    inputs = _value(path, line, row, names["input_tokens"], _whole)
    outputs = _value(path, line, row, names["output_tokens"], _whole)
    for name, count in ((names["input_tokens"], inputs - 1), (names["output_tokens"], outputs)):
        if count < 0:
            raise SpecError(f"{path}:{line}: {name}: found {row[name]}, expected 1 or more tokens")
    blocks = _value(path, line, row, "hash_ids" if names is MOONCAKE else "block_ids", _ids)
    priority = _value(path, line, row, "priority", _whole)
    cached = _value(path, line, row, "cached_tokens", _whole)
    return arrival_s, inputs, max(outputs, 1), priority, cached, blocks


def _value(path: Path, line: int, row: dict[str, Any], name: str, read: Callable[[Any], Any]) -> Any:
    try:
        return read(row.get(name))
    except (TypeError, ValueError):
        raise SpecError(f"{path}:{line}: {name}: found {str(row.get(name))[:60]!r}") from None


def _whole(value: Any) -> int:
    if value is None or value == "":
        return 0
    number = float(value)
    if number != int(number) or abs(number) > 1e12:
        raise ValueError(value)
    return int(number)


def _ids(value: Any) -> tuple[int, ...]:
    if value is None or value == "":
        return ()
    if not isinstance(value, list) or not all(type(one) is int and abs(one) < 2**63 for one in value):
        raise ValueError(value)
    return tuple(value)
