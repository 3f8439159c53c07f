"""Fabrics for a terminal: one described, several beside each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import heading, open_table
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.spec.fabric_result import ComparedFabric, FabricComparison, FabricDescription, GrowthStep
from myriad.units import format_si

MISSING = "–"


def fabric_text(fabric: FabricDescription, lang: str = "en") -> RenderableType:
    """A described fabric for the terminal. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words)
    blocks: list[RenderableType] = [
        Text(fabric.title, style="bold"),
        Text(asked_words(fabric, words, numbers), style="dim"),
    ]
    if fabric.switches:
        blocks += [heading(words("fabric.switches")), _switches(fabric, words, numbers)]
    blocks += [heading(words("fabric.links")), _links(fabric, words, numbers), "", _facts(fabric, words, numbers)]
    if fabric.growth:
        blocks += _growth(fabric.growth, words, numbers)
    return Group(*blocks)


def comparison_text(comparison: FabricComparison, lang: str = "en") -> RenderableType:
    """Fabrics side by side for the terminal. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words)
    blocks: list[RenderableType] = [
        Text(words("fabric.compared", cluster=comparison.cluster, gpus=numbers.gpus(comparison.num_accelerators)))
    ]
    if any(row.description is not None for row in comparison.rows):
        for part in (_made_of, _carries, _costs):
            table = part(comparison.rows, words, numbers)
            table.columns[0].no_wrap = True  # names stay whole, other columns wrap
            blocks += ["", table]
    blocks += [Text(f"{row.name}: {words.phrase(row.reason)}") for row in comparison.rows if row.reason]
    return Group(*blocks)


def bits(bytes_per_s: float) -> str:
    """A rate in bits per second, as networks are named by."""
    return format_si(8 * bytes_per_s, "b/s")


def tier_name(tier: str, words: Language) -> str:
    """A tier of switches in the language."""
    return words(f"tier.{tier}")


def links_name(link_class: str, words: Language) -> str:
    """A class of links in the language."""
    return words(f"links.{link_class.replace('-', '_')}")


def asked_words(fabric: FabricDescription, words: Language, numbers: Numbers) -> str:
    """What the fabric was asked to join, and what it could."""
    return words(
        "fabric.asked",
        gpus=numbers.gpus(fabric.num_accelerators),
        hosts=numbers.integer(fabric.num_hosts),
        cards=numbers.integer(fabric.nics_per_host),
        rate=bits(fabric.nic_bytes_per_s),
        endpoints=numbers.integer(fabric.num_endpoints),
        most=numbers.integer(fabric.most_endpoints),
    )


def _switches(fabric: FabricDescription, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("fabric.tier"), "left"), (words("fabric.switch"), "left"), (words("fabric.number"), "right"),
        (words("fabric.ports_free"), "right"),
    )  # fmt: skip
    for tier, number in fabric.switches.items():
        free = numbers.integer(fabric.ports_free[tier])
        table.add_row(tier_name(tier, words), fabric.switch_names[tier], numbers.integer(number), free)
    free = numbers.integer(sum(fabric.ports_free.values()))
    table.add_row(words("column.total"), "", numbers.integer(fabric.num_switches), free, style="bold")
    return table


def _links(fabric: FabricDescription, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("fabric.class"), "left"), (words("fabric.each"), "right"), (words("fabric.number"), "right")
    )
    for one, number in fabric.links.items():
        rate = bits(fabric.link_bytes_per_s[one]) if number else MISSING
        table.add_row(links_name(one, words), rate, numbers.integer(number))
    table.add_row(words("fabric.between"), "", numbers.integer(fabric.links_between_switches), style="bold")
    return table


def _facts(fabric: FabricDescription, words: Language, numbers: Numbers) -> Table:
    table = Table.grid(padding=(0, 2))
    share = numbers.percent(fabric.bisection_fraction)
    table.add_row(
        words("fabric.bisection"), words("fabric.of_full", rate=bits(fabric.bisection_bytes_per_s), share=share)
    )
    way = words("fabric.mean", hops=numbers.integer(fabric.diameter), mean=significant(fabric.mean_hops))
    table.add_row(words("fabric.diameter"), way)
    table.add_row(words("fabric.latency"), _optional(fabric.latency_across_s, numbers.seconds))
    domain = words(
        "fabric.domain", gpus=numbers.gpus(fabric.scale_up_domain), rate=bits(fabric.scale_up_bytes_per_s)
    )  # fmt: skip
    table.add_row(words("fabric.scale_up"), domain)
    table.add_row(words("fabric.routing"), fabric.routing)
    return table


def _growth(steps: tuple[GrowthStep, ...], words: Language, numbers: Numbers) -> Iterable[RenderableType]:
    """What a fabric is made of at each step, then what each step adds."""
    tiers = list(dict.fromkeys(tier for step in steps for tier in step.switches))
    classes = list(dict.fromkeys(one for step in steps for one in step.links))
    for added in (False, True):
        table = open_table(
            (words("fabric.hosts"), "right"), (words("column.gpus"), "right"),
            *((tier_name(tier, words), "right") for tier in tiers),
            *((links_name(one, words), "right") for one in classes),
        )  # fmt: skip
        for step in steps:
            switches, links = (step.added_switches, step.added_links) if added else (step.switches, step.links)
            shown = [*(switches.get(tier, 0) for tier in tiers), *(links.get(one, 0) for one in classes)]
            cells = [numbers.signed(number, 100) if added and number else numbers.integer(number) for number in shown]
            table.add_row(numbers.integer(step.num_hosts), numbers.integer(step.num_accelerators), *cells)
        yield heading(words("fabric.growth_adds" if added else "fabric.growth"))
        yield table


def _made_of(rows: tuple[ComparedFabric, ...], words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("fabric.fabric"), "left"), (words("fabric.most"), "right"), (words("fabric.by_tier"), "left"),
        (words("fabric.switches"), "right"), (words("fabric.between"), "right"),
        (words("fabric.transceivers"), "right"),
    )  # fmt: skip
    for row in rows:
        if (one := row.description) is None:
            continue
        table.add_row(
            row.name,
            numbers.integer(one.most_endpoints),
            " + ".join(numbers.integer(number) for number in one.switches.values()),
            numbers.integer(one.num_switches),
            numbers.integer(one.links_between_switches),
            _optional(row.transceivers, numbers.integer),
        )
    return table


def _carries(rows: tuple[ComparedFabric, ...], words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("fabric.fabric"), "left"), (words("fabric.halves"), "right"), (words("fabric.full"), "right"),
        (words("fabric.hops"), "right"), (words("fabric.mean_hops"), "right"), (words("fabric.latency"), "right"),
    )  # fmt: skip
    for row in rows:
        if (one := row.description) is not None:
            table.add_row(
                row.name,
                bits(one.bisection_bytes_per_s),
                numbers.percent(one.bisection_fraction),
                numbers.integer(one.diameter),
                significant(one.mean_hops),
                _optional(one.latency_across_s, numbers.seconds),
            )
    return table


def _costs(rows: tuple[ComparedFabric, ...], words: Language, numbers: Numbers) -> Table:
    collectives = list(dict.fromkeys(name for row in rows for name in row.collectives_s))
    table = open_table(
        (words("fabric.fabric"), "left"), (words("fabric.cost"), "right"), (words("fabric.power"), "right"),
        *((name, "right") for name in collectives),
    )  # fmt: skip
    for row in rows:
        if row.description is not None:
            table.add_row(
                row.name,
                _optional(row.cost_per_endpoint_usd, numbers.money),
                _optional(row.power_watts, lambda watts: format_si(watts, "W")),
                *(_optional(row.collectives_s.get(name), numbers.seconds) for name in collectives),
            )
    return table


def _optional(value: float | None, shown: Callable[[float], str]) -> str:
    return MISSING if value is None else shown(value)
