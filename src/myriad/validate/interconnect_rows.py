"""Rows of published times and bandwidths of collectives: one CSV format for the shipped rows and for a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from myriad.spec.interconnect import BANDWIDTHS, MEASURED, Bandwidth, Measured
from myriad.spec.serving_kernels import ExchangeKind
from myriad.validate.csv_rows import COUNT, NUMBER, TEXT, MeasuredRow, Reader, Table, one_of, positive

QUALITIES: Final = ("primary", "secondary", "suspect", "simulated")
"""What a row may decide: only primary ones judge. `simulated`: what another tool reckoned."""
TIMED_BY: Final = ("nccl-tests", "torch")
"""nccl-tests times many launches together; a loop in PyTorch times one call."""


class InterconnectRow(MeasuredRow):
    """One measured collective as its source prints it; `None` or an empty text where it says nothing."""

    source: str
    document: str = ""
    system: str = ""
    """What it ran on, in the source's words."""
    node: str = ""
    """The same in the catalog's; an accelerator stands for its usual node."""
    gpus: int | None = None
    domain: int | None = None
    """Accelerators that the scale-up links joined, where fewer than the node's."""
    collective: Measured
    message_bytes: float | None = None
    """By nccl-tests' definition of size."""
    algorithm: str = ""
    kernel: ExchangeKind | None = None
    tokens: int | None = None
    """Of each rank."""
    hidden: int | None = None
    topk: int | None = None
    experts: int | None = None
    most_domains: int | None = None
    """Domains that one token's experts lie in at most, where routing is limited to groups."""
    time_s: float | None = None
    bytes_per_s: float | None = None
    bandwidth_of: Bandwidth = "bus"
    timed_by: str = ""
    fitted: bool = False
    quality: str = "primary"
    notes: str = ""


_FLAG: Final = Reader(lambda value: one_of(("yes", "no"))(value) == "yes", "yes or no")

#: Column -> (field of InterconnectRow, reader of its cells).
COLUMNS: Final[dict[str, tuple[str, Reader]]] = {
    "id": ("id", TEXT),
    "source": ("source", TEXT),
    "url": ("document", TEXT),
    "system": ("system", TEXT),
    "node": ("node", TEXT),
    "gpus": ("gpus", COUNT),
    "domain": ("domain", COUNT),
    "collective": ("collective", Reader(one_of(MEASURED), "one of " + ", ".join(MEASURED))),
    "message_bytes": ("message_bytes", NUMBER),
    "algorithm": ("algorithm", Reader(one_of(("ring", "nvls", "hfreduce")), "ring, nvls or hfreduce")),
    "kernel": ("kernel", Reader(one_of(("low-latency", "normal")), "low-latency or normal")),
    "tokens": ("tokens", COUNT),
    "hidden": ("hidden", COUNT),
    "topk": ("topk", COUNT),
    "experts": ("experts", COUNT),
    "most_domains": ("most_domains", COUNT),
    "time_us": ("time_s", Reader(positive(1e-6), "microseconds above 0")),
    "bandwidth_GBps": ("bytes_per_s", Reader(positive(1e9), "GB/s above 0")),
    "bandwidth_of": ("bandwidth_of", Reader(one_of(BANDWIDTHS), "one of " + ", ".join(BANDWIDTHS))),
    "timed_by": ("timed_by", Reader(one_of(TIMED_BY), "one of " + ", ".join(TIMED_BY))),
    "fitted": ("fitted", _FLAG),
    "quality": ("quality", Reader(one_of(QUALITIES), "one of " + ", ".join(QUALITIES))),
    "notes": ("notes", TEXT),
}

REQUIRED: Final = ("id", "source", "node", "gpus", "collective")
"""Columns that a file must have; their cells may be empty except those of `FILLED`."""

FILLED: Final = ("id", "source", "collective")

_TABLE: Final = Table(InterconnectRow, COLUMNS, REQUIRED, FILLED)


def parse_interconnect_rows(text: str, where: str) -> list[InterconnectRow]:
    """The rows of a CSV text; `where` names it in errors. Raises SpecError as `Table.parse` does."""
    return _TABLE.parse(text, where)


def read_interconnect_rows(path: Path) -> list[InterconnectRow]:
    """The rows of a user's CSV file. Raises SpecError if it cannot be read as such a table."""
    return _TABLE.read(path)


def shipped_interconnect_rows() -> list[InterconnectRow]:
    """The published measurements that come with the package, in the order of their files."""
    return _TABLE.shipped("interconnect")
