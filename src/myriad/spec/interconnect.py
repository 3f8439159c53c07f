"""How estimates of collectives and expert exchanges hold against published measurements."""

from __future__ import annotations

from typing import Literal, get_args

from myriad.spec.base import Spec
from myriad.spec.validation import GroupError

Measured = Literal["all_reduce", "all_gather", "reduce_scatter", "alltoall", "dispatch", "combine"]
"""Collectives by their names in nccl-tests, and both ways of an expert exchange."""
MEASURED: tuple[Measured, ...] = get_args(Measured)

Bandwidth = Literal["bus", "algorithm", "copies", "near", "far"]
"""Which bytes a printed bandwidth counts over the time:

- `bus`: those of nccl-tests' bus bandwidth; `algorithm`: the message;
- of an expert exchange, for each token that a rank sends: `copies` one for every expert that is chosen, `near` one for
  every different rank, `far` one for every different domain, its own rank and domain included.
"""
BANDWIDTHS: tuple[Bandwidth, ...] = get_args(Bandwidth)

INTERCONNECT_GROUPS = ("fit", "collective", "size", "GPUs", "collective, size, GPUs", "node", "timed by", "source")


class InterconnectRowResult(Spec):
    """One measured row and its estimate."""

    id: str
    source: str
    system: str
    node: str
    """Catalog id of the node that it was estimated on."""
    gpus: int
    collective: Measured
    algorithm: str
    """As the source says; empty where the library chose."""
    size: str
    """Class of the message's size; tokens of each rank for an expert exchange."""
    message_bytes: float | None
    """`None` for an expert exchange."""
    timed_by: str
    fitted: bool
    """Whether a figure of the link was fitted to it."""
    bandwidth_of: Bandwidth
    measured_bytes_per_s: float
    predicted_bytes_per_s: float
    measured_s: float
    predicted_s: float
    error: float
    """Of the bandwidth: predicted / measured - 1."""
    notes: str


class InterconnectValidation(Spec):
    """The judgement of links; `per_row` has the largest errors first."""

    rows: int
    predicted: int
    skipped: dict[str, tuple[str, ...]]
    """Reason -> ids of the rows."""
    overall: GroupError | None
    """Of absolute errors of the bandwidth; `None` where no row could be judged. `bias` is the mean signed one."""
    groups: dict[str, dict[str, GroupError]]
    """By `INTERCONNECT_GROUPS` -> name -> errors."""
    repeated: GroupError | None
    """How far rows of different sources lie apart that the estimate takes for equal: larger / smaller - 1."""
    per_row: tuple[InterconnectRowResult, ...]
