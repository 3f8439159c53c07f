"""The plan in words: whole sentences, of which a reader could make the decision without any table."""

from __future__ import annotations

from collections.abc import Callable

from myriad.report.language import Language
from myriad.report.mix_words import mix_step, mix_words
from myriad.report.numbers import Numbers
from myriad.report.service_words import services_words
from myriad.report.views import StageGroup, band_factors, change, losses
from myriad.spec.money import CostLine
from myriad.spec.result import (
    BestSplit,
    Comparison,
    JobOnPool,
    JobPlan,
    Plan,
    SearchResult,
    Sensitivity,
    TrainingEstimate,
)
from myriad.spec.split import split_text


def plan_words(plan: Plan, language: Language, numbers: Numbers) -> list[str]:
    """One paragraph for the whole system: what can be trained, by when, for how much."""
    planned = [job for job in plan.jobs if job.chosen]
    dated = [job.chosen for job in planned if job.chosen and job.chosen.meets_deadline is not None]
    sentences = []
    if plan.jobs:
        sentences.append(language("words.system", pools=len(plan.pools), jobs=len(plan.jobs), planned=len(planned)))
    if dated:
        met = sum(1 for chosen in dated if chosen.meets_deadline)
        sentences.append(language("words.deadlines_met", met=met, dated=len(dated)))
    if plan.total_cost_usd is not None:
        sentences.append(language("words.total_cost", cost=numbers.money(plan.total_cost_usd)))
    return [*sentences, *services_words(plan, language, numbers)]


def job_words(job: JobPlan, plan: Plan, language: Language, numbers: Numbers) -> list[list[str]]:
    """One job in paragraphs of sentences: the decision, what holds it back, what else was considered."""
    if job.chosen is None:
        tried = [_other_pool(other, language, numbers) for other in job.others]
        return [[language("words.no_pool", job=job.name, model=job.model_name)], tried]
    decision = [_where(job, job.chosen, plan, language, numbers)]
    limits: list[str] = []
    if mix := job.chosen.mix:
        decision += [
            _days(job, job.chosen, mix_step(mix.best, language, numbers), mix.best.tokens_per_s, language, numbers),
            *_deadline(job.chosen, language, numbers),
            *_spending(job.chosen, language, numbers),
        ]
        limits = mix_words(mix, language, numbers)
    if estimate := job.chosen.estimate:
        decision += [
            _pace(job, job.chosen, estimate, language, numbers),
            *_deadline(job.chosen, language, numbers),
            *_spending(job.chosen, language, numbers),
        ]
        limits = [
            *_losses(estimate, language, numbers),
            *_best_lever(job.sensitivity, language, numbers),
            _memory(estimate, language, numbers),
        ]
    others = [
        *_search(job.chosen, language, numbers),
        *([comparison_words(job.comparison, language, numbers)] if job.comparison else []),
        *(_other_pool(other, language, numbers) for other in job.others),
    ]
    return [paragraph for paragraph in (decision, limits, others) if paragraph]


def job_facts(job: JobPlan, language: Language, numbers: Numbers) -> str:
    """What is trained, in one line: size, sequences, precision, software."""
    return language(
        "text.job_facts",
        size=_size(job, language, numbers),
        seq_len=numbers.integer(job.seq_len),
        batch=numbers.integer(job.global_batch),
        precision=job.precision,
        stack=job.stack,
    )


def search_words(search: SearchResult, language: Language, numbers: Numbers) -> str:
    """How many layouts a search looked at, and how fast."""
    return language(
        "text.evaluated",
        enumerated=numbers.integer(search.layouts_enumerated),
        evaluated=numbers.integer(search.layouts_evaluated),
        fitting=numbers.integer(search.layouts_fitting),
        seconds=numbers.seconds(search.search_s),
        rate=numbers.integer(search.layouts_per_s),
    )


def best_split_words(best: BestSplit, language: Language, numbers: Numbers) -> list[str]:
    """What the best split of one layout gains, and how sure it is that no other is better."""
    if not best.layout.split:
        gain = language("text.best_split_own")
    elif best.own_step_s is None:
        gain = language("text.best_split_fits")
    else:
        gain = language("text.best_split_gains", gain=numbers.percent(1 - best.step_s / best.own_step_s))
    if best.gap_fraction < 5e-5:
        return [gain, language("text.best_split_proven")]
    return [gain, language("text.best_split_gap", gap=numbers.percent(best.gap_fraction))]


def split_words(search: SearchResult, language: Language, numbers: Numbers) -> list[str]:
    """For how many layouts splits were searched, and what the best gains by its own; nothing if for none."""
    if not search.layouts_split:
        return []
    sentences = [language("text.split", count=numbers.integer(search.layouts_split))]
    best = next((row for row in search.ranked if row.layout == search.best.layout), None)
    if best is not None and best.layout.split:
        gain = best.split_gain_fraction
        sentences.append(
            language("text.split_fits") if gain is None else language("text.split_gains", gain=numbers.percent(gain))
        )
    return sentences


def stage_ends(group: StageGroup, language: Language) -> str:
    """What lies on stages beside layers, in the order of the model; empty if nothing does."""
    depths = group.load.prediction_depths
    named = [
        *([language("stage.embedding")] if group.embeds else []),
        *([language("stage.depth" if depths == 1 else "stage.depths", count=depths)] if depths else []),
        *([language("stage.head")] if group.ends else []),
    ]
    return language("words.comma").join(named)


def stage_numbers(group: StageGroup, language: Language) -> str:
    """Which stages a group is, neighbours as a span."""
    spans: list[list[int]] = []
    for stage in group.stages:
        if spans and spans[-1][-1] == stage - 1:
            spans[-1].append(stage)
        else:
            spans.append([stage])
    texts = [str(span[0]) if len(span) == 1 else language("stage.span", first=span[0], last=span[-1]) for span in spans]
    return language("words.comma").join(texts)


def stage_chunks(group: StageGroup) -> str:
    """Layers of each chunk of a group's stages, equal neighbours folded."""
    return split_text(group.load.chunks).replace(",", ", ")


def stage_kinds(group: StageGroup, language: Language) -> str:
    """The layers of a group's stages by kind."""
    return language("words.comma").join(f"{number} {kind}" for kind, number in group.load.layers.items())


def comparison_words(comparison: Comparison, language: Language, numbers: Numbers) -> str:
    """Where the given layout stands beside the best."""
    values = {
        "layout": comparison.layout.text(),
        "source": comparison.source or language("words.no_source"),
        "slower": numbers.percent(abs(comparison.slower_fraction)),
        "rank": numbers.integer(comparison.rank or 0),
        "of": numbers.integer(comparison.of),
    }
    if comparison.rank is None:
        return language("words.given_does_not_fit", **values)
    if abs(comparison.slower_fraction) < 5e-4:
        return language("words.given_equal", **values)
    return language("words.given_slower" if comparison.slower_fraction > 0 else "words.given_faster", **values)


def band_words(estimate: TrainingEstimate, language: Language, numbers: Numbers) -> str:
    """`80 % band 4.87 to 5.88 s`; empty for an estimate without a band."""
    band = estimate.band
    if band is None:
        return ""
    ends = _range(numbers.seconds(band.low_step_s), numbers.seconds(band.high_step_s), language)
    return language("words.band", share=numbers.change(band.share), range=ends)


def banded_step(estimate: TrainingEstimate, language: Language, numbers: Numbers) -> str:
    """The step time, with its band where it has one."""
    step = numbers.seconds(estimate.step_s)
    band = band_words(estimate, language, numbers)
    return language("words.beside", text=step, remark=band) if band else step


def days_range(pool: JobOnPool, language: Language, numbers: Numbers) -> str:
    """Days at both ends of the band of the step time; empty without days or a band."""
    return _band_range(pool, pool.days, numbers.days, language)


def cost_range(pool: JobOnPool, language: Language, numbers: Numbers) -> str:
    """The same for money: every line of a cost grows with time."""
    return _band_range(pool, pool.cost_usd, numbers.money, language)


def _band_range(pool: JobOnPool, amount: float | None, shown: Callable[[float], str], language: Language) -> str:
    factors = band_factors(pool.estimate) if pool.estimate else None
    if factors is None or amount is None:
        return ""
    low, high = factors
    return _range(shown(amount * low), shown(amount * high), language)


def _range(low: str, high: str, language: Language) -> str:
    """From one quantity to another; a unit that both share is said once."""
    number, _, unit = low.partition(" ")
    return language("words.range", low=number if high.partition(" ")[2] == unit else low, high=high)


def _size(job: JobPlan, language: Language, numbers: Numbers) -> str:
    return language(
        "words.parameters" if job.active_parameters >= job.total_parameters else "words.parameters_active",
        total=numbers.large(job.total_parameters),
        active=numbers.large(job.active_parameters),
    )


def _where(job: JobPlan, chosen: JobOnPool, plan: Plan, language: Language, numbers: Numbers) -> str:
    if chosen.mix is not None:
        return language(
            "words.where_mix",
            model=job.model_name,
            size=_size(job, language, numbers),
            pools=numbers.listed([part.pool for part in chosen.mix.best.parts]),
            join=language(f"join.{chosen.mix.best.join}"),
            gpus=numbers.gpus(chosen.num_gpus),
        )
    return language(
        "words.where",
        model=job.model_name,
        size=_size(job, language, numbers),
        pool=chosen.pool,
        hardware=plan.pools[chosen.pool].split("; ")[0],
        gpus=numbers.gpus(chosen.num_gpus),
        layout=chosen.estimate.layout.text() if chosen.estimate else "",
    )


def _pace(job: JobPlan, chosen: JobOnPool, estimate: TrainingEstimate, language: Language, numbers: Numbers) -> str:
    band = band_words(estimate, language, numbers)
    step = language(
        "words.step_banded" if band else "words.step",
        tokens=numbers.large(estimate.tokens_per_step),
        step=numbers.seconds(estimate.step_s),
        band=band,
        mfu=numbers.percent(estimate.mfu),
    )
    return _days(job, chosen, step, estimate.tokens_per_s, language, numbers)


def _days(job: JobPlan, chosen: JobOnPool, step: str, tokens_per_s: float, language: Language, numbers: Numbers) -> str:
    """A sentence that begins with the step and says how long all tokens take, or the rate where they are not given."""
    if job.tokens is None or chosen.days is None:
        return language("words.rate", step=step, rate=numbers.large(tokens_per_s))
    days, ends = numbers.days(chosen.days), days_range(chosen, language, numbers)
    if ends:
        days = language("words.beside", text=days, remark=ends)
    said = language("words.days", step=step, tokens=numbers.large(job.tokens), days=days)
    if chosen.goodput is None or chosen.goodput_from == "none":
        return said
    key = "words.goodput_given" if chosen.goodput_from == "given" else "words.goodput_expected"
    return said + language("words.space") + language(key, share=numbers.percent(chosen.goodput))


def _deadline(chosen: JobOnPool, language: Language, numbers: Numbers) -> list[str]:
    if chosen.days is None or chosen.deadline_days is None:
        return []
    spare_days = chosen.deadline_days - chosen.days
    key = "words.before_deadline" if spare_days >= 0 else "words.after_deadline"
    said = [language(key, days=numbers.days(abs(spare_days)), deadline=numbers.days(chosen.deadline_days))]
    factors = band_factors(chosen.estimate) if chosen.estimate else None
    if factors is not None:
        late, early = chosen.days * factors[1], chosen.days * factors[0]
        if spare_days >= 0 and late > chosen.deadline_days:
            said.append(language("words.may_miss", days=numbers.days(late)))
        elif spare_days < 0 and early <= chosen.deadline_days:
            said.append(language("words.may_meet", days=numbers.days(early)))
    return said


def _spending(chosen: JobOnPool, language: Language, numbers: Numbers) -> list[str]:
    amounts = [
        *([numbers.gpu_hours(chosen.gpu_hours)] if chosen.gpu_hours is not None else []),
        *([numbers.energy(chosen.energy_joules)] if chosen.energy_joules is not None else []),
        *([_money(chosen, chosen.cost_usd, language, numbers)] if chosen.cost_usd is not None else []),
    ]
    return [language("words.spending", amounts=numbers.listed(amounts))] if amounts else []


def _money(chosen: JobOnPool, usd: float, language: Language, numbers: Numbers) -> str:
    ends = cost_range(chosen, language, numbers)
    return language("words.beside", text=numbers.money(usd), remark=ends) if ends else numbers.money(usd)


def _memory(estimate: TrainingEstimate, language: Language, numbers: Numbers) -> str:
    worst = max(estimate.memory, key=lambda stage: stage.total_bytes)
    return language(
        "words.memory" if estimate.fits else "words.memory_over",
        stage=worst.stage,
        peak=numbers.gib(estimate.memory_peak_bytes),
        capacity=numbers.memory(estimate.memory_capacity_bytes),
    )


def _losses(estimate: TrainingEstimate, language: Language, numbers: Numbers) -> list[str]:
    named = [
        language("words.loss", part=language(f"part.{part}"), share=numbers.percent(s / estimate.step_s))
        for part, s in losses(estimate)
    ]
    if not named:
        return []
    if len(named) == 1:
        return [language("words.largest_loss", loss=named[0])]
    return [language("words.largest_losses", loss=named[0], others=numbers.listed(named[1:]))]


def _search(chosen: JobOnPool, language: Language, numbers: Numbers) -> list[str]:
    if chosen.search is None:
        return []
    return [
        language(
            "words.search",
            evaluated=numbers.integer(chosen.search.layouts_evaluated),
            seconds=numbers.seconds(chosen.search.search_s),
            fitting=numbers.integer(chosen.search.layouts_fitting),
        )
    ]


def _best_lever(sensitivity: tuple[Sensitivity, ...], language: Language, numbers: Numbers) -> list[str]:
    if not sensitivity:
        return []
    best = max(sensitivity, key=lambda s: s.gain_fraction)
    if best.gain_fraction <= 0:
        return []
    key = "words.lever_gpus" if best.resource == "gpus" else "words.lever"
    return [
        language(
            "words.lever_less" if change(best) < 0 else key,
            change=numbers.change(abs(best.change_fraction)),
            resource=language(f"resource.{best.resource}"),
            gain=numbers.percent(best.gain_fraction),
        )
    ]


def _other_pool(other: JobOnPool, language: Language, numbers: Numbers) -> str:
    if not other.feasible:
        return language("words.pool_infeasible", pool=other.pool, reason=language.phrase(other.reason).rstrip(".。"))
    takes = [
        *([numbers.days(other.days)] if other.days is not None else []),
        *([numbers.money(other.cost_usd)] if other.cost_usd is not None else []),
    ]
    if not takes and other.step_s is not None:
        takes = [language("words.per_step", step=numbers.seconds(other.step_s))]
    if not takes:
        return language("words.pool_possible", pool=other.pool)
    if other.mix is not None:
        gpus = numbers.gpus(other.num_gpus)
        return language("words.mix_takes", pool=other.pool, gpus=gpus, takes=numbers.listed(takes))
    return language("words.pool_takes", pool=other.pool, gpus=numbers.gpus(other.num_gpus), takes=numbers.listed(takes))


def cost_line(line: CostLine, language: Language) -> str:
    """What a line of a cost is called, with the pool that it falls on where there are several."""
    name = language(f"cost.{line.name}")
    return language("words.cost_of", line=name, pool=line.pool) if line.pool else name
