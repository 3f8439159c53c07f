"""How far the catalog's links are from measured NCCL times: by collective, size and number of GPUs.

The figures are those of the catalog. Times of the L40S come from a host whose PCIe paths are slow; its link is an
assumption, and nothing is fitted to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from myriad.calibrate.fitting import table
from myriad.calibrate.judging import Errors, errors
from myriad.estimate.nccl_tests import COLLECTIVES, TIMES, Collective
from myriad.estimate.tiers import place
from myriad.spec.cluster import Link
from myriad.validate.interconnect_cases import SIZES, size_class


@dataclass(frozen=True)
class LinkJudgement:
    """One collective of one size class on so many GPUs of one node, in 16 bits."""

    accelerator: str
    collective: Collective
    size: str
    gpus: int
    errors: Errors


def judge_links(ops: Path, name: str, link: Link) -> list[LinkJudgement]:
    """All judgements of `ops/<name>__nccl.parquet` by the link of the catalog."""
    rows = table(ops, f"{name}__nccl")
    rows = rows[rows["dtype"] == "half"]
    found = []
    for collective in COLLECTIVES:
        of = rows[rows.collective == collective]
        gpus, sizes = of.num_gpus.to_numpy(), of.message_bytes.to_numpy()
        estimated = TIMES[collective](sizes, place(gpus, 1.0, (link,)))
        measured = of.latency_us.to_numpy() * 1e-6
        classes = np.array([size_class(size) for size in sizes])
        for size in SIZES:
            for count in np.unique(gpus):
                some = (classes == size) & (gpus == count)
                found.append(LinkJudgement(name, collective, size, int(count), errors(estimated[some], measured[some])))
    return found


def links_text(judgements: list[LinkJudgement]) -> str:
    """The judgements as a table in Markdown."""
    lines = [
        "| accelerator | collective | size | GPUs | rows | median | mean | p90 | bias |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for j in judgements:
        shares = (f"{v:.1%}" for v in (j.errors.median, j.errors.mean, j.errors.p90))
        cells = [j.accelerator, j.collective, j.size, str(j.gpus), str(j.errors.rows), *shares]
        lines.append(f"| {' | '.join([*cells, f'{j.errors.bias:+.1%}'])} |")
    return "\n".join(lines) + "\n"
