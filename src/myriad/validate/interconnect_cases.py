"""What published rows of collectives describe, the bytes that their bandwidths count, and the time estimated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from myriad import catalog
from myriad.errors import MissingDataError, MyriadError
from myriad.estimate.collectives import all_reduce_in_ring_s, all_reduce_in_switch_s
from myriad.estimate.nccl_tests import TIMES, Collective, bus_factor
from myriad.estimate.peers import copies, expert_transfer_s
from myriad.estimate.tiers import place
from myriad.spec.cluster import Link
from myriad.spec.serving_kernels import ExpertExchange
from myriad.units import KIB, MIB
from myriad.validate.errors import SkipError
from myriad.validate.interconnect_rows import InterconnectRow

TORCH_CALL_S: Final = 20e-6
"""What a loop in PyTorch measures besides the collective: all_reduce_bench.py of stas00/ml-engineering takes 18 to 26
microseconds (median 20.5) longer than NCCL's tables of such GPUs, for every size up to 2 MiB, on H200 and on B200."""
DISPATCHED_BYTES: Final = 1.0 + 4.0 / 128
"""Of one element that DeepEP dispatches: 8 bits, and a scale per 128."""
COMBINED_BYTES: Final = 2.0

SIZES: Final = ("up to 256 KiB", "to 16 MiB", "above 16 MiB")


def size_class(message_bytes: float) -> str:
    """Which of `SIZES` a message is."""
    return SIZES[int(np.searchsorted((256 * KIB, 16 * MIB), message_bytes))]


@dataclass(frozen=True)
class Case:
    """One row with its estimate."""

    row: InterconnectRow
    node: str
    gpus: int
    size: str
    counted_bytes: float
    """Bytes that the printed bandwidth counts over the time."""
    measured_s: float
    predicted_s: float


def case_of(row: InterconnectRow) -> Case:
    """The row with its estimate. Raises SkipError with the reason where it cannot be judged."""
    if row.quality != "primary":
        raise SkipError(f"quality is {row.quality}, not primary")
    if row.algorithm == "hfreduce":
        raise SkipError("summed by the hosts' processors (HFReduce), which is not modelled")
    if row.gpus is None:
        raise SkipError("the source does not say on how many GPUs")
    node, links = _links(row, row.gpus)
    if row.collective in ("dispatch", "combine"):
        size, counted, predicted_s = _exchange(row, row.gpus, node, links)
    else:
        size, counted, predicted_s = _collective(row, row.gpus, links)
    if row.timed_by == "torch":
        predicted_s += TORCH_CALL_S
    if row.time_s is None and row.bytes_per_s is None:
        raise SkipError("neither a time nor a bandwidth is stated")
    measured_s = row.time_s if row.time_s is not None else counted / cast(float, row.bytes_per_s)
    return Case(row, node, row.gpus, size, counted, measured_s, predicted_s)


def _links(row: InterconnectRow, gpus: int) -> tuple[str, tuple[Link, ...]]:
    node = catalog.find("nodes", row.node)
    if node is None and (accelerator := catalog.find("accelerators", row.node)):
        node = catalog.accelerator(accelerator).default_node
    if node is None:
        raise SkipError(f"the catalog has no node for {row.node or row.system or 'it'!r}")
    try:
        links = catalog.cluster(f"{node}:{gpus}").links
    except MyriadError as error:
        raise SkipError(str(error)) from None
    if row.domain is not None and row.domain < min(links[0].domain, gpus):
        raise SkipError(f"scale-up links joined {row.domain} GPUs, those of {node} join {links[0].domain}")
    return node, links


def _collective(row: InterconnectRow, gpus: int, links: tuple[Link, ...]) -> tuple[str, float, float]:
    if row.message_bytes is None:
        raise SkipError("the source does not say how many bytes")
    kind = cast(Collective, row.collective)
    time_s = TIMES[kind]
    if row.algorithm and kind == "all_reduce":
        time_s = all_reduce_in_ring_s if row.algorithm == "ring" else all_reduce_in_switch_s
    predicted_s = float(time_s(row.message_bytes, place(gpus, 1.0, links)))
    if not 0 < predicted_s < np.inf:
        raise SkipError("the catalog knows no switch that sums there" if predicted_s else "a group of one")
    match row.bandwidth_of:
        case "bus":
            counted = row.message_bytes * float(bus_factor(kind, gpus))
        case "algorithm":
            counted = row.message_bytes
        case _:
            raise SkipError(f"{row.bandwidth_of} is no bandwidth of a collective")
    return size_class(row.message_bytes), counted, predicted_s


def _exchange(row: InterconnectRow, gpus: int, node: str, links: tuple[Link, ...]) -> tuple[str, float, float]:
    if row.kernel is None or row.tokens is None or row.hidden is None or row.topk is None or row.experts is None:
        raise SkipError("an expert exchange without its kernel, tokens, hidden, topk or experts")
    fit = _figures(row, node)
    token_bytes = row.hidden * (DISPATCHED_BYTES if row.collective == "dispatch" else COMBINED_BYTES)
    most_domains = np.inf if row.most_domains is None else float(row.most_domains)
    predicted_s = expert_transfer_s(
        row.tokens, token_bytes, row.topk, row.experts, gpus, links,
        fit.dispatch if row.collective == "dispatch" else fit.combine,
        copy_per_expert=row.kernel == "low-latency", most_domains=most_domains,
    )  # fmt: skip
    ranks, domains = copies(row.topk, gpus, links[0], most_domains)
    counted = {"copies": float(row.topk), "near": float(ranks), "far": float(domains)}.get(row.bandwidth_of)
    if counted is None:
        raise SkipError(f"{row.bandwidth_of} is no bandwidth of an expert exchange")
    return f"{row.tokens:,} tokens", row.tokens * token_bytes * counted, float(predicted_s)


def _figures(row: InterconnectRow, node: str) -> ExpertExchange:
    serving = catalog.kernels(catalog.node(node).accelerator)[0].serving
    if serving is None or row.kernel not in serving.exchange:
        raise SkipError(f"no {row.kernel} exchange was measured on {node}")
    return serving.exchange[row.kernel]


def judged_cases(rows: list[InterconnectRow]) -> tuple[list[Case], dict[str, tuple[str, ...]]]:
    """The rows that can be judged, and reason -> ids of those that cannot."""
    cases: list[Case] = []
    skipped: dict[str, tuple[str, ...]] = {}
    for row in rows:
        try:
            cases.append(case_of(row))
        except (SkipError, MissingDataError) as reason:
            skipped[str(reason)] = (*skipped.get(str(reason), ()), row.id)
    return cases, skipped
