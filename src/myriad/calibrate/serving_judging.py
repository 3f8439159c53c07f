"""How far the catalog's serving kernels are from measured ones, engine by engine.

`few` are products of up to 256 rows, layers of experts of up to 256 tokens and attention over caches below 100 MB;
`large` those of them whose weights or cache are 50 MB and more, so that no second-level cache holds them; `many` all
others. What an engine's times hold beside the kernel (`Operator.extras` of products) is fitted along.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from myriad.calibrate.fitting import Array, fit_log
from myriad.calibrate.judging import Errors, errors
from myriad.calibrate.kernels import PARAMETERS, alone, sample
from myriad.calibrate.operators import Mask, Rows
from myriad.calibrate.serving import all_reduce_rows, exchange_rows
from myriad.calibrate.serving_operators import Served
from myriad.errors import MissingDataError
from myriad.estimate.device import Device
from myriad.estimate.peers import expert_transfer_s, peer_all_reduce_s
from myriad.estimate.serving_device import expert_layer, serving_device
from myriad.spec.accelerator import Accelerator
from myriad.spec.calibration import Decoding, Kernels
from myriad.spec.cluster import Link
from myriad.spec.serving_kernels import CachePrecision, ExchangeKind, ServingPrecision

FEWEST_ROWS = 20
"""Rows below which nothing is said of an engine."""


@dataclass(frozen=True)
class ServingJudgement:
    """One kind of kernel in one precision of one engine on one accelerator."""

    accelerator: str
    kind: str
    precision: str
    engine: str
    regime: str
    factor: float
    """Median of measured over estimated time."""
    errors: Errors


def judge_serving(
    ops: Path, name: str, served: list[Served], accelerator: Accelerator, kernels: Kernels, near_bytes_per_s: float
) -> list[ServingJudgement]:
    """All judgements of one accelerator's tables by its entry, figures of the catalog only."""
    found: list[ServingJudgement] = []
    for one in served:
        operator = one.operator
        products = operator.kind in ("gemm", "grouped_gemm")
        precision = cast(ServingPrecision, operator.precision if products else "bf16")
        cache: CachePrecision = "fp8" if operator.kind == "attention" else "bf16"
        chip = alone(serving_device(accelerator, kernels, precision, cache))
        rows = np.flatnonzero(one.judged)
        try:
            estimated = operator.model_s(chip, _extras(one, kernels, chip), rows)
        except MissingDataError:
            continue
        regimes = {"few": one.few, "large": one.few & one.large, "many": ~one.few}
        for engine in sorted(set(one.engine[rows])):
            for regime, mask in regimes.items():
                of = mask[rows] & (one.engine[rows] == engine)
                found += _judged(name, operator.kind, operator.precision, engine, regime, of, estimated,
                                 operator.measured_s[rows])  # fmt: skip
    if kernels.serving is None:
        return found
    reduced = all_reduce_rows(ops, name)
    ranks, size = reduced.num_gpus.to_numpy(), reduced.message_bytes.to_numpy()
    estimated = peer_all_reduce_s(size, ranks, near_bytes_per_s, kernels.serving.all_reduce)
    measured = reduced.latency_us.to_numpy() * 1e-6
    for engine in sorted(set(reduced.engine)):
        of = (reduced.engine == engine).to_numpy()
        found += _judged(name, "peer_all_reduce", "16 bits", engine, "up to 8 MiB", of, estimated, measured)
    near = Link(tier="scale-up", domain=4096, bytes_per_s_one_way=near_bytes_per_s, latency_s=0.0)
    for kind, way, rows_, element, per_expert in exchange_rows(ops, name):
        fit = kernels.serving.exchange[cast(ExchangeKind, kind)]
        estimated = expert_transfer_s(
            rows_.tokens_per_gpu, rows_.hidden * element, rows_.topk, rows_.experts, rows_.ranks, (near,),
            fit.dispatch if way == "dispatch" else fit.combine, per_expert,
        )  # fmt: skip
        every = np.ones(len(rows_), bool)
        measured = rows_.time_s.to_numpy()
        found += _judged(name, f"{kind}_{way}", f"{element:.3g} bytes", "its own", "all", every, estimated, measured)
    return found


def _judged(
    name: str, kind: str, precision: str, engine: str, regime: str, of: Mask, estimated: Array, measured: Array
) -> list[ServingJudgement]:
    if np.count_nonzero(of) < FEWEST_ROWS:
        return []
    factor = float(np.median(measured[of] / estimated[of]))
    return [ServingJudgement(name, kind, precision, engine, regime, factor, errors(estimated[of], measured[of]))]


def _extras(one: Served, kernels: Kernels, chip: Device) -> tuple[float, ...]:
    operator = one.operator
    match operator.kind:
        case "decode" | "latent_decode":
            fit = kernels.decode[cast(Decoding, operator.precision)]
            return tuple(getattr(fit, figure) for figure in PARAMETERS[operator.kind])
        case "grouped_gemm":
            layer = expert_layer(kernels, cast(ServingPrecision, operator.precision))
            return tuple(getattr(layer, extra.name) for extra in operator.extras)
    if not operator.extras:
        return ()
    rows: Rows = sample(np.flatnonzero(one.judged))
    start, upper = zip(*((extra.start, extra.upper) for extra in operator.extras), strict=True)
    return fit_log(lambda p: operator.model_s(chip, p, rows), operator.measured_s[rows], (start,), upper).parameters


def serving_text(judgements: list[ServingJudgement]) -> str:
    """The judgements as a table in Markdown."""
    lines = [
        "| accelerator | kind | precision | engine | regime | rows | median | mean | p90 | bias | factor |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for j in judgements:
        shares = (f"{v:.1%}" for v in (j.errors.median, j.errors.mean, j.errors.p90))
        cells = [j.accelerator, j.kind, j.precision, j.engine, j.regime, f"{j.errors.rows:,}", *shares]
        lines.append(f"| {' | '.join([*cells, f'{j.errors.bias:+.1%}', f'{j.factor:.2f}'])} |")
    return "\n".join(lines) + "\n"
