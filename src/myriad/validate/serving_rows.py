"""Rows of published serving runs: one CSV format for the shipped rows and for a user's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from myriad.validate.csv_rows import COUNT, NUMBER, QUALITY, TEXT, MeasuredRow, Reader, Table, one_of, positive

SPECULATIONS: Final = ("none", "mtp", "eagle", "draft-model")


class ServingRow(MeasuredRow):
    """One measured serving run as its source prints it; `None` or an empty text where it says nothing."""

    source: str
    url: str = ""
    model: str
    accelerator: str
    num_gpus: int | None = None
    """Of the whole deployment, all replicas together."""
    precision: str = ""
    engine: str = ""
    """Engine, release and perhaps the image, as printed."""
    parallelism: str = ""
    input_length: str = ""
    output_length: str = ""
    load: str = ""
    """Requests at once, or what stands for them."""
    ttft_s: float | None = None
    tpot_s: float | None = None
    output_tokens_per_s_per_gpu: float | None = None
    total_tokens_per_s_per_gpu: float | None = None
    """Prompt and output together."""
    derived_output_tokens_per_s_per_gpu: float | None = None
    """Computed by somebody from load and latencies, not measured."""
    mode: str = ""
    date: str = ""
    notes: str = ""
    speculation: str = ""
    """How tokens were drafted, or `none`; empty where the source does not say."""
    quality: str = "primary"


def _length(value: str) -> str:
    if not re.fullmatch(r"\d+(\.0)?( \([^()]*\))?", value) or float(value.split()[0]) < 1:
        raise ValueError(value)
    return value


_LENGTH: Final = Reader(_length, "a whole number of tokens, perhaps with a remark: 1024 (random)")
_MILLI: Final = Reader(positive(1e-3), "a number above 0")
_SPECULATION: Final = Reader(one_of(SPECULATIONS), "one of " + ", ".join(SPECULATIONS))

#: Column -> (field of ServingRow, reader of its cells).
COLUMNS: Final[dict[str, tuple[str, Reader]]] = {
    "id": ("id", TEXT),
    "source": ("source", TEXT),
    "url": ("url", TEXT),
    "model": ("model", TEXT),
    "accelerator": ("accelerator", TEXT),
    "gpus": ("num_gpus", COUNT),
    "precision": ("precision", TEXT),
    "engine_version": ("engine", TEXT),
    "parallelism": ("parallelism", TEXT),
    "isl": ("input_length", _LENGTH),
    "osl": ("output_length", _LENGTH),
    "concurrency_or_rate": ("load", TEXT),
    "ttft_ms": ("ttft_s", _MILLI),
    "tpot_ms": ("tpot_s", _MILLI),
    "output_tok_s_per_gpu": ("output_tokens_per_s_per_gpu", NUMBER),
    "total_tok_s_per_gpu": ("total_tokens_per_s_per_gpu", NUMBER),
    "derived_output_tok_s_per_gpu": ("derived_output_tokens_per_s_per_gpu", NUMBER),
    "mode": ("mode", TEXT),
    "date": ("date", TEXT),
    "notes": ("notes", TEXT),
    "speculation": ("speculation", _SPECULATION),
    "quality": ("quality", QUALITY),
}

REQUIRED: Final = (
    "id",
    "source",
    "model",
    "accelerator",
    "gpus",
    "precision",
    "engine_version",
    "parallelism",
    "isl",
    "osl",
    "concurrency_or_rate",
    "mode",
)
"""Columns that a file must have; their cells may be empty except those of `FILLED`."""

FILLED: Final = ("id", "source", "model", "accelerator")

_TABLE: Final = Table(ServingRow, COLUMNS, REQUIRED, FILLED)


def parse_serving_rows(text: str, where: str) -> list[ServingRow]:
    """The rows of a CSV text; `where` names it in errors.

    Columns are those of `COLUMNS`; milliseconds are read into seconds. Raises SpecError as `Table.parse` does.
    """
    return _TABLE.parse(text, where)


def read_serving_rows(path: Path) -> list[ServingRow]:
    """The rows of a user's CSV file. Raises SpecError if it cannot be read as text or as such a table."""
    return _TABLE.read(path)


def shipped_serving_rows() -> list[ServingRow]:
    """The published serving runs that come with the package, each once, in the order of their files."""
    return _TABLE.shipped("serving")
