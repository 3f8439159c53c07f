"""A simulated campaign in words: when it finishes, what it loses to what, and what would help."""

from __future__ import annotations

from typing import Final

from myriad.report.bars_svg import waterfall_start
from myriad.report.campaign_views import ledger_rows, long, quantile_s, share_words
from myriad.report.language import Language
from myriad.report.numbers import Numbers
from myriad.spec.campaign_result import CampaignResult, DoubtedEnd, Improvement
from myriad.units import format_si

_SAME_SHARE: Final = 0.002
"""Shares nearer than this are the same to a reader."""


def campaign_facts(result: CampaignResult, words: Language, numbers: Numbers) -> str:
    """What was simulated, in one line."""
    return words(
        "campaign.facts",
        gpus=numbers.gpus(result.num_accelerators),
        nodes=numbers.integer(result.num_nodes),
        spares=numbers.integer(result.spare_nodes),
        mode=words(f"recovery.{result.mode}"),
        reliability=result.reliability,
        runs=numbers.integer(result.runs),
        seed=result.seed,
    )


def campaign_words(result: CampaignResult, words: Language, numbers: Numbers) -> list[str]:
    """The answer in sentences: end and deadline, ETTR, interruptions, largest loss, best improvement."""
    told = [finish_words(result, words, numbers), _ettr(result, words, numbers)]
    if result.expected_ettr is not None:
        told.append(words("campaign.closed", share=numbers.percent(result.expected_ettr)))
    if result.expected_range is not None:
        low, high = (numbers.percent(share) for share in result.expected_range)
        told.append(words("campaign.range", low=low, high=high))
    if result.mean_time_to_interruption_s is None:
        told.append(words("campaign.undisturbed"))
    else:
        told.append(words("campaign.every", time=numbers.seconds(result.mean_time_to_interruption_s)))
    if result.finished.value == 1.0:
        more = long(max(0.0, result.wall_s.mean - result.ideal_s), numbers)
        told.append(words("campaign.ideal", days=long(result.ideal_s, numbers), more=more))
    losses = ledger_rows(result)[1:]
    if losses:
        name, spent, share = losses[0]
        days = long(spent.mean, numbers)
        told.append(words("campaign.largest", name=words(f"ledger.{name}"), days=days, share=numbers.percent(share)))
    if result.improvements and result.improvements[0].days_saved.low > 0.0:
        told.append(_best(result.improvements[0], words, numbers))
    return told


def finish_words(result: CampaignResult, words: Language, numbers: Numbers) -> str:
    """When most lives have finished, and how probable the deadline is; then the same with the doubt about the step."""
    told = [_finish(result, words, numbers)]
    if result.doubted is not None:
        told.append(_doubt(result.doubted, words, numbers))
    return words("words.space").join(told)


def _finish(result: CampaignResult, words: Language, numbers: Numbers) -> str:
    horizon = long(result.horizon_s, numbers)
    if (most_s := quantile_s(result, 80)) is not None:
        end = words("campaign.within", days=long(most_s, numbers))
    elif (half_s := quantile_s(result, 50)) is not None:
        end = words("campaign.within_middle", days=long(half_s, numbers), horizon=horizon)
    elif result.finished.value > 0.0:
        end = words("campaign.part", share=share_words(result.finished, words, numbers), horizon=horizon)
    else:
        end = words("campaign.never", horizon=horizon)
    if result.deadline_s is None or result.in_time is None:
        return end + words("campaign.no_deadline")
    share = share_words(result.in_time, words, numbers)
    return end + words("campaign.by_deadline", days=long(result.deadline_s, numbers), share=share)


def improvement_name(one: Improvement, words: Language) -> str:
    """What is changed, in a few words; half of a cause is named by its cause, for several are tried."""
    if one.name == "cause_half":
        detail = words.phrase(one.detail)
        return detail[:1].upper() + detail[1:] if words.code == "en" else detail
    return words(f"improvement.{one.name}")


def improvement_detail(one: Improvement, words: Language) -> str:
    """What exactly is changed, where its name does not say it."""
    return "" if one.name == "cause_half" else words.phrase(one.detail)


def named_improvement(one: Improvement, words: Language) -> str:
    """Name and detail."""
    name, detail = improvement_name(one, words), improvement_detail(one, words)
    return words("campaign.detailed", name=name, detail=detail) if detail else name


def goodput_caption(result: CampaignResult, words: Language, numbers: Numbers) -> str:
    """Under the waterfall: what it is the mean of, where its axis starts, and why its share may not be the ETTR."""
    trained = result.ledger_s["productive"].mean / result.wall_s.mean if result.wall_s.mean else 0.0
    start = waterfall_start(trained)
    told = words(
        "campaign.goodput_caption" if start else "campaign.goodput_whole",
        runs=numbers.integer(result.runs),
        wall=long(result.wall_s.mean, numbers),
        start=numbers.change(start),
    )
    if abs(trained - result.ettr.mean) < _SAME_SHARE:
        return told
    return words("words.space").join([told, words("campaign.two_means")])


def checkpoints_words(result: CampaignResult, words: Language) -> str:
    """Size of a copy, and what a star and the names of formulas mean."""
    sizes = [line.state_bytes for line in result.checkpoints if line.state_bytes is not None]
    told = [words("campaign.state", size=format_si(max(sizes), "B"))] if sizes else []
    if any(line.chosen for line in result.checkpoints):
        told.append(words("campaign.searched"))
    return words("words.space").join([*told, words("campaign.formulas")])


def place_key(place: str) -> str:
    """Key of the name of a place of checkpoints."""
    return f"place.{place.replace('-', '_')}"


def _doubt(doubted: DoubtedEnd, words: Language, numbers: Numbers) -> str:
    most_s = doubted.finish_quantiles_s[79]
    parts = [
        words(
            "campaign.doubt",
            low=numbers.seconds(doubted.low_step_s),
            high=numbers.seconds(doubted.high_step_s),
            share=numbers.change(doubted.band_share),
        )
    ]
    if most_s is not None:
        parts.append(words("campaign.doubt_within", days=long(most_s, numbers)))
    if doubted.in_time is not None:
        parts.append(words("campaign.doubt_deadline", share=numbers.change(doubted.in_time)))
    return "".join(parts) + words("campaign.no_deadline")


def _ettr(result: CampaignResult, words: Language, numbers: Numbers) -> str:
    ettr = result.ettr
    shares = {"share": ettr.mean, "low": ettr.low, "high": ettr.high}
    return words("campaign.ettr", **{name: numbers.percent(share) for name, share in shares.items()})


def _best(one: Improvement, words: Language, numbers: Numbers) -> str:
    money = "" if one.usd_saved is None else words("campaign.worth", money=numbers.money(one.usd_saved.mean))
    return words(
        "campaign.most",
        name=named_improvement(one, words),
        days=numbers.days(one.days_saved.mean),
        money=money,
    )
