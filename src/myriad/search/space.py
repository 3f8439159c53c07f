"""Enumerates layouts as columns, level by level, so that what cannot divide is dropped early and counted."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np

from myriad.search.rules import DIVISION_RULES, FRAMEWORK_RULES, Case, Rule, violations
from myriad.spec.layout import PIPELINE_SCHEDULES, LayoutTable, recompute_mask
from myriad.spec.model import DenseFeedForward, MixtureOfExperts, MultiLatentAttention


@dataclass(frozen=True)
class Space:
    """The choices of every dimension, and how few accelerators a layout may use."""

    tp: tuple[int, ...]
    cp: tuple[int, ...]
    pp: tuple[int, ...]
    vpp: tuple[int, ...]
    ep: tuple[int, ...]
    etp: tuple[int, ...]
    """0 stands for the layout's own tp."""
    micro_batch: tuple[int, ...]
    zero: tuple[int, ...]
    recompute: tuple[int, ...]
    offload_optimizer: tuple[int, ...] = (0, 1)
    schedule: tuple[int, ...] = (0,)
    """Indices into `PIPELINE_SCHEDULES`."""
    least_gpus: int = 1
    """Fewest accelerators of a layout."""
    strictly: bool = False
    """Layouts that cannot use that many are left out; otherwise each may use as many as it can."""


def _powers(limit: int) -> tuple[int, ...]:
    return tuple(2**i for i in range(limit.bit_length()) if 2**i <= limit)


def _divisors(number: int, limit: int) -> tuple[int, ...]:
    return tuple(d for d in range(1, min(number, limit) + 1) if number % d == 0)


def default_space(case: Case, least_gpus: int = 1, fused_attention: bool = True, strictly: bool = False) -> Space:
    """All choices worth asking about for this model on this cluster.

    Tensor parallelism stays inside the scale-up domain (powers of two, up to 64). Pipeline sizes are the
    powers of two up to 64, and the divisors of the layers alone, with one more for each end, and with the
    ends counted as the layers that they amount to. Context parallelism leaves at least 1,024 tokens per
    rank. Recompute choices are none, full, the cheap modules that Megatron-Core offers, and core attention
    where its scores are stored at all.
    """
    model, cluster, work = case.model, case.cluster, case.work
    gpus, layers = cluster.num_accelerators, model.num_layers
    with_ends = layers + 1 + case.end_layers
    experts = [b.feed_forward for b in model.blocks.values() if isinstance(b.feed_forward, MixtureOfExperts)]
    stages = sorted(
        set(_powers(min(64, layers, gpus)))
        | {p for p in _divisors(layers, 64) + _divisors(layers + 2, 64) + _divisors(with_ends, 64) if p <= gpus}
    )
    return Space(
        tp=_powers(min(cluster.scale_up_domain, 64, gpus)),
        cp=_powers(max(1, min(work.seq_len // 1024, 64, gpus))),
        pp=tuple(stages),
        vpp=tuple(v for v in (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16) if v <= layers),
        ep=tuple(d for d in _divisors(experts[0].experts, 512) if d <= gpus) if experts else (1,),
        etp=(1, 0) if experts else (1,),
        micro_batch=_powers(min(8, work.global_batch)),
        zero=(0, 1, 2, 3),
        recompute=_recompute_choices(case, fused_attention),
        schedule=tuple(PIPELINE_SCHEDULES.index(s) for s in ("1f1b", "zero-bubble", "dualpipe", "zb-v")),
        least_gpus=least_gpus,
        strictly=strictly,
    )


def _recompute_choices(case: Case, fused_attention: bool) -> tuple[int, ...]:
    parts = [p for b in case.model.blocks.values() for p in (b.mixer, b.feed_forward)]
    cheap = ["layernorm"]
    if any(isinstance(p, MultiLatentAttention) for p in parts):
        cheap.append("mla_up_proj")
    if any(isinstance(p, MixtureOfExperts) for p in parts):
        cheap.append("moe_act")
    choices = [[], cheap, ["full"], *([] if fused_attention else [["core_attn"]])]
    if any(isinstance(p, DenseFeedForward) for p in parts):
        choices.append([*cheap, "mlp"])
    if any(isinstance(p, MixtureOfExperts) for p in parts):
        choices.append([*cheap, "moe", "shared_experts"])
    return tuple(dict.fromkeys(recompute_mask(c) for c in choices))


@dataclass(frozen=True)
class Enumerated:
    """Layouts worth evaluating, how many there were in all, and why the others went."""

    layouts: LayoutTable
    total: int
    rejected: dict[str, int]


def enumerate_layouts(case: Case, space: Space, framework: str, more: tuple[Rule, ...] = ()) -> Enumerated:
    """Every layout of the space that divides, that the framework can run and that violates none of `more` rules.

    Dimensions are chosen level by level, and each rule is applied as soon as all that it reads is chosen.
    A layout dropped early counts once for every choice of the later levels that it would have had (an
    upper bound for dp, whose choices depend on the rest).
    """
    levels: list[dict[str, tuple[int, ...]]] = [
        {"tp": space.tp, "cp": space.cp},
        {"pp": space.pp, "vpp": space.vpp, "schedule": space.schedule},
        {"micro_batch": space.micro_batch},
        {"dp": ()},
        {"ep": space.ep, "etp": space.etp},
        {"zero": space.zero, "offload_optimizer": space.offload_optimizer},
        {"recompute": space.recompute},
    ]
    names = {rule.reason: rule.reason for rule in (*DIVISION_RULES, *more)}
    names |= {rule.reason: f"{framework}: {rule.reason}" for rule in FRAMEWORK_RULES[framework]}
    waiting = [*DIVISION_RULES, *FRAMEWORK_RULES[framework], *more]
    chosen = {"order", "shard"}
    rejected: dict[str, int] = {}
    table = _single()
    for number, choices in enumerate(levels):
        table = _choose(case, table, choices, space)
        chosen |= {*choices, "sp"}
        ready = [rule for rule in waiting if rule.columns <= chosen]
        waiting = [rule for rule in waiting if not rule.columns <= chosen]
        bad, counts = violations(ready, case, table)
        if bad.any():
            table = table.take(~bad)
        later = math.prod(len(c) for level in levels[number + 1 :] for c in level.values() if c)
        for reason, count in counts.items():
            rejected[names[reason]] = rejected.get(names[reason], 0) + count * later
    return Enumerated(table, len(table) + sum(rejected.values()), rejected)


def _choose(case: Case, table: LayoutTable, choices: dict[str, tuple[int, ...]], space: Space) -> LayoutTable:
    """The table with one level more; choices that say the same thing twice are left out."""
    if "dp" in choices:
        return _with_data_parallel(case, table, space)
    table = _product(table, **choices)
    if "tp" in choices:
        return replace(table, sp=(table.tp > 1).astype(np.int64))
    if "vpp" in choices:
        chunks = np.where(table.schedule == PIPELINE_SCHEDULES.index("zb-v"), 2, 1)
        other = (table.pp > 1) & (table.vpp == chunks)
        return table.take(np.where(table.schedule == 0, (table.vpp == 1) | (table.pp > 1), other))
    if "etp" in choices:
        own_tp = table.etp == 0
        return replace(table, etp=np.where(own_tp, table.tp, table.etp)).take(~own_tp | (table.tp > 1))
    if "zero" in choices:
        return table.take((table.zero == 0) | (table.dp * table.cp > 1))
    return table


def _single() -> LayoutTable:
    ones, zeros = np.ones(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    return LayoutTable(
        tp=ones, sp=zeros, pp=ones, vpp=ones, cp=ones, ep=ones, etp=ones, dp=ones, zero=ones, shard=zeros,
        micro_batch=ones, recompute=zeros, offload_optimizer=zeros, schedule=zeros, order=zeros,
    )  # fmt: skip


def _product(table: LayoutTable, **choices: tuple[int, ...]) -> LayoutTable:
    """Every row of the table with every combination of the choices; the last named varies fastest."""
    grids = np.meshgrid(*[np.array(c, dtype=np.int64) for c in choices.values()], indexing="ij")
    size = grids[0].size
    chosen = {name: np.tile(grid.ravel(), len(table)) for name, grid in zip(choices, grids, strict=True)}
    kept = {f.name: np.repeat(getattr(table, f.name), size) for f in fields(LayoutTable) if f.name not in choices}
    return LayoutTable(**kept, **chosen)


def _with_data_parallel(case: Case, table: LayoutTable, space: Space) -> LayoutTable:
    """Each row with every dp that divides the batch and uses between `least_gpus` and all accelerators.

    Unless the space is strict, the largest dp is always among them, so that no row is lost for want of a
    round number.
    """
    gpus, batch = case.cluster.num_accelerators, case.work.global_batch
    divisors = np.array(_divisors(batch, gpus), dtype=np.int64)
    inner = table.tp * table.cp * table.pp
    parts = []
    for micro_batch in np.unique(table.micro_batch):
        rows = np.flatnonzero(table.micro_batch == micro_batch)
        choices = divisors[(batch % (divisors * micro_batch)) == 0]
        if not len(choices):
            continue
        world = inner[rows][:, None] * choices[None, :]
        fits = world <= gpus
        largest = fits & (world == np.where(fits, world, 0).max(axis=1, keepdims=True))
        enough = world >= space.least_gpus
        at_row, at_choice = np.nonzero(fits & (enough if space.strictly else enough | largest))
        parts.append(replace(table.take(rows[at_row]), dp=choices[at_choice]))
    return LayoutTable.concat(parts) if parts else table.take(np.zeros(0, dtype=np.int64))
