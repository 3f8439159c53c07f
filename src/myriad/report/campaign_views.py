"""What texts and pictures of a simulated campaign show of its result: rows in order, quantiles, units of time."""

from __future__ import annotations

from myriad.report.language import Language
from myriad.report.numbers import Numbers, Unit
from myriad.report.palette import LEDGER_COLOURS
from myriad.spec.campaign_result import CampaignResult, CauseLine, Share, SimulatedPlan, Spread
from myriad.units import DAY_S, HOUR_S


def time_unit(seconds: float, words: Language) -> Unit:
    """The unit in which all times of a picture or column are shown: hours of up to two days, else days."""
    if seconds < 2 * DAY_S:
        return Unit(words("unit.h"), HOUR_S)
    return Unit(words("unit.days"), DAY_S)


def long(seconds: float, numbers: Numbers) -> str:
    """A length of a campaign: days, or hours when short."""
    return numbers.days(seconds / DAY_S)


def campaigns_of(simulated: SimulatedPlan | None, job: str) -> list[CampaignResult]:
    """The simulated lives of a job of a plan, if there are any."""
    return [campaign for campaign in simulated.campaigns if campaign.job == job] if simulated else []


def finishes(result: CampaignResult) -> bool:
    """Whether any quantile of its end is known."""
    return any(end_s is not None for end_s in result.finish_quantiles_s)


def interrupts(result: CampaignResult) -> bool:
    """Whether anything interrupts it."""
    return any(cause.interruptions.mean > 0.0 for cause in result.causes)


def ledger_rows(result: CampaignResult) -> list[tuple[str, Spread, float]]:
    """Category, its time and its share of the wall time: what trains first, then the largest loss first."""
    rows = [
        (name, result.ledger_s[name], result.ledger_s[name].mean / result.wall_s.mean if result.wall_s.mean else 0.0)
        for name in LEDGER_COLOURS
        if name in result.ledger_s and (name == "productive" or result.ledger_s[name].mean > 0.0)
    ]
    return rows[:1] + sorted(rows[1:], key=lambda row: -row[1].mean)


def quantile_s(result: CampaignResult, percent: int) -> float | None:
    """Time within which so many percent of the lives have finished, if they do within the horizon."""
    return result.finish_quantiles_s[percent - 1]


def cause_rows(result: CampaignResult, top: int) -> tuple[list[CauseLine], list[CauseLine]]:
    """Causes that interrupted, the most frequent first: those shown, and the rest where there are more than `top`."""
    rows = sorted(
        (cause for cause in result.causes if cause.interruptions.mean > 0.0),
        key=lambda cause: -cause.interruptions.mean,
    )
    return (rows, []) if len(rows) <= top else (rows[: top - 1], rows[top - 1 :])


def interval(spread: Spread, scale: float, words: Language, numbers: Numbers, like: float | None = None) -> str:
    """Both ends of the 95 % interval of a mean, in units of `scale`, with the decimals of `like`."""
    model = abs(spread.mean / scale) if like is None else like
    low, high = (_minus(numbers, end / scale, model) for end in (spread.low, spread.high))
    return words("campaign.interval", low=low, high=high)


def share_words(share: Share, words: Language, numbers: Numbers) -> str:
    """A probability with its interval."""
    value, low, high = (numbers.change(one) for one in (share.value, share.low, share.high))
    low = low.rstrip(" %")  # one sign for both ends
    return words("campaign.between", value=value, low=low, high=high)


def number(value: float, like: float, numbers: Numbers) -> str:
    """A number that may be below zero, with the decimals of `like`."""
    return _minus(numbers, value, like)


def money(usd: float, numbers: Numbers) -> str:
    """An amount that may be below zero."""
    return ("−" if usd < 0.0 else "") + numbers.money(abs(usd))


def _minus(numbers: Numbers, value: float, like: float) -> str:
    shown = numbers.plain(abs(value), like)
    return f"−{shown}" if value < 0.0 and shown.strip("0.") else shown
