"""Rules that layouts of a serving replica must obey, each as a reason and a check over whole columns.

Some hold for every engine, since they follow from the model's sizes and the machine; the rest belong to one engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from myriad.estimate.serving.machine import Cut
from myriad.search.divisors import Mask, any_remainder, tensor_sizes
from myriad.spec.cluster import Cluster
from myriad.spec.model import (
    DenseFeedForward,
    GroupedQueryAttention,
    MixtureOfExperts,
    Model,
)
from myriad.spec.serving import ServingLayout, ServingWork

SCALE_BLOCK = 128
"""Rows and columns that share a scale under `fp8-block`."""


@dataclass(frozen=True)
class ServingCase:
    """What the rules look at beside the layouts."""

    model: Model
    cluster: Cluster
    work: ServingWork


@dataclass(frozen=True)
class ServingRule:
    """One rule on layouts of a replica."""

    reason: str
    violated: Callable[[ServingCase, Cut], Mask]


def _tp_divides(case: ServingCase, x: Cut) -> Mask:
    return any_remainder(tensor_sizes(case.model), x.tp)


def _kv_heads_divide(case: ServingCase, x: Cut) -> Mask:
    bad = np.zeros(len(x.tp), dtype=bool)
    for block in case.model.blocks.values():
        if isinstance(block.mixer, GroupedQueryAttention):
            heads = block.mixer.kv_heads
            bad |= (heads % x.tp != 0) & (x.tp % heads != 0)
    return bad


def _scales_cut(case: ServingCase, x: Cut) -> Mask:
    """Under `fp8-block`, a piece of an expert or of a dense feed-forward would not be whole blocks."""
    bad = np.zeros(len(x.tp), dtype=bool)
    for block in case.model.blocks.values():
        match block.feed_forward:
            case DenseFeedForward(width=width) if case.work.precision == "fp8-block":
                bad |= width / x.tp % SCALE_BLOCK != 0
            case MixtureOfExperts(expert_width=width) if (
                case.work.expert_precision or case.work.precision
            ) == "fp8-block":
                bad |= width / x.moe_tp % SCALE_BLOCK != 0
    return bad


#: Reasons why a layout cannot exist, whatever runs it.
DIVISION_RULES: tuple[ServingRule, ...] = (
    ServingRule("tp does not divide the attention heads or feed-forward width", _tp_divides),
    ServingRule("tp and kv heads do not divide one another", _kv_heads_divide),
    ServingRule("fewer layers than pipeline stages", lambda c, x: x.pp > c.model.num_layers),
    ServingRule("the model has no experts to spread", lambda c, x: (x.ep > 1) & (not c.model.routed_experts())),
    ServingRule(
        "ep does not divide the experts",
        lambda c, x: any_remainder([m.experts for m in c.model.routed_experts()], x.ep),
    ),
    ServingRule(
        "the ranks that share an expert do not divide its width",
        lambda c, x: any_remainder([m.expert_width for m in c.model.routed_experts()], x.moe_tp),
    ),
    ServingRule("fp8-block: pieces of a feed-forward are no whole blocks of scales", _scales_cut),
)

#: Reasons why nobody would run a layout.
SENSE_RULES: tuple[ServingRule, ...] = (
    ServingRule("tp reaches beyond the scale-up domain", lambda c, x: x.tp > c.cluster.scale_up_domain),
    ServingRule(
        "data-parallel attention without experts is more replicas",
        lambda c, x: (x.dp > 1) & (not c.model.routed_experts()),
    ),
    ServingRule(
        "all-to-all dispatch needs every rank to own different experts",
        lambda c, x: (x.dp > 1) & (x.moe_tp > 1) & (c.work.dispatch == "all-to-all"),
    ),
)

#: Engine -> its rules, of the releases of 2025 and 2026. Engines that are not listed have none of their own.
ENGINE_RULES: Mapping[str, tuple[ServingRule, ...]] = {
    "vllm": (
        ServingRule(
            "experts are spread over all ranks (--enable-expert-parallel) or none",
            lambda _, x: (x.ep > 1) & (x.moe_tp > 1),
        ),
    ),
    "sglang": (
        ServingRule(
            "data-parallel attention does not go with pipeline stages",
            lambda _, x: (x.dp > 1) & (x.pp > 1),
        ),
    ),
    "trtllm": (
        ServingRule(
            "attention is data-parallel on all ranks (enable_attention_dp) or none",
            lambda _, x: (x.dp > 1) & (x.tp > 1),
        ),
    ),
}


def rules_of(engine: str) -> tuple[ServingRule, ...]:
    """All rules of an engine, its own under its name."""
    own = ENGINE_RULES.get(engine, ())
    return (*DIVISION_RULES, *SENSE_RULES, *(ServingRule(f"{engine}: {rule.reason}", rule.violated) for rule in own))


def violations(rules: Iterable[ServingRule], case: ServingCase, layouts: Cut) -> tuple[Mask, dict[str, int]]:
    """Which layouts violate any rule, and how many each rule was the first to catch."""
    bad = np.zeros(len(layouts.tp), dtype=bool)
    counts: dict[str, int] = {}
    for rule in rules:
        fresh = rule.violated(case, layouts) & ~bad
        if number := int(fresh.sum()):
            counts[rule.reason] = counts.get(rule.reason, 0) + number
            bad |= fresh
    return bad, counts


def division_problem(case: ServingCase, layout: ServingLayout) -> str:
    """The first reason why the layout cannot exist, or empty."""
    return next(iter(violations(DIVISION_RULES, case, Cut.of([layout]))[1]), "")
