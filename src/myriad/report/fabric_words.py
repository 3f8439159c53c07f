"""Fabrics of a plan's pools in sentences, for the terminal and the report."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType

from myriad.report.blocks import bullets, heading, paragraph
from myriad.report.fabric_text import bits
from myriad.report.language import Language
from myriad.report.numbers import Numbers, significant
from myriad.spec.fabric_heat import ClassUse
from myriad.spec.fabric_plan import PoolFabric
from myriad.spec.result import Plan
from myriad.spec.traffic_result import StepOnFabric
from myriad.units import format_si


def pool_fabric_words(fabric: PoolFabric, words: Language, numbers: Numbers) -> list[str]:
    """What joins the hosts of a pool, and how far it carries."""
    made = fabric.description
    return [
        words(
            "pool.fabric",
            title=made.title,
            hosts=numbers.integer(made.num_hosts),
            switches=numbers.integer(made.num_switches),
            links=numbers.integer(sum(made.links.values())),
            bisection=bits(made.bisection_bytes_per_s),
            share=numbers.percent(made.bisection_fraction),
            hops=numbers.integer(made.diameter),
        )
    ]


def pool_bill_words(fabric: PoolFabric, words: Language, numbers: Numbers) -> list[str]:
    """What the pool would be bought as, beside what its file counts for it; nothing where there is no bill."""
    bill = fabric.bill
    if bill is None:
        return []
    told = [
        words(
            "pool.bill",
            total=numbers.money(bill.total_usd),
            network=numbers.money(bill.network_usd),
            transceivers=numbers.integer(bill.transceivers),
            power=format_si(bill.it_watts, "W"),
        )
    ]
    if bill.without_price:
        told.append(words("pool.unpriced", lines=numbers.integer(len(bill.without_price))))
    if fabric.stated_usd:
        share = numbers.percent(bill.total_usd / fabric.stated_usd)
        told.append(words("pool.stated", stated=numbers.money(fabric.stated_usd), share=share))
    return told


def step_fabric_words(step: StepOnFabric, plan: Plan, words: Language, numbers: Numbers) -> list[str]:
    """What a job's traffic makes of its step there, and how full links between switches get."""
    # Less than half of what is shown is no change.
    change = step.change_fraction if abs(step.change_fraction) >= 5e-4 else 0.0
    told = [
        words(
            "pool.step",
            job=step.job,
            line_rate=f"{significant(step.planned_step_s, 4)} s",
            step=f"{significant(step.step_s, 4)} s",
            change=numbers.percent(change, signed=True),
        )
    ]
    planned = next((job.chosen.step_s for job in plan.jobs if job.name == step.job and job.chosen is not None), None)
    if planned is not None:
        told.append(words("pool.planned", step=f"{significant(planned, 4)} s"))
    if (fullest := _fullest(step)) is not None:
        mean, peak = numbers.percent(fullest.mean_fraction), numbers.percent(fullest.peak_fraction)
        told.append(words("pool.fullest", mean=mean, peak=peak))
    return told


def _fullest(step: StepOnFabric) -> ClassUse | None:
    """The class of links between switches with the fullest link."""
    if step.pictures is None:
        return None
    between = step.pictures.heat.classes[2:]
    return max(between, key=lambda one: one.peak_fraction, default=None)


def fabric_blocks(plan: Plan, words: Language, numbers: Numbers) -> Iterable[RenderableType]:
    """The fabrics of all pools for the terminal."""
    for name, fabric in plan.fabrics.items():
        yield heading(words("pool.head", pool=name))
        sentences = [*pool_fabric_words(fabric, words, numbers), *pool_bill_words(fabric, words, numbers)]
        for step in fabric.steps:
            sentences += step_fabric_words(step, plan, words, numbers)
        yield paragraph(sentences, words)
        if fabric.missing:
            yield from bullets(words("heading.missing"), fabric.missing, words)
