"""What many simulated lives of a plan say, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import bar, bullets, heading, open_table, paragraph
from myriad.report.campaign_views import cause_rows, interrupts, interval, ledger_rows, money, number, time_unit
from myriad.report.campaign_words import campaign_facts, campaign_words, checkpoints_words, improvement_name, place_key
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers
from myriad.report.palette import LEDGER_COLOURS
from myriad.spec.campaign_result import CampaignResult, SimulatedPlan
from myriad.units import DAY_S

TOP_CAUSES = 10
TOP_IMPROVEMENTS = 6
_BAR_CELLS = 20


def simulation_text(result: SimulatedPlan, lang: str = "en") -> RenderableType:
    """All campaigns for the terminal, each in words and tables. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words, result.currency, result.usd_per_currency)
    blocks: list[RenderableType] = [Text(result.system, style="bold")]
    for campaign in result.campaigns:
        blocks += ["", *_campaign(campaign, words, numbers)]
    if result.missing:
        lines = [
            words("campaign.not_simulated", job=job) + words("campaign.colon") + words.phrase(reason)
            for job, reason in result.missing.items()
        ]
        blocks += bullets(words("campaign.missing"), lines, words)
    return Group(*blocks)


def _campaign(result: CampaignResult, words: Language, numbers: Numbers) -> Iterable[RenderableType]:
    yield Text(f"■ {words('campaign.job', job=result.job, pool=result.pool)}", style="bold")
    yield Text(campaign_facts(result, words, numbers), style="dim")
    yield paragraph(campaign_words(result, words, numbers), words)
    yield heading(words("campaign.goodput"))
    yield _goodput(result, words, numbers)
    if interrupts(result):
        yield heading(words("campaign.causes"))
        yield _causes(result, words, numbers)
    yield heading(words("campaign.checkpoints"))
    yield _checkpoints(result, words, numbers)
    yield Text(checkpoints_words(result, words), style="dim")
    if result.improvements:
        yield heading(words("campaign.improvements"))
        yield _improvements(result, words, numbers)
    if result.assumed:
        yield from bullets(words("campaign.assumed"), result.assumed, words)


def _goodput(result: CampaignResult, words: Language, numbers: Numbers) -> Table:
    """Every category with its bar; the last row is their sum."""
    unit = time_unit(result.wall_s.mean, words)
    like = result.wall_s.mean / unit.scale / 10
    table = open_table(
        ("", "left"), ("", "left"), (words("campaign.share"), "right"), (unit.name, "right"),
        (words("campaign.interval_head"), "right"),
    )  # fmt: skip
    for name, spent, share in ledger_rows(result):
        table.add_row(
            words(f"ledger.{name}"),
            bar(share, LEDGER_COLOURS[name], _BAR_CELLS),
            numbers.percent(share),
            numbers.plain(spent.mean / unit.scale, like),
            interval(spent, unit.scale, words, numbers, like),
        )
    table.add_row(
        words("campaign.wall"),
        "",
        numbers.percent(1.0),
        numbers.plain(result.wall_s.mean / unit.scale, like),
        interval(result.wall_s, unit.scale, words, numbers, like),
        style="bold",
    )
    return table


def _causes(result: CampaignResult, words: Language, numbers: Numbers) -> Table:
    shown, rest = cause_rows(result, TOP_CAUSES)
    unit = time_unit(result.wall_s.mean, words)
    like = max(cause.interruptions.mean for cause in shown) / 10
    longest = max(cause.wall_s.mean for cause in shown) / unit.scale
    table = open_table(
        (words("campaign.cause"), "left"), (words("campaign.component"), "left"),
        (words("campaign.interruptions"), "right"), (words("campaign.interval_head"), "right"),
        (unit.name, "right"),
    )  # fmt: skip
    for cause in shown:
        table.add_row(
            cause.name,
            words(f"component.{cause.component}"),
            numbers.plain(cause.interruptions.mean, like),
            interval(cause.interruptions, 1.0, words, numbers, like),
            numbers.plain(cause.wall_s.mean / unit.scale, longest),
        )
    if rest:
        table.add_row(
            words("campaign.others", count=len(rest)),
            "",
            numbers.plain(sum(cause.interruptions.mean for cause in rest), like),
            "",
            numbers.plain(sum(cause.wall_s.mean for cause in rest) / unit.scale, longest),
        )
    return table


def _checkpoints(result: CampaignResult, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("campaign.place"), "left"), (words("campaign.every_head"), "right"), ("Young", "right"),
        ("Daly", "right"), (words("campaign.blocking"), "right"), (words("campaign.write"), "right"),
        (words("campaign.read"), "right"),
    )  # fmt: skip
    for line in result.checkpoints:
        every = numbers.seconds(line.interval_s) + ("*" if line.chosen else "")
        times = (line.young_s, line.daly_s, line.blocking_s, line.write_s, line.read_s)
        table.add_row(words(place_key(line.to)), every, *(numbers.seconds(time) for time in times))
    return table


def _improvements(result: CampaignResult, words: Language, numbers: Numbers) -> Table:
    shown = result.improvements[:TOP_IMPROVEMENTS]
    unit = time_unit(result.wall_s.mean, words)
    per_unit = unit.scale / DAY_S
    like = max(abs(one.days_saved.mean) for one in shown) / per_unit
    priced = any(one.usd_saved is not None for one in shown)
    columns = [
        (words("campaign.improvement"), "left"), (unit.name, "right"), (words("campaign.interval_head"), "right"),
    ]  # fmt: skip
    table = open_table(*columns, *([(words("campaign.money"), "right")] if priced else []))
    for one in shown:
        saved = [money(one.usd_saved.mean, numbers) if one.usd_saved is not None else "–"] if priced else []
        name = Text(improvement_name(one, words))
        detail = words.phrase(one.detail)
        table.add_row(
            Text.assemble(name, "\n", (detail, "dim")) if detail else name,
            number(one.days_saved.mean / per_unit, like, numbers),
            interval(one.days_saved, per_unit, words, numbers, like),
            *saved,
        )
    return table
