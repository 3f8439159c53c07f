"""Rows of published on-device speeds: one CSV format for the shipped rows and for a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from myriad.spec.on_device import COMPUTE_UNITS, ComputeUnit
from myriad.validate.csv_rows import COUNT, NUMBER, TEXT, MeasuredRow, Reader, Table, one_of, positive


class DeviceRow(MeasuredRow):
    """One measured run on a device as its source prints it; `None` or an empty text where it says nothing."""

    source: str
    document: str = ""
    date: str = ""
    device: str
    """Name of the device; `* 4` at its end says how many."""
    chip: str = ""
    device_class: str = ""
    model: str
    quantisation: str = ""
    runtime: str = ""
    unit: ComputeUnit | None = None
    batch: int = 1
    context_tokens: int | None = None
    """Context that was set, or tokens of the prompts of all sequences."""
    prefill_tokens_per_s: float | None = None
    ttft_s: tuple[float, float] | None = None
    """Least and most; equal where one figure is printed."""
    decode_tokens_per_s: float | None = None
    drafting: str = ""
    accepted_tokens: float | None = None
    notes: str = ""


def _least_and_most(value: str) -> tuple[float, float]:
    numbers = [float(part) / 1e3 for part in value.split("-")]
    if len(numbers) > 2 or not all(0 < number < float("inf") for number in numbers):
        raise ValueError(value)
    return min(numbers), max(numbers)


_RANGE: Final = Reader(_least_and_most, "milliseconds above 0 or a range of them, such as 98.6-3156.1")
_UNIT: Final = Reader(one_of(COMPUTE_UNITS), "one of " + ", ".join(COMPUTE_UNITS))
_ACCEPTED: Final = Reader(positive(1.0), "tokens per pass, a number above 0")

#: Column -> (field of DeviceRow, reader of its cells).
COLUMNS: Final[dict[str, tuple[str, Reader]]] = {
    "id": ("id", TEXT),
    "source": ("source", TEXT),
    "url": ("document", TEXT),
    "date": ("date", TEXT),
    "device": ("device", TEXT),
    "chip": ("chip", TEXT),
    "device_class": ("device_class", TEXT),
    "model": ("model", TEXT),
    "quantization": ("quantisation", TEXT),
    "runtime": ("runtime", TEXT),
    "compute_unit": ("unit", _UNIT),
    "batch": ("batch", COUNT),
    "context_or_prompt_tokens": ("context_tokens", COUNT),
    "prefill_tok_s": ("prefill_tokens_per_s", NUMBER),
    "ttft_ms": ("ttft_s", _RANGE),
    "decode_tok_s": ("decode_tokens_per_s", NUMBER),
    "spec_decoding": ("drafting", TEXT),
    "accept_len": ("accepted_tokens", _ACCEPTED),
    "notes": ("notes", TEXT),
}

REQUIRED: Final = ("id", "source", "device", "model", "quantization", "runtime", "compute_unit")
"""Columns that a file must have; their cells may be empty except those of `FILLED`."""

FILLED: Final = ("id", "source", "device", "model")

_TABLE: Final = Table(DeviceRow, COLUMNS, REQUIRED, FILLED)


def parse_device_rows(text: str, where: str) -> list[DeviceRow]:
    """The rows of a CSV text; `where` names it in errors. Raises SpecError as `Table.parse` does."""
    return _TABLE.parse(text, where)


def read_device_rows(path: Path) -> list[DeviceRow]:
    """The rows of a user's CSV file. Raises SpecError if it cannot be read as such a table."""
    return _TABLE.read(path)


def shipped_device_rows() -> list[DeviceRow]:
    """The published on-device speeds that come with the package, in the order of their files."""
    return _TABLE.shipped("device")
