"""What text, terminal and page show of a run: figures in their units, differences, times, events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Literal

from myriad.report.language import Language
from myriad.report.numbers import Numbers, Unit, significant
from myriad.report.palette import LEDGER_COLOURS
from myriad.spec.run import Compared, RunEvent, RunReport
from myriad.units import DAY_S, GIB, HOUR_S, MIB

BETTER_HIGH: Final = ("tokens_per_s", "mfu", "ettr", "mean_time_to_interruption_s")
NEITHER: Final = ("checkpoint_interval_s",)
TOLERANCE: Final = 0.05
"""Differences up to this share, or in shares of the time so many points, are as promised."""
MINUTE_S: Final = 60.0


def figure_name(figure: str, words: Language) -> str:
    """What a figure is called."""
    room, _, category = figure.partition(".")
    return words(f"ledger.{category}") if room == "ledger" else words(f"compared.{figure}")


def shown(value: float | None, unit: str, numbers: Numbers) -> str:
    """A figure with its unit; a dash where nothing is known."""
    if value is None:
        return "–"
    if unit == "s":
        return numbers.seconds(value) if value > 0.0 else "0 s"
    if unit == "B":
        return f"{significant(value / GIB)} GiB" if value >= GIB / 10 else f"{significant(value / MIB)} MiB"
    if unit == "":
        return numbers.percent(value)
    return f"{numbers.large(value)}/s"


def promised(one: Compared, words: Language, numbers: Numbers) -> str:
    """The promise, with its band where it has one."""
    value = shown(one.promised, one.unit, numbers)
    if one.low is None or one.high is None:
        return value
    low, high = (shown(end, one.unit, numbers) for end in (one.low, one.high))
    return words("run.band", value=value, low=low, high=high)


def measured_interval(one: Compared, numbers: Numbers) -> str:
    """Both ends of the 95 % interval of what was measured; an end that is open is left out."""
    if one.measured_low is None and one.measured_high is None:
        return ""
    low, high = ("" if end is None else shown(end, one.unit, numbers)
                 for end in (one.measured_low, one.measured_high))  # fmt: skip
    return f"{low} – {high}".strip()


def difference(one: Compared, words: Language, numbers: Numbers) -> str:
    """How much more was measured than promised: a share, or points of a share."""
    if one.promised is None or one.measured is None:
        return ""
    if one.unit == "":
        points = 100.0 * (one.measured - one.promised)
        return f"{'−' if points < 0 else '+'}{abs(points):.1f} {words('run.points')}"
    return numbers.percent(one.measured / one.promised - 1.0, signed=True) if one.promised else ""


def verdict(one: Compared) -> Literal["good", "bad", ""]:
    """Whether it is better or worse than promised, beyond the band or the tolerance."""
    if one.promised is None or one.measured is None or one.figure in NEITHER:
        return ""
    if one.unit == "":
        off = one.measured - one.promised
    elif one.low is not None and one.high is not None and one.low <= one.measured <= one.high:
        return ""
    else:
        off = one.measured / one.promised - 1.0 if one.promised else 0.0
    if abs(off) <= (TOLERANCE if one.figure != "mfu" else TOLERANCE / 2):
        return ""
    return "good" if (off > 0.0) == (one.figure in BETTER_HIGH) else "bad"


def of_figure(report: RunReport, figure: str) -> Compared | None:
    """One of the compared figures."""
    return next((one for one in report.compared if one.figure == figure), None)


def ledger_rows(report: RunReport) -> list[tuple[str, float | None, float, float]]:
    """Category, its promised share, its real share and seconds; those that neither has are left out."""
    return [
        (name, report.promise.ledger.get(name), report.ledger_s[name] / report.wall_s if report.wall_s else 0.0,
         report.ledger_s[name])
        for name in LEDGER_COLOURS
        if report.ledger_s.get(name) or report.promise.ledger.get(name)
    ]  # fmt: skip


def clock_unit(seconds: float, words: Language) -> tuple[Unit, str]:
    """The unit of an axis of so much time, and the name of the axis."""
    if seconds < 5 * MINUTE_S:
        return Unit("s", 1.0), words("run.seconds_axis")
    if seconds < 2 * HOUR_S:
        return Unit(words("unit.min"), MINUTE_S), words("run.minutes_axis")
    if seconds < 3 * DAY_S:
        return Unit(words("unit.h"), HOUR_S), words("run.hours_axis")
    return Unit(words("unit.days"), DAY_S), words("run.days_axis")


def moment(time_s: float, seconds: bool = True) -> str:
    """Date and time of day, UTC."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M UTC")


def event_name(one: RunEvent, words: Language) -> str:
    """What happened."""
    return words(f"happened.{one.kind.replace('-', '_')}")


def event_place(one: RunEvent, words: Language) -> str:
    """Where it happened: life, node, rank."""
    places = [
        words("run.life", life=one.life) if one.life else "",
        one.node or "",
        words("run.rank", rank=one.rank) if one.rank is not None else "",
    ]
    return " · ".join(place for place in places if place)


def facts(report: RunReport, words: Language, numbers: Numbers) -> str:
    """State, step and loss in a line."""
    summary = report.summary
    given = {"state": words(f"phase.{summary.state}"), "step": numbers.integer(summary.step),
             "steps": numbers.integer(summary.steps)}  # fmt: skip
    if summary.loss is None:
        return words("run.facts", **given)
    return words("run.facts_loss", loss=f"{summary.loss:.4f}", **given)


def sentences(report: RunReport, words: Language, numbers: Numbers) -> Iterable[str]:
    """The answer: how fast against the promise, what was kept, when it ends."""
    summary = report.summary
    if summary.reason:
        yield words("run.why", reason=summary.reason)
    step = of_figure(report, "step_s")
    if step is None or step.measured is None or step.promised is None:
        yield words("run.no_step")
    else:
        yield from _pace(step, numbers, words)
        share = report.ledger_s["productive"] / report.wall_s
        given = {"share": numbers.percent(share), "wall": numbers.seconds(report.wall_s)}
        promise = report.promise.ettr
        yield (
            words("run.trained_alone", **given)
            if promise is None
            else words("run.trained", promised=numbers.percent(promise), **given)
        )
        lost = sum(not one.kept for one in report.steps)
        yield (
            words("run.interrupted", count=report.interruptions, steps=numbers.integer(lost),
                  tokens=numbers.integer(report.tokens_lost))
            if report.interruptions
            else words("run.undisturbed")
        )  # fmt: skip
        yield from _end(report, words, numbers)
    if report.checkpoint_interval_s is not None and report.expected_end_s is not None:
        yield words("run.checkpoints_every", time=numbers.seconds(report.checkpoint_interval_s))
    if summary.state in ("created", "queued", "running", "restarting"):
        yield words("run.supervised") if summary.supervised else words("run.unsupervised", run=summary.run)


def _pace(step: Compared, numbers: Numbers, words: Language) -> Iterable[str]:
    assert step.measured is not None
    assert step.promised is not None
    off = step.measured / step.promised - 1.0
    key = "run.as_promised" if abs(off) < 0.005 else "run.faster" if off < 0.0 else "run.slower"
    share = {} if key == "run.as_promised" else {"share": numbers.percent(abs(off))}
    yield words(key, time=numbers.seconds(step.measured), **share)
    if step.low is not None and step.high is not None:
        within = step.low <= step.measured <= step.high
        yield words("run.in_band" if within else "run.out_of_band", low=numbers.seconds(step.low),
                    high=numbers.seconds(step.high))  # fmt: skip


def _end(report: RunReport, words: Language, numbers: Numbers) -> Iterable[str]:
    promise = report.promise.wall_s
    told = {} if promise is None else {"promised": numbers.seconds(promise)}
    if report.expected_end_s is not None:
        wall = numbers.seconds(report.expected_end_s - report.summary.created_s)
        key = "run.ends_promised" if told else "run.ends"
        yield words(key, date=moment(report.expected_end_s, seconds=False), wall=wall, **told)
    elif report.summary.ended_s is not None:
        yield words("run.ended_promised" if told else "run.ended", wall=numbers.seconds(report.wall_s), **told)
