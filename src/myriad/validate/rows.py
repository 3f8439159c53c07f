"""Rows of published training runs: one CSV format for the shipped rows and for a user's own."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from myriad.catalog.yaml_file import read_text
from myriad.errors import SpecError, nearest, unknown_name
from myriad.spec.base import Spec
from myriad.units import GB

QUALITIES: Final = ("primary", "secondary", "suspect")


class TrainingRow(Spec):
    """One measured training run as its source prints it; `None` or an empty text where it says nothing."""

    id: str
    source: str
    document: str = ""
    """Where in the source: repository and file, paper and table, submission."""
    model: str
    accelerator: str
    num_gpus: int | None = None
    scale_up_domain: int | None = None
    internode: str = ""
    precision: str = ""
    global_batch: int | None = None
    micro_batch: int | None = None
    seq_len: int | None = None
    tp: int | None = None
    sp: str = ""
    pp: int | None = None
    vpp: int | None = None
    cp: int | None = None
    ep: int | None = None
    etp: int | None = None
    dp: int | None = None
    sharding: str = ""
    recompute: str = ""
    overlap: str = ""
    step_s: float | None = None
    tokens_per_s_per_gpu: float | None = None
    tokens_per_s: float | None = None
    model_flops_per_s: float | None = None
    """Per GPU, without recomputation, by the definition in `flops_definition`."""
    hardware_flops_per_s: float | None = None
    """Per GPU, with recomputation."""
    mfu: float | None = None
    hfu: float | None = None
    notes: str = ""
    num_layers: int | None = None
    """Layers of the run where it used another count than the model has."""
    peak_memory_bytes: float | None = None
    grad_accum: int | None = None
    flops_definition: str = ""
    quality: str = "primary"


def _count(value: str) -> int:
    number = float(value)
    if number != int(number) or number < 1:
        raise ValueError(value)
    return int(number)


def _positive(scale: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        number = float(value)
        if not math.isfinite(number) or number <= 0:
            raise ValueError(value)
        return number * scale

    return parse


def _share(value: str) -> float:
    number = float(value.removesuffix("%")) / (100.0 if value.endswith("%") else 1.0)
    if not 0 < number <= 1:
        raise ValueError(value)
    return number


def _quality(value: str) -> str:
    if value not in QUALITIES:
        raise ValueError(value)
    return value


class _Reader(NamedTuple):
    """How a non-empty cell is read, and what it holds in words."""

    parse: Callable[[str], Any]
    holds: str


_TEXT: Final = _Reader(str, "a text")
_COUNT: Final = _Reader(_count, "a whole number of at least 1")
_SHARE: Final = _Reader(_share, "a share such as 41.4% or 0.414")
_NUMBER: Final = _Reader(_positive(1.0), "a number above 0")
_TERA: Final = _Reader(_positive(1e12), "a number above 0")
_GIGA: Final = _Reader(_positive(GB), "a number above 0")
_QUALITY: Final = _Reader(_quality, "one of " + ", ".join(QUALITIES))

#: Column -> (field of TrainingRow, reader of its cells).
COLUMNS: Final[dict[str, tuple[str, _Reader]]] = {
    "id": ("id", _TEXT),
    "source": ("source", _TEXT),
    "url_or_path": ("document", _TEXT),
    "model": ("model", _TEXT),
    "accelerator": ("accelerator", _TEXT),
    "gpus": ("num_gpus", _COUNT),
    "gpus_per_nvlink_domain": ("scale_up_domain", _COUNT),
    "internode": ("internode", _TEXT),
    "precision": ("precision", _TEXT),
    "global_batch_sequences": ("global_batch", _COUNT),
    "micro_batch": ("micro_batch", _COUNT),
    "seq_len": ("seq_len", _COUNT),
    **{name: (name, _COUNT) for name in ("tp", "pp", "vpp", "cp", "ep", "etp", "dp")},
    "sp": ("sp", _TEXT),
    "fsdp_or_zero": ("sharding", _TEXT),
    "recompute": ("recompute", _TEXT),
    "overlap_notes": ("overlap", _TEXT),
    "step_time_s": ("step_s", _NUMBER),
    "tokens_per_s_per_gpu": ("tokens_per_s_per_gpu", _NUMBER),
    "tokens_per_s_total": ("tokens_per_s", _NUMBER),
    "model_tflops_per_gpu": ("model_flops_per_s", _TERA),
    "hw_tflops_per_gpu": ("hardware_flops_per_s", _TERA),
    "mfu_reported": ("mfu", _SHARE),
    "hfu_reported": ("hfu", _SHARE),
    "peak_mem_gb": ("peak_memory_bytes", _GIGA),
    "layers_override": ("num_layers", _COUNT),
    "grad_accum": ("grad_accum", _COUNT),
    "flops_def": ("flops_definition", _TEXT),
    "notes": ("notes", _TEXT),
    "quality": ("quality", _QUALITY),
}

REQUIRED: Final = ("id", "source", "model", "accelerator", "gpus", "precision", "global_batch_sequences", "seq_len")
"""Columns that a file must have; their cells may be empty except those of `FILLED`."""

FILLED: Final = ("id", "source", "model", "accelerator")


def _header(fields: list[str], where: str) -> list[str]:
    names = [f.strip() for f in fields]
    for name in names:
        if name and names.count(name) > 1:
            raise SpecError(f"{where}:1: the column {name!r} stands twice")
        missing = [c for c in COLUMNS if c not in names]
        hint = nearest(name, missing) if name not in COLUMNS else ""
        # Further columns of the user's own are fine, but one that is almost a known name is a slip.
        if hint:
            raise SpecError(f"{where}:1: {unknown_name('column', name, missing)}")
    for name in REQUIRED:
        if name not in names:
            near = nearest(name, [n for n in names if n not in COLUMNS])
            raise SpecError(f"{where}:1: the column {name!r} is missing{near}; needed are: {', '.join(REQUIRED)}")
    return names


def _cell(column: str, text: str, where: str) -> Any:
    reader = COLUMNS[column][1]
    try:
        return reader.parse(text)
    except (ValueError, OverflowError):
        raise SpecError(f"{where}: {column}: expected {reader.holds}, found {text[:60]!r}") from None


def _parse(text: str, where: str) -> Iterator[tuple[int, TrainingRow]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        fields = next(reader, None)
        if not fields or not any(f.strip() for f in fields):
            raise SpecError(f"{where}: the file is empty; expected a header line with {', '.join(REQUIRED)}, ...")
        names = _header(fields, where)
        for cells in reader:
            line = reader.line_num
            if not any(c.strip() for c in cells):
                continue
            if len(cells) != len(names):
                raise SpecError(f"{where}:{line}: expected {len(names)} cells as in the header, found {len(cells)}")
            values = {n: c.strip() for n, c in zip(names, cells, strict=True) if c.strip() and n in COLUMNS}
            for name in FILLED:
                if name not in values:
                    raise SpecError(f"{where}:{line}: {name}: expected a text, found nothing")
            found = {COLUMNS[n][0]: _cell(n, c, f"{where}:{line}") for n, c in values.items()}
            yield line, TrainingRow.model_validate(found)
    except csv.Error as error:
        raise SpecError(f"{where}:{reader.line_num}: not a CSV file ({error})") from None


def parse_rows(text: str, where: str) -> list[TrainingRow]:
    """The rows of a CSV text; `where` names it in errors.

    Columns are those of `COLUMNS`; cells are read into base units (`peak_mem_gb` is in 1e9 bytes).
    Raises SpecError with file, line and column for a missing or misspelt column, a cell that is not
    what its column holds, a row of another length, and an id that stands twice.
    """
    rows: list[TrainingRow] = []
    line_of: dict[str, int] = {}
    for line, row in _parse(text, where):
        if row.id in line_of:
            raise SpecError(f"{where}:{line}: id: {row.id!r} stands already in line {line_of[row.id]}")
        line_of[row.id] = line
        rows.append(row)
    if not rows:
        raise SpecError(f"{where}: a header but no rows")
    return rows


def read_rows(path: Path) -> list[TrainingRow]:
    """The rows of a user's CSV file, see `parse_rows`. Raises SpecError if it cannot be read as text."""
    return parse_rows(read_text(path, "CSV"), str(path))


def shipped_rows(folder: Literal["training", "layouts"] = "training") -> list[TrainingRow]:
    """The rows that come with the package, in the order of their files; `sources.yaml` beside them cites.

    `training` holds published runs; `layouts` many layouts of the same few jobs, which only the ranking is judged on.
    """
    place = resources.files("myriad") / "data" / "measurements" / folder
    files = sorted((f for f in place.iterdir() if f.name.endswith(".csv")), key=lambda f: f.name)
    return [row for f in files for row in parse_rows(f.read_text("utf-8"), f.name)]
