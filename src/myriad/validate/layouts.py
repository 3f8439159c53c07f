"""From a row to what the estimate needs: model, cluster, layout, work; or the reason why that cannot be.

Rules, in this order. Each that fills something in is noted in `Run.assumed`.

- A row that is not `primary`, or prints no figure that leads to tokens/s, is not judged.
- A layout is there if the row gives `tp` or `pp`, or names FSDP or ZeRO; sizes left out are then 1.
- `dp` is gpus / (tp pp cp); if that is no whole number the row contradicts itself.
- `ep` that does not divide the ranks of a stage is a slip of the source: the largest divisor that does.
- Sharding: FSDP, FSDP2, HSDP, FULL_SHARD and a named size shard everything over that many ranks (all
  where the size is `dp` or `dp cp`); SHARD_GRAD_OP is ZeRO-2; `FSDP=0` means none; silence means the
  software's own default (`conventions`).
- `global_batch` missing: micro_batch x grad_accum x dp, or a `local batch size` in the notes x dp.
  `micro_batch` missing: global_batch / (dp x grad_accum), else 1.
- `vpp` missing: as the software's recipes interleave (`conventions`), else 1; torchtitan's interleaved
  schedule has two chunks.
- Recomputation not stated: none, then some, then full, whichever fits first (`Run.layouts`).
- The scale-up domain is the row's, but never more than the accelerator's links reach.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import myriad.catalog as catalog
from myriad.errors import MissingDataError, SpecError
from myriad.spec.cluster import Cluster
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout
from myriad.spec.model import MixtureOfExperts, Model
from myriad.spec.system import Pool
from myriad.validate.conventions import (
    Convention,
    convention,
    drops_tokens,
    optimizer,
    precision,
    recompute,
    stack_at_release,
    switches,
)
from myriad.validate.errors import SkipError
from myriad.validate.measured import measured_tokens_per_s_per_gpu
from myriad.validate.rows import TrainingRow

_EXPERT_RANKS_WHERE_UNSIZED: Final = 8
"""Expert-parallel ranks where a row says that there are some but not how many: one node."""


@dataclass(frozen=True)
class Run:
    """A row made whole."""

    row: TrainingRow
    model: Model
    cluster: Cluster
    work: TrainingWork
    layouts: tuple[Layout, ...]
    """More than one where recomputation is not stated: take the first that fits, else the last."""
    measured_tokens_per_s_per_gpu: float
    measured_from: str
    assumed: tuple[str, ...]
    judges_memory: bool
    """False where the micro-batch is a guess or activations were kept in host memory."""


def _model(row: TrainingRow, models: Mapping[str, Model], rules: Convention) -> Model:
    if row.model in models:
        model = models[row.model]
    else:
        name = row.model.removesuffix("-nomtp")
        try:
            model = models[name] if name in models else catalog.model(name)
        except (SpecError, MissingDataError):
            raise SkipError(f"neither the catalog nor --models has the model {row.model}") from None
    if not rules.trains_mtp or row.model.endswith("-nomtp"):
        model = model.model_copy(update={"mtp_depths": 0, "mtp_block": None})
    return model.with_layers(row.num_layers) if row.num_layers else model


def scale_out_bytes_per_s_per_gpu(internode: str, gpus_per_node: int) -> float | None:
    """Network bandwidth of one accelerator, one way, from the text of a row; `None` if it states no rate.

    Understands `400 Gb/s per GPU`, `1600 Gbps ... node-to-node`, and `4 x 100Gb ... per node` or
    `8x ConnectX-7 ... 400Gb/s` (the fastest of several groups of adapters; Omni-Path is 100 Gb/s).

    >>> scale_out_bytes_per_s_per_gpu("4 x 100Gb RoCE per node", 8)
    6250000000.0
    >>> scale_out_bytes_per_s_per_gpu("InfiniBand 400 Gbps per GPU (Eos)", 8)
    50000000000.0
    """
    gigabit = 1e9 / 8
    if match := re.search(r"([\d.]+) *Gb(?:ps|/s)? per GPU", internode):
        return float(match[1]) * gigabit
    if match := re.search(r"([\d.]+) *Gb(?:ps|/s)[^,;]*node-to-node", internode):
        return float(match[1]) * gigabit / gpus_per_node
    if match := re.search(r"(\d+) Omni-Path links", internode):
        return int(match[1]) * 100 * gigabit / gpus_per_node
    rates = [int(count) * int(rate) for count, rate in re.findall(r"(\d+) ?x [^,;+]*?(\d+) *Gb", internode)]
    return max(rates) * gigabit / gpus_per_node if rates else None


def _cluster(row: TrainingRow, num_gpus: int, rules: Convention) -> Cluster:
    name = row.accelerator.partition(" (")[0]
    try:
        node_name = catalog.accelerator(name).default_node
        if node_name is None:
            raise SkipError(f"the catalog has no node with {name}")
        node = catalog.node(node_name)
    except (SpecError, MissingDataError):
        raise SkipError(f"the catalog has no accelerator {name}") from None
    rate = scale_out_bytes_per_s_per_gpu(row.internode, node.num_accelerators)
    # Wide enough to have both tiers; cut to size below, where the row's own domain is known.
    wide = catalog.cluster_of(
        row.id, Pool(accelerator=name, count=2 * num_gpus * node.scale_up_domain, scale_out_bandwidth=rate)
    )
    domain = min(row.scale_up_domain or node.scale_up_domain, node.scale_up_domain)
    if rules.packed_racks and row.ep:
        # Of groups of 64 on racks of 72 one has 8 ranks in a rack, and those set the pace.
        domain = math.gcd(domain, row.ep)
    links = [
        link.model_copy(update={"domain": domain if link.tier == "scale-up" else max(num_gpus, domain)})
        for link in wide.links
    ]
    kept = [link for link in links if link.tier == "scale-up" or num_gpus > domain or len(links) == 1]
    return wide.model_copy(update={"num_accelerators": num_gpus, "links": tuple(kept)})


def _zero_and_shard(row: TrainingRow, rules: Convention, dp: int, cp: int, pp: int) -> tuple[int, int]:
    text = row.sharding.upper()
    sizes = [int(n) for n in re.findall(r"(?:FSDP2?|HSDP)[= ](\d+)", text)]
    if not text or sizes == [0]:
        return (rules.zero if not text else 1), 0
    if match := re.match(r"ZERO-?([0-3])(?: SIZE (\d+))?", text):
        zero, size = int(match[1]), int(match[2] or 0)
    elif "SHARD_GRAD_OP" in text:
        zero, size = 2, 0
    else:
        zero, size = 3, math.prod(sizes) if sizes else 0
    if zero == 3 and pp > 1 and rules.gathers_once_under_pipeline:
        zero = 1
    return zero, 0 if size in (0, dp, dp * cp) else size


def _vpp(row: TrainingRow, rules: Convention, pp: int, num_layers: int) -> int:
    if pp == 1:
        return 1
    if row.vpp:
        return row.vpp
    if rules.layers_per_chunk:
        return max(1, round(num_layers / (pp * rules.layers_per_chunk)))
    return 2 if rules.micro_batches_follow_stages and "Interleaved" in row.notes else 1


def _sizes(row: TrainingRow, rules: Convention, num_gpus: int, num_layers: int) -> dict[str, int]:
    if row.tp is None and row.pp is None and not row.sharding:
        raise SkipError("the layout is incomplete: neither tensor and pipeline sizes nor FSDP or ZeRO named")
    tp, pp, cp = row.tp or 1, row.pp or 1, row.cp or 1
    dp, left = divmod(num_gpus, tp * pp * cp)
    if left or dp < 1:
        raise SkipError("the row contradicts itself: gpus is no multiple of tp x pp x cp")
    if row.dp and row.dp != dp:
        raise SkipError("the row contradicts itself: dp is not gpus / (tp pp cp)")
    ep = row.ep or (_EXPERT_RANKS_WHERE_UNSIZED if re.search(r"\+ EP\b", row.notes) else 1)
    etp = row.etp or (tp if rules.expert_tensor_follows_tensor else 1)
    ep = math.gcd(ep, tp * cp * dp // math.gcd(etp, tp * cp * dp))
    zero, shard = _zero_and_shard(row, rules, dp, cp, pp)
    return {
        "tp": tp,
        "pp": pp,
        "cp": cp,
        "dp": dp,
        "vpp": _vpp(row, rules, pp, num_layers),
        "ep": ep,
        "etp": etp,
        "zero": zero,
        "shard": shard,
    }


def _batches(row: TrainingRow, rules: Convention, sizes: Mapping[str, int]) -> tuple[int, int, str]:
    """Micro-batch, global batch, and what was assumed."""
    dp, pp = sizes["dp"], sizes["pp"]
    local = re.search(r"local batch size (?:LBS=)?(\d+)", row.notes)
    global_batch = row.global_batch
    if global_batch is None:
        per_replica = int(local[1]) if local else (row.micro_batch or 0) * (row.grad_accum or 1)
        if not per_replica:
            raise SkipError("the batch is incomplete: neither a global nor a local batch")
        global_batch = per_replica * dp
    assumed, micro_batch = "", row.micro_batch
    if micro_batch is None and row.grad_accum:
        micro_batch = max(1, global_batch // (dp * row.grad_accum))
    if micro_batch is None and rules.micro_batches_follow_stages and pp > 1:
        micro_batch = max(1, global_batch // (dp * pp))
        assumed = "micro-batch: as many as there are stages, the software's default"
    if micro_batch is None:
        micro_batch, assumed = 1, "micro-batch 1: not stated"
    if global_batch % (dp * micro_batch):
        raise SkipError("the row contradicts itself: global batch is no multiple of micro-batch x dp")
    return micro_batch, global_batch, assumed


def _seq_len(row: TrainingRow) -> int:
    if row.seq_len:
        return row.seq_len
    match = re.search(r"seq_len .*default (\d+)", row.notes)
    if match is None:
        raise SkipError("the sequence length is not stated")
    return int(match[1])


def _work(row: TrainingRow, rules: Convention, seq_len: int, global_batch: int, model: Model) -> TrainingWork:
    matrix_precision = precision(row)
    if matrix_precision is None:
        raise SkipError(f"the precision {row.precision!r} is not known")
    is_moe = any(isinstance(b.feed_forward, MixtureOfExperts) for b in model.blocks.values())
    return TrainingWork(
        seq_len=seq_len,
        global_batch=global_batch,
        precision=matrix_precision,
        optimizer=optimizer(row, rules.optimizer),
        stack=stack_at_release(row, rules.stack),
        switches=switches(row, routed=is_moe),
        expert_capacity=1.0 if drops_tokens(row) and is_moe else None,
    )


def _sequence_parallel(row: TrainingRow, rules: Convention) -> bool:
    return row.sp.lower() in ("yes", "true", "1") if row.sp else rules.sequence_parallel


def _datasheet_rate(cluster: Cluster, row: TrainingRow) -> float | None:
    accelerator, text = cluster.accelerator, row.precision.lower()
    if "fp8" in text:
        return accelerator.fp8_flops_per_s
    return accelerator.fp4_flops_per_s if "fp4" in text else accelerator.bf16_flops_per_s


def run_of(row: TrainingRow, models: Mapping[str, Model]) -> Run:
    """The row made whole by the rules above; `models` come before the catalog's. Raises SkipError with the reason."""
    if row.quality != "primary":
        raise SkipError(f"quality is {row.quality}, not primary")
    if row.num_gpus is None:
        raise SkipError("the GPU count is not stated")
    rules = convention(row)
    seq_len = _seq_len(row)
    model = _model(row, models, rules)
    sizes = _sizes(row, rules, row.num_gpus, model.num_layers)
    micro_batch, global_batch, assumed = _batches(row, rules, sizes)
    cluster = _cluster(row, row.num_gpus, rules)
    work = _work(row, rules, seq_len, global_batch, model)
    measured = measured_tokens_per_s_per_gpu(row, model, seq_len, row.num_gpus, _datasheet_rate(cluster, row))
    if measured is None:
        raise SkipError("no measured throughput")
    stated = recompute(row)
    layouts = tuple(
        Layout.model_validate(
            {**sizes, "sp": _sequence_parallel(row, rules), "micro_batch": micro_batch, "recompute": modules}
        )
        for modules in ((stated,) if stated is not None else rules.recompute_where_unknown)
    )
    offloads = re.search(r"offloading_num_layers=[1-9]", row.overlap) is not None
    notes = [assumed] if assumed else []
    notes += ["recomputation: what fits, not stated"] if stated is None else []
    notes += ["activations in host memory are not modelled"] if offloads else []
    return Run(
        row=row,
        model=model,
        cluster=cluster,
        work=work,
        layouts=layouts,
        measured_tokens_per_s_per_gpu=measured[0],
        measured_from=measured[1],
        assumed=tuple(notes),
        judges_memory=not offloads and not assumed,
    )
