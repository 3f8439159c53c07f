"""Which layouts can exist at all, and which a given framework can run.

Every rule is one function from columns of layouts to a column of booleans, with the words that are
counted and shown when it is violated and the columns that it reads, so that a search can apply it as
soon as these are chosen. To teach the search a rule, add a line to a table below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myriad.estimate.placement import predicts_apart, split_problem
from myriad.search.divisors import Mask, any_remainder, tensor_sizes
from myriad.spec.cluster import Cluster
from myriad.spec.job import TrainingWork
from myriad.spec.layout import PIPELINE_SCHEDULES, RECOMPUTE_MODULES, Layout, LayoutTable
from myriad.spec.model import (
    GroupedQueryAttention,
    Model,
)

_ZERO_BUBBLE, _DUALPIPE, _ZB_V = map(PIPELINE_SCHEDULES.index, ("zero-bubble", "dualpipe", "zb-v"))


@dataclass(frozen=True)
class Case:
    """What the rules look at beside the layouts."""

    model: Model
    cluster: Cluster
    work: TrainingWork
    end_layers: int = 1
    """Usual layers that the work after the last layer amounts to: prediction depths, head, loss."""


@dataclass(frozen=True)
class Rule:
    """One rule on layouts."""

    reason: str
    columns: frozenset[str]
    """Columns of `LayoutTable` that it reads."""
    violated: Callable[[Case, LayoutTable], Mask]


def _rule(reason: str, columns: str, violated: Callable[[Case, LayoutTable], Mask]) -> Rule:
    return Rule(reason, frozenset(columns.split()), violated)


def _block_parts(model: Model, *kinds: type) -> list[object]:
    found: list[object] = []
    for block in model.blocks.values():
        found += [part for part in (block.mixer, block.feed_forward) if isinstance(part, kinds)]
    return found


def _tp_divides(case: Case, x: LayoutTable) -> Mask:
    return any_remainder(tensor_sizes(case.model), x.tp)


def _kv_heads_divide(case: Case, x: LayoutTable) -> Mask:
    bad = np.zeros(len(x), dtype=bool)
    for part in _block_parts(case.model, GroupedQueryAttention):
        assert isinstance(part, GroupedQueryAttention)
        bad |= (part.kv_heads % x.tp != 0) & (x.tp % part.kv_heads != 0)
    return bad


def _sequence_divides(case: Case, x: LayoutTable) -> Mask:
    halves = np.where(x.cp > 1, 2 * x.cp, 1)
    return np.asarray(case.work.seq_len % (halves * np.where(x.sp > 0, x.tp, 1)) != 0)


def _experts_divide(case: Case, x: LayoutTable) -> Mask:
    return any_remainder([m.experts for m in case.model.routed_experts()], x.ep)


def _expert_width_divides(case: Case, x: LayoutTable) -> Mask:
    return any_remainder([m.expert_width for m in case.model.routed_experts()], x.etp)


def _micro_batches(case: Case, x: LayoutTable) -> npt.NDArray[np.int64]:
    return x.num_micro_batches(case.work.global_batch)


def _not_from_both_ends(case: Case, x: LayoutTable) -> Mask:
    batches = _micro_batches(case, x)
    odd = (x.pp % 2 > 0) | (batches % 2 > 0) | (x.vpp > 1)
    return np.asarray((x.schedule == _DUALPIPE) & (odd | (batches < 2 * x.pp)))


#: Reasons why a layout cannot exist, whatever runs it.
DIVISION_RULES: tuple[Rule, ...] = (
    _rule("fewer layers than pipeline chunks", "pp vpp", lambda c, x: x.pp * x.vpp > c.model.num_layers + 2),
    _rule("tp does not divide the attention heads or feed-forward width", "tp", _tp_divides),
    _rule("tp and kv heads do not divide one another", "tp", _kv_heads_divide),
    _rule("sequence length does not divide by tp and twice cp", "tp cp sp", _sequence_divides),
    _rule(
        "more ranks than accelerators", "tp cp pp dp",
        lambda c, x: x.tp * x.cp * x.pp * x.dp > c.cluster.num_accelerators,
    ),
    _rule(
        "micro-batch * dp does not divide the global batch", "micro_batch dp",
        lambda c, x: c.work.global_batch % (x.micro_batch * x.dp) != 0,
    ),
    _rule(
        "the model has no experts to spread",
        "ep etp",
        lambda c, x: (x.ep * x.etp > 1) & (not c.model.routed_experts()),
    ),
    _rule("ep does not divide the experts", "ep", _experts_divide),
    _rule("etp does not divide the expert width", "etp", _expert_width_divides),
    _rule(
        "ep * etp does not divide tp * cp * dp", "tp cp dp ep etp",
        lambda _, x: (x.tp * x.cp * x.dp) % (x.ep * x.etp) != 0,
    ),
    _rule(
        "shard does not divide dp * cp", "dp cp shard", lambda _, x: (x.dp * x.cp) % np.maximum(x.shard, 1) != 0,
    ),
    _rule(
        "DualPipe needs an even number of stages without chunks, and two micro-batches a stage",
        "pp vpp dp micro_batch schedule", _not_from_both_ends,
    ),
    _rule(
        "offloading needs the host link, which the catalog does not know", "offload_optimizer",
        lambda c, x: (x.offload_optimizer > 0) & (c.cluster.accelerator.host_link_bytes_per_s_one_way is None),
    ),
)  # fmt: skip


def _uneven(case: Case, x: LayoutTable) -> Mask:
    """More than a quarter of the places in chunks would stay empty."""
    chunks, layers = x.pp * x.vpp, case.model.num_layers
    with_ends = layers + 1 + case.end_layers
    return np.asarray((x.vpp > 1) & (layers % chunks != 0) & (-(-with_ends // chunks) * chunks > 1.25 * with_ends))


_FULL = 1 << RECOMPUTE_MODULES.index("full")
_EVERY_OTHER_PRODUCT = 1 << RECOMPUTE_MODULES.index("every_other_product")

_EVEN_CHUNKS = _rule("interleaved chunks would be too unequal", "pp vpp", _uneven)
_WHOLE_ROUNDS = _rule(
    "interleaving needs micro-batches in multiples of pp", "pp vpp dp micro_batch",
    lambda c, x: (x.vpp > 1) & (_micro_batches(c, x) % x.pp != 0),
)  # fmt: skip


def _unfilled(case: Case, x: LayoutTable) -> Mask:
    least = np.select([x.schedule == _ZERO_BUBBLE, x.schedule == _ZB_V], [x.pp, 2 * x.pp - 1], 0)
    return np.asarray(_micro_batches(case, x) < least)


# With fewer, the bubble is up to three times what its closed form says, and 1F1B needs less memory.
_FILLED = _rule(
    "zero-bubble wants a micro-batch per stage, ZB-V two", "pp dp micro_batch schedule", _unfilled,
)  # fmt: skip

#: Framework -> its rules. Checked against Megatron-Core 0.16's argument validation, torchtitan 0.2 and
#: PyTorch 2.13 FSDP2.
FRAMEWORK_RULES: Mapping[str, tuple[Rule, ...]] = {
    "megatron-core": (
        _EVEN_CHUNKS,
        _WHOLE_ROUNDS,
        _rule("gradient sharding (ZeRO-2) is not offered", "zero", lambda _, x: x.zero == 2),
        _rule("parameter sharding excludes pipeline stages", "zero pp", lambda _, x: (x.zero == 3) & (x.pp > 1)),
        _rule(
            "tensor parallel with experts needs sequence parallelism", "tp sp",
            lambda c, x: (x.tp > 1) & (x.sp == 0) & bool(c.model.routed_experts()),
        ),
        _rule("schedule is not offered", "schedule", lambda _, x: x.schedule != 0),
        _rule(
            "recomputation by operation is not offered", "recompute",
            lambda _, x: (x.recompute & _EVERY_OTHER_PRODUCT) > 0,
        ),
    ),
    "torchtitan": (
        _WHOLE_ROUNDS,
        _FILLED,
        _rule(
            "fewer micro-batches than stages", "pp dp micro_batch",
            lambda c, x: (x.pp > 1) & (_micro_batches(c, x) < x.pp),
        ),
        _rule("expert-tensor parallel is 1 or tp", "tp etp", lambda _, x: (x.etp != 1) & (x.etp != x.tp)),
        _rule(
            "data parallelism is FSDP2 (ZeRO-3) or HSDP", "zero dp cp", lambda _, x: (x.zero < 3) & (x.dp * x.cp > 1)
        ),
        _rule(
            "recompute is none, selective or full", "recompute",
            lambda _, x: ~np.isin(x.recompute, (0, 1, _EVERY_OTHER_PRODUCT, _FULL)),
        ),
        _rule("optimizer offload is not offered", "offload_optimizer", lambda _, x: x.offload_optimizer > 0),
        _rule(
            "zero-bubble needs chunks (InterleavedZeroBubble)", "schedule vpp",
            lambda _, x: (x.schedule == _ZERO_BUBBLE) & (x.vpp == 1),
        ),
        _rule(
            "DualPipe from both ends is not offered, its half DualPipeV is", "schedule",
            lambda _, x: x.schedule == _DUALPIPE,
        ),
    ),
    "own": (_EVEN_CHUNKS, _WHOLE_ROUNDS, _FILLED),
    "fsdp": (
        _rule(
            "no tensor, context, pipeline or expert parallelism", "tp cp pp ep etp",
            lambda _, x: (x.tp * x.cp * x.pp * x.ep * x.etp) > 1,
        ),
        _rule("gradients or parameters are sharded (ZeRO-2 or 3)", "zero dp", lambda _, x: (x.zero < 2) & (x.dp > 1)),
        _rule(
            "recompute is none or full", "recompute", lambda _, x: (x.recompute != 0) & (x.recompute != _FULL)
        ),
        _rule("optimizer offload alone is not offered", "offload_optimizer", lambda _, x: x.offload_optimizer > 0),
    ),
    "reference": (
        _WHOLE_ROUNDS,
        _FILLED,
        _rule("no context or expert parallelism", "cp ep", lambda _, x: (x.cp * x.ep) > 1),
        _rule("experts are cut over tp", "tp etp", lambda c, x: (x.etp != x.tp) & bool(c.model.routed_experts())),
        _rule(
            "gradients are not sharded where a schedule splits the backward pass (ZeRO-2 or 3)", "zero pp schedule",
            lambda _, x: (x.zero > 1) & (x.pp > 1) & np.isin(x.schedule, (_ZERO_BUBBLE, _ZB_V)),
        ),
        _rule("recompute is none or full", "recompute", lambda _, x: (x.recompute != 0) & (x.recompute != _FULL)),
        _rule("optimizer offload is not offered", "offload_optimizer", lambda _, x: x.offload_optimizer > 0),
        _rule("DualPipe is not offered", "schedule", lambda _, x: x.schedule == _DUALPIPE),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class SplitRule:
    """One rule on the split of a layout, which no column holds."""

    reason: str
    violated: Callable[[Model, tuple[int, ...]], bool]


#: Framework -> what splits it cannot run. Megatron-Core 0.16 takes any with prediction depths on one chunk
#: (`--pipeline-model-parallel-layout`), torchtitan 0.3 names modules per stage (`module_fqns_per_model_part`) and
#: predicts one token.
SPLIT_RULES: Mapping[str, tuple[SplitRule, ...]] = {
    "megatron-core": (),
    "torchtitan": (SplitRule("prediction depths cannot lie apart from the head", predicts_apart),),
    "own": (),
    "fsdp": (SplitRule("layers cannot be placed on stages", lambda _, split: len(split) > 1),),
    "reference": (SplitRule("prediction depths cannot lie apart from the head", predicts_apart),),
}

#: Frameworks that plans for others are not held against: in-house software that runs everything, and our own trainer.
UNNAMED: frozenset[str] = frozenset({"own", "reference"})


def violations(rules: Iterable[Rule], case: Case, layouts: LayoutTable) -> tuple[Mask, dict[str, int]]:
    """Which layouts violate any rule, and how many each rule was the first to catch."""
    bad = np.zeros(len(layouts), dtype=bool)
    counts: dict[str, int] = {}
    for rule in rules:
        fresh = rule.violated(case, layouts) & ~bad
        if number := int(fresh.sum()):
            counts[rule.reason] = number
            bad |= fresh
    return bad, counts


def runs_on(case: Case, layout: Layout) -> dict[str, str]:
    """For one layout: framework -> empty if it can run it, else the first rule that it violates."""
    one = LayoutTable.from_layouts([layout.without_split()])
    found = {}
    for name, rules in FRAMEWORK_RULES.items():
        if name in UNNAMED:
            continue
        # How equal chunks become is the split's own affair.
        of_columns = [rule for rule in rules if not (layout.split and rule is _EVEN_CHUNKS)]
        of_split = (rule.reason for rule in SPLIT_RULES[name] if rule.violated(case.model, layout.split))
        found[name] = next(iter(violations(of_columns, case, one)[1]), "") or next(of_split, "")
    return found


def first_violation(case: Case, layout: Layout) -> str:
    """The first division rule that a layout violates, or empty; a split must place every layer."""
    one = LayoutTable.from_layouts([layout.without_split()])
    return next(iter(violations(DIVISION_RULES, case, one)[1]), "") or split_problem(case.model, layout.split)
