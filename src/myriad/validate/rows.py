"""Rows of published training runs: one CSV format for the shipped rows and for a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from myriad.units import GB
from myriad.validate.csv_rows import COUNT, NUMBER, QUALITY, TEXT, MeasuredRow, Reader, Table, positive


class TrainingRow(MeasuredRow):
    """One measured training run as its source prints it; `None` or an empty text where it says nothing."""

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


def _share(value: str) -> float:
    number = float(value.removesuffix("%")) / (100.0 if value.endswith("%") else 1.0)
    if not 0 < number <= 1:
        raise ValueError(value)
    return number


_SHARE: Final = Reader(_share, "a share such as 41.4% or 0.414")
_TERA: Final = Reader(positive(1e12), "a number above 0")
_GIGA: Final = Reader(positive(GB), "a number above 0")

#: Column -> (field of TrainingRow, reader of its cells).
COLUMNS: Final[dict[str, tuple[str, Reader]]] = {
    "id": ("id", TEXT),
    "source": ("source", TEXT),
    "url_or_path": ("document", TEXT),
    "model": ("model", TEXT),
    "accelerator": ("accelerator", TEXT),
    "gpus": ("num_gpus", COUNT),
    "gpus_per_nvlink_domain": ("scale_up_domain", COUNT),
    "internode": ("internode", TEXT),
    "precision": ("precision", TEXT),
    "global_batch_sequences": ("global_batch", COUNT),
    "micro_batch": ("micro_batch", COUNT),
    "seq_len": ("seq_len", COUNT),
    **{name: (name, COUNT) for name in ("tp", "pp", "vpp", "cp", "ep", "etp", "dp")},
    "sp": ("sp", TEXT),
    "fsdp_or_zero": ("sharding", TEXT),
    "recompute": ("recompute", TEXT),
    "overlap_notes": ("overlap", TEXT),
    "step_time_s": ("step_s", NUMBER),
    "tokens_per_s_per_gpu": ("tokens_per_s_per_gpu", NUMBER),
    "tokens_per_s_total": ("tokens_per_s", NUMBER),
    "model_tflops_per_gpu": ("model_flops_per_s", _TERA),
    "hw_tflops_per_gpu": ("hardware_flops_per_s", _TERA),
    "mfu_reported": ("mfu", _SHARE),
    "hfu_reported": ("hfu", _SHARE),
    "peak_mem_gb": ("peak_memory_bytes", _GIGA),
    "layers_override": ("num_layers", COUNT),
    "grad_accum": ("grad_accum", COUNT),
    "flops_def": ("flops_definition", TEXT),
    "notes": ("notes", TEXT),
    "quality": ("quality", QUALITY),
}

REQUIRED: Final = ("id", "source", "model", "accelerator", "gpus", "precision", "global_batch_sequences", "seq_len")
"""Columns that a file must have; their cells may be empty except those of `FILLED`."""

FILLED: Final = ("id", "source", "model", "accelerator")


_TABLE: Final = Table(TrainingRow, COLUMNS, REQUIRED, FILLED)


def parse_rows(text: str, where: str) -> list[TrainingRow]:
    """The rows of a CSV text; `where` names it in errors.

    Columns are those of `COLUMNS`; cells are read into base units (`peak_mem_gb` is in 1e9 bytes).
    Raises SpecError as `Table.parse` does.
    """
    return _TABLE.parse(text, where)


def read_rows(path: Path) -> list[TrainingRow]:
    """The rows of a user's CSV file, see `parse_rows`. Raises SpecError if it cannot be read as text."""
    return _TABLE.read(path)


def shipped_rows(folder: Literal["training", "layouts"] = "training") -> list[TrainingRow]:
    """The rows that come with the package, in the order of their files; `sources.yaml` beside them cites.

    `training` holds published runs; `layouts` many layouts of the same few jobs, which only the ranking is judged on.
    """
    return _TABLE.shipped(folder)
