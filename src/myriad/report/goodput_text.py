"""What goodput a job gets, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import bar, bullets, heading, open_table, paragraph
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.report.palette import LEDGER_COLOURS
from myriad.spec.goodput import GoodputResult
from myriad.units import DAY_S

MONTH_S: Final = 30 * DAY_S
TOP_CAUSES: Final = 10
_BAR_CELLS: Final = 20
_NAMED_INTERVALS: Final = {"given": "goodput.given", "best": "goodput.best", "young": "Young", "daly": "Daly"}
_CHANGES: Final = {
    "failures_half": "goodput.failures_half",
    "detection_half": "goodput.detection_half",
    "restart_half": "goodput.restart_half",
    "blocking_half": "goodput.blocking_half",
    "write_half": "goodput.write_half",
    "repair_half": "goodput.repair_half",
    "best_interval": "goodput.best_interval",
}


def goodput_text(result: GoodputResult, lang: str = "en") -> RenderableType:
    """The goodput of a job for the terminal. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words)
    blocks: list[RenderableType] = [
        Text(_facts(result, words, numbers), style="bold"),
        paragraph(goodput_words(result, words, numbers), words),
        heading(words("goodput.parts")),
        _parts(result, words, numbers),
        heading(words("goodput.intervals")),
        _intervals(result, words, numbers),
        Text(_checkpoint(result, words, numbers), style="dim"),
    ]
    if len(result.causes) > 1:
        blocks += [heading(words("goodput.causes")), _causes(result, words, numbers)]
    if result.changes:
        blocks += [heading(words("goodput.changes")), _changes(result, words, numbers)]
    if result.sizes:
        blocks += [heading(words("goodput.sizes")), _sizes(result, words, numbers)]
    if result.assumed:
        blocks += bullets(words("goodput.assumed"), result.assumed, words)
    return Group(*blocks)


def goodput_words(result: GoodputResult, words: Language, numbers: Numbers) -> Iterable[str]:
    """The answer in sentences: what trains, what interrupts it, what one interruption takes, what costs it most."""
    yield words("goodput.trains", share=numbers.percent(result.ettr))
    if result.simulated is not None:
        spread = result.simulated.ettr
        yield words(
            "goodput.simulated",
            share=numbers.percent(spread.mean),
            low=numbers.percent(spread.low),
            high=numbers.percent(spread.high),
            runs=numbers.integer(result.simulated.runs),
            days=numbers.days(result.simulated.horizon_s / DAY_S),
        )
    if result.mtti_s is None or result.downtime_s is None or result.lost_s is None:
        yield words("goodput.undisturbed")
        return
    yield words("goodput.interrupted", time=numbers.seconds(result.mtti_s))
    yield words("goodput.each", down=numbers.seconds(result.downtime_s), lost=numbers.seconds(result.lost_s))
    losses = {name: share for name, share in result.parts.items() if name != "productive"}
    worst = max(losses, key=lambda name: losses[name])
    yield words("goodput.worst", name=words(f"ledger.{worst}"), share=numbers.percent(losses[worst]))
    if result.waiting_spares:
        yield words("goodput.spares_for", spares=numbers.integer(result.waiting_spares))


def _facts(result: GoodputResult, words: Language, numbers: Numbers) -> str:
    key = "goodput.facts" if result.spare_nodes is None else "goodput.facts_spares"
    return words(
        key,
        gpus=numbers.gpus(result.accelerators),
        nodes=numbers.integer(result.nodes),
        spares=numbers.integer(result.spare_nodes or 0),
    )


def _parts(result: GoodputResult, words: Language, numbers: Numbers) -> Table:
    """Every part that is there, with its bar; simulated ones beside the expected."""
    simulated = result.simulated.parts if result.simulated is not None else None
    extra = [(words("goodput.simulated_head"), "right")] if simulated is not None else []
    table = open_table(
        ("", "left"), ("", "left"), (words("campaign.share"), "right"), (words("goodput.of_month"), "right"), *extra
    )  # fmt: skip
    for name, share in result.parts.items():
        also = (simulated or {}).get(name, 0.0)
        if share < 5e-5 and also < 5e-5:
            continue
        table.add_row(
            words(f"ledger.{name}"),
            bar(share, LEDGER_COLOURS[name], _BAR_CELLS),
            _percent(share, numbers),
            numbers.seconds(share * MONTH_S),
            *([_percent(also, numbers)] if simulated is not None else []),
        )
    return table


def _intervals(result: GoodputResult, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("goodput.interval"), "left"), (words("campaign.every_head"), "right"), ("ETTR", "right"),
        ("", "left"),
    )  # fmt: skip
    most = max((one.ettr for one in result.intervals), default=0.0)
    for one in result.intervals:
        key = _NAMED_INTERVALS[one.name]
        table.add_row(
            words(key) if "." in key else key,
            numbers.seconds(one.interval_s),
            _percent(one.ettr, numbers),
            "" if one.ettr >= most else numbers.percent(one.ettr - most, signed=True),
        )
    return table


def _checkpoint(result: GoodputResult, words: Language, numbers: Numbers) -> str:
    line = result.checkpoint
    said = words(
        "goodput.checkpoint",
        blocking=numbers.seconds(line.blocking_s),
        write=numbers.seconds(line.write_s),
        read=numbers.seconds(line.read_s),
    )
    if line.state_bytes is None:
        return said
    return said + words("words.space") + words("campaign.state", size=numbers.memory(line.state_bytes))


def _causes(result: GoodputResult, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("campaign.cause"), "left"), (words("goodput.per_day"), "right"), (words("campaign.share"), "right")
    )
    for cause in result.causes[:TOP_CAUSES]:
        table.add_row(cause.name, significant(cause.interruptions_per_day), _percent(cause.lost, numbers))
    rest = result.causes[TOP_CAUSES:]
    if rest:
        per_day = sum(cause.interruptions_per_day for cause in rest)
        lost = sum(cause.lost for cause in rest)
        table.add_row(words("campaign.others", count=len(rest)), significant(per_day), _percent(lost, numbers))
    return table


def _changes(result: GoodputResult, words: Language, numbers: Numbers) -> Table:
    table = open_table((words("campaign.improvement"), "left"), ("ETTR", "right"), (words("goodput.gain"), "right"))
    for change in result.changes:
        gain = f"+{100 * change.gain:.2f}"
        table.add_row(words(_CHANGES[change.name]), _percent(change.ettr, numbers), gain)
    return table


def _sizes(result: GoodputResult, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("column.gpus"), "right"), (words("campaign.mtti_head"), "right"),
        (words("campaign.every_head"), "right"), ("ETTR", "right"),
    )  # fmt: skip
    for size in result.sizes:
        table.add_row(
            numbers.integer(size.accelerators),
            "–" if size.mtti_s is None else numbers.seconds(size.mtti_s),
            numbers.seconds(size.interval_s),
            _percent(size.ettr, numbers),
            style="bold" if size.accelerators == result.accelerators else "",
        )
    return table


def _percent(share: float, numbers: Numbers) -> str:
    """A share with two decimals: small ones are what is asked for."""
    whole = numbers.percent(share)
    return whole.replace(f"{100 * share:.1f}", f"{100 * share:.2f}", 1)
