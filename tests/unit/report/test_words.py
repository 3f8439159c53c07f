import pytest

from myriad.report.language import language
from myriad.report.numbers import Numbers
from myriad.report.words import best_split_words, comparison_words, job_words, plan_words, split_words
from myriad.spec.layout import Layout
from myriad.spec.result import BestSplit, Plan


def sentences(plan: Plan, job: int, lang: str = "en") -> str:
    words = language(lang)
    numbers = Numbers(words, plan.currency, plan.usd_per_currency)
    return " ".join(s for paragraph in job_words(plan.jobs[job], plan, words, numbers) for s in paragraph)


def test_the_whole_in_words(plan: Plan) -> None:
    words = language("en")
    text = " ".join(plan_words(plan, words, Numbers(words, "CNY", 0.14)))
    assert text == (
        "2 of 3 training jobs can run on the 3 pools of this system. 1 of 2 jobs with a deadline meet it. "
        "All planned jobs together cost 437 M CNY."
    )


@pytest.mark.parametrize(
    ("gain", "lang", "last"),
    [
        (0.048, "en", "The split of the best saves 4.8 % of its step against the software's own rule."),
        (None, "en", "The best fits in memory only with its split."),
        (0.048, "zh", "与软件自身的划分规则相比，最优布局的划分使每步缩短 4.8%。"),
    ],
)
def test_what_splits_gain(plan: Plan, gain: float | None, lang: str, last: str) -> None:
    words = language(lang)
    assert plan.jobs[0].chosen
    search = plan.jobs[0].chosen.search
    assert search
    assert split_words(search, words, Numbers(words)) == []
    split = search.best.layout.model_copy(update={"split": (3,) * 16})
    best = search.best.model_copy(update={"layout": split})
    row = search.ranked[0].model_copy(update={"layout": split, "split_gain_fraction": gain})
    changed = search.model_copy(update={"best": best, "ranked": (row, *search.ranked[1:]), "layouts_split": 30})
    assert split_words(changed, words, Numbers(words))[-1] == last
    assert "30" in split_words(changed, words, Numbers(words))[0]


@pytest.mark.parametrize(
    ("split", "own_step_s", "gap", "text"),
    [
        ((5, 3), 2.5, 0.0, "This split saves 20.0 % of the step against the software's own rule. "
         "No split has a faster slowest stage."),
        ((5, 3), None, 0.012, "Only with a split does this layout fit in memory. "
         "The slowest stage is at most 1.2 % slower than with the best split."),
        ((), 2.0, 0.012, "No split found is better than the software's own rule. "
         "The slowest stage is at most 1.2 % slower than with the best split."),
    ],
)  # fmt: skip
def test_the_best_split_of_one_layout(split: tuple[int, ...], own_step_s: float | None, gap: float, text: str) -> None:
    words = language("en")
    layout = Layout(pp=2, split=split)
    best = BestSplit(layout=layout, step_s=2.0, own_step_s=own_step_s, gap_fraction=gap)
    assert " ".join(best_split_words(best, words, Numbers(words))) == text


@pytest.mark.parametrize(
    "part",
    [
        "Train MiMo-V2-Pro (1.02 T parameters, 42 B active) on pool own (10,000 x NVIDIA H800 SXM): "
        "8,192 GPUs in layout TP8 PP8x2 DP128 EP32 ZeRO-1 mb1 moe_act.",
        "A step of 33.6 M tokens takes 12.3 s (80 % band 11 to 13.8 s; MFU 38.2 %); "
        "20 T tokens take 84.3 days (75.3 to 94.4 days).",
        "This meets the deadline of 120 days with 35.7 days to spare.",
        "The run uses 16.6 M GPU-hours, 17.8 GWh and 437 M CNY (390 to 490 M CNY).",
        "The largest loss is pipeline bubble (11.7 % of the step)",
        "ranks 212 of 18,377 and is 15.0 % slower than the best",
        "10 % more GPUs would help most: the run takes 8.4 % fewer days",
        "Pool cloud-east would take 282 days and 207 M CNY with 2,048 GPUs.",
        "Pool cloud-north cannot run it: lacks 11.4 GiB per accelerator.",
    ],
)
def test_a_job_in_words(plan: Plan, part: str) -> None:
    assert part in sentences(plan, 0)


def test_a_late_job_without_money(plan: Plan) -> None:
    text = sentences(plan, 1)
    assert "This misses the deadline of 30 days by 3.8 days." in text
    assert "CNY" not in text
    assert "active" not in text


@pytest.mark.parametrize(
    ("deadline_days", "said"),
    [
        (90, "At the slow end of the band it takes 94.4 days and misses the deadline."),
        (80, "At the fast end of the band it takes 75.3 days and meets the deadline."),
    ],
)
def test_a_deadline_within_the_band_is_said_to_be_open(plan: Plan, deadline_days: float, said: str) -> None:
    job = plan.jobs[0]
    assert job.chosen
    near = job.chosen.model_copy(update={"deadline_days": deadline_days})
    changed = plan.model_copy(update={"jobs": (job.model_copy(update={"chosen": near}),)})
    assert said in sentences(changed, 0)
    assert "end of the band" not in sentences(plan, 0)


def test_an_estimate_without_a_band_says_none(plan: Plan) -> None:
    job = plan.jobs[0]
    assert job.chosen
    assert job.chosen.estimate
    bare = job.chosen.model_copy(update={"estimate": job.chosen.estimate.model_copy(update={"band": None})})
    changed = plan.model_copy(update={"jobs": (job.model_copy(update={"chosen": bare}),)})
    assert "takes 12.3 s (MFU 38.2 %); 20 T tokens take 84.3 days." in sentences(changed, 0)
    assert "band" not in sentences(changed, 0)


def test_a_job_that_no_pool_can_run(plan: Plan) -> None:
    assert sentences(plan, 2).startswith("No pool can train Driving 30B for job driving.")


def test_chinese_sentences(plan: Plan) -> None:
    text = sentences(plan, 0, "zh")
    assert "总参数 1.02 万亿，激活 420 亿" in text
    assert "可提前 35.7 天完成" in text
    assert "1,660 万卡时、1,780 万千瓦时和 4.37 亿元（3.9 至 4.9 亿元）" in text
    assert "步时 12.3 s（80% 区间 11 至 13.8 s）" in text
    assert "和访存受限算子" in text


def test_a_job_without_tokens_or_estimate_says_what_is_known(plan: Plan) -> None:
    job = plan.jobs[0]
    assert job.chosen
    rate_only = job.chosen.model_copy(update={"days": None, "deadline_days": None, "meets_deadline": None})
    undated = plan.model_copy(update={"jobs": (job.model_copy(update={"tokens": None, "chosen": rate_only}),)})
    assert "that is 2.73 M tokens/s" in sentences(undated, 0)
    assert "deadline" not in sentences(undated, 0)


def test_less_latency_is_the_better_latency(plan: Plan) -> None:
    job = plan.jobs[0]
    latency = job.sensitivity[-1].model_copy(update={"change_fraction": 0.1, "gain_fraction": 0.5})
    changed = plan.model_copy(update={"jobs": (job.model_copy(update={"sensitivity": (latency,)}),)})
    assert "10 % less network latency would help most" in sentences(changed, 0)


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        ({"rank": None}, "does not fit in memory"),
        ({"rank": 1, "slower_fraction": 0.0}, "as fast as the best"),
        ({"rank": 1, "slower_fraction": -0.02}, "2.0 % faster than the one chosen"),
    ],
)
def test_comparisons(plan: Plan, update: dict[str, object], expected: str) -> None:
    comparison = plan.jobs[0].comparison
    assert comparison
    words = language("en")
    assert expected in comparison_words(comparison.model_copy(update=update), words, Numbers(words))
