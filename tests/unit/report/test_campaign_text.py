"""Simulated campaigns in words and tables."""

import io
import re

import pytest
from rich.console import Console

import campaign_fixtures
from myriad.report.campaign_text import simulation_text
from myriad.report.campaign_views import cause_rows, interval, ledger_rows, time_unit
from myriad.report.campaign_words import campaign_words, improvement_name
from myriad.report.language import language
from myriad.report.numbers import Numbers
from myriad.spec.campaign_result import CampaignResult, Improvement
from myriad.units import HOUR_S


def shown(lang: str = "en", width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(simulation_text(campaign_fixtures.simulated(), lang))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def sentences(result: CampaignResult, lang: str = "en") -> str:
    words = language(lang)
    return " ".join(campaign_words(result, words, Numbers(words, "CNY", 0.14)))


@pytest.mark.parametrize(
    "part",
    [
        "It finishes within 97.3 days in 80 % of lives; within the deadline of 100 days with 93 % (88.6 to 95.8 %).",
        "87.4 % of the time trains (ETTR, 87.2 % to 87.6 %).",
        "The closed form expects 88.1 %.",
        "Something interrupts it every 5.71 hours.",
        "Undisturbed at full speed it would take 83.2 days; failures and the care against them add 12 days.",
        "The largest loss is lost work: 4.09 days (4.3 %).",
        "What would help most: Hot spares, at once in place (swap of 10 min to none) saves 45.6 hours, "
        "worth 5.7 M CNY.",
    ],
)
def test_a_campaign_in_sentences(part: str) -> None:
    assert part in sentences(campaign_fixtures.campaign())


def test_what_does_not_finish_or_break_is_said() -> None:
    told = sentences(campaign_fixtures.unfinished())
    assert "No life finishes within the 190 days that were simulated." in told
    assert "Nothing interrupts it." in told
    assert "deadline" not in told
    assert "would help" not in told


def test_ends_beyond_the_horizon_are_not_dated() -> None:
    whole = campaign_fixtures.campaign()
    half = tuple(end if percent <= 60 else None for percent, end in enumerate(whole.finish_quantiles_s, 1))
    some = tuple(end if percent <= 20 else None for percent, end in enumerate(whole.finish_quantiles_s, 1))
    share = whole.finished.model_copy(update={"value": 0.6, "low": 0.53, "high": 0.67})
    changes = {"finished": share, "deadline_s": None, "in_time": None}
    told = sentences(whole.model_copy(update={"finish_quantiles_s": half, **changes}))
    assert told.startswith("It finishes within 96.1 days in half of all lives, and in 80 % not within the 190 days")
    told = sentences(whole.model_copy(update={"finish_quantiles_s": some, **changes}))
    assert told.startswith("Only 60 % (53 to 67 %) of lives finish within the 190 days")
    assert "Undisturbed" not in told


def test_an_improvement_that_may_be_none_is_not_praised() -> None:
    whole = campaign_fixtures.campaign()
    first = whole.improvements[0]
    unsure = first.model_copy(update={"days_saved": first.days_saved.model_copy(update={"low": -0.1})})
    assert "would help" not in sentences(whole.model_copy(update={"improvements": (unsure,)}))


def test_half_of_a_cause_is_named_by_the_cause() -> None:
    one = Improvement(name="cause_half", detail="half of the events of gpu", days_saved=campaign_fixtures.spread(1.0),
                      usd_saved=None)  # fmt: skip
    assert improvement_name(one, language("en")) == "Half of the events of gpu"
    assert improvement_name(one, language("zh")) == "gpu 事件减半"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_text_fits_a_terminal_and_shows_every_table(lang: str) -> None:
    text, words = shown(lang), language(lang)
    for key in ("goodput", "causes", "checkpoints", "improvements", "assumed", "missing"):
        assert words(f"campaign.{key}") in text, key
    assert all(words(f"ledger.{name}") in text for name in campaign_fixtures.LEDGER_SHARES)
    assert words("campaign.others", count=4) in text
    assert "21.4" in text
    assert "−0.30" in text
    assert not re.search(r"\bnan\b", text)


def test_shares_of_the_goodput_table_sum_to_all() -> None:
    rows = ledger_rows(campaign_fixtures.campaign())
    assert sum(share for _, _, share in rows) == pytest.approx(1.0)
    assert rows[0][0] == "productive"
    assert [row[1].mean for row in rows[1:]] == sorted((row[1].mean for row in rows[1:]), reverse=True)
    table = shown().split("share ")[1].split("wall time")[0]
    percents = re.findall(r"([\d.]+) %  +\d", table)
    assert len(percents) == len(rows)
    assert sum(map(float, percents)) == pytest.approx(100.0, abs=0.5)


def test_causes_beyond_the_shown_ones_are_one_row() -> None:
    result = campaign_fixtures.campaign()
    shown_rows, rest = cause_rows(result, 5)
    assert len(shown_rows) == 4
    assert len(shown_rows) + len(rest) == len(campaign_fixtures.CAUSES)
    assert cause_rows(result, 13)[1] == []


def test_intervals_share_decimals_and_keep_signs() -> None:
    words = language("en")
    assert interval(campaign_fixtures.spread(-0.3, 0.2), 1.0, words, Numbers(words), 1.9) == "−0.36 to −0.24"
    assert time_unit(40 * HOUR_S, words).name == "hours"
    assert time_unit(60 * HOUR_S, words).name == "days"


@pytest.mark.parametrize(
    "said",
    [
        "1 spare nodes to 11",
        "swap of 10 min to none",
        "1 min off every mean time of detection",
        "half of every time of repair",
        "2 repair crews to 4",
        "restart of 6.2 min to 3.1 min",
        "storage: interval of 60 min to 9 min; peer-memory: interval of 10 min to 2 min",
        "half of every time for which a checkpoint stops training",
        "copies in the memory of a peer every 224 s",
        "half of the events of gpu",
        "without the 1.33 % of the nodes that fail 20 times as often",
        "7 days more of tests before nodes are handed over",
        "replicas of 8 accelerators leave where no spare is left, and return",
        "replicas of 8 accelerators go on without a broken one",
        "improvements are judged by the first 40 runs",
        "recovery is not given: checkpoints to storage at the best interval, hot spares, whole restarts",
        "restart is not given: 190 s on 8 nodes",
        "pools.own.spares are not given: a broken node is waited for",
        "pools.own.repair_crews is not given: every repair begins at once",
        "accelerators that join pool own later do not join this job",
        "replicas of 4 accelerators are not whole nodes: modes elastic and replica are not tried",
        "the step takes as long as it was planned with, whatever nodes it runs on",
        "planned on own + cloud together; a mix of pools is not simulated",
        "its tokens are not given, so it has no end",
        "pools.own.reliability is not given",
        "mode elastic needs replicas of whole nodes; one has 4 accelerators",
    ],
)
def test_what_a_simulation_says_in_english_has_chinese(said: str) -> None:
    chinese = language("zh").phrase(said)
    assert not re.search(r"[a-z]{3,} [a-z]{2,}", chinese), chinese
    assert re.search(r"[\u4e00-\u9fff]", chinese)
