"""The plan in words: whole sentences, of which a reader could make the decision without any table."""

from __future__ import annotations

from myriad.report.language import Language
from myriad.report.numbers import Numbers
from myriad.report.views import change, losses
from myriad.spec.result import Comparison, JobOnPool, JobPlan, Plan, SearchResult, Sensitivity, TrainingEstimate


def plan_words(plan: Plan, language: Language, numbers: Numbers) -> list[str]:
    """One paragraph for the whole system: what can be trained, by when, for how much."""
    planned = [job for job in plan.jobs if job.chosen]
    dated = [job.chosen for job in planned if job.chosen and job.chosen.meets_deadline is not None]
    sentences = [
        language("words.system", pools=len(plan.pools), jobs=len(plan.jobs), planned=len(planned)),
    ]
    if dated:
        met = sum(1 for chosen in dated if chosen.meets_deadline)
        sentences.append(language("words.deadlines_met", met=met, dated=len(dated)))
    if plan.total_cost_usd is not None:
        sentences.append(language("words.total_cost", cost=numbers.money(plan.total_cost_usd)))
    return sentences


def job_words(job: JobPlan, plan: Plan, language: Language, numbers: Numbers) -> list[list[str]]:
    """One job in paragraphs of sentences: the decision, what holds it back, what else was considered."""
    if job.chosen is None:
        tried = [_other_pool(other, language, numbers) for other in job.others]
        return [[language("words.no_pool", job=job.name, model=job.model_name)], tried]
    decision = [_where(job, job.chosen, plan, language, numbers)]
    limits: list[str] = []
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


def _size(job: JobPlan, language: Language, numbers: Numbers) -> str:
    return language(
        "words.parameters" if job.active_parameters >= job.total_parameters else "words.parameters_active",
        total=numbers.large(job.total_parameters),
        active=numbers.large(job.active_parameters),
    )


def _where(job: JobPlan, chosen: JobOnPool, plan: Plan, language: Language, numbers: Numbers) -> str:
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
    step = language(
        "words.step",
        tokens=numbers.large(estimate.tokens_per_step),
        step=numbers.seconds(estimate.step_s),
        mfu=numbers.percent(estimate.mfu),
    )
    if job.tokens is None or chosen.days is None:
        return language("words.rate", step=step, rate=numbers.large(estimate.tokens_per_s))
    return language("words.days", step=step, tokens=numbers.large(job.tokens), days=numbers.days(chosen.days))


def _deadline(chosen: JobOnPool, language: Language, numbers: Numbers) -> list[str]:
    if chosen.days is None or chosen.deadline_days is None:
        return []
    spare_days = chosen.deadline_days - chosen.days
    key = "words.before_deadline" if spare_days >= 0 else "words.after_deadline"
    return [language(key, days=numbers.days(abs(spare_days)), deadline=numbers.days(chosen.deadline_days))]


def _spending(chosen: JobOnPool, language: Language, numbers: Numbers) -> list[str]:
    amounts = [
        *([numbers.gpu_hours(chosen.gpu_hours)] if chosen.gpu_hours is not None else []),
        *([numbers.energy(chosen.energy_joules)] if chosen.energy_joules is not None else []),
        *([numbers.money(chosen.cost_usd)] if chosen.cost_usd is not None else []),
    ]
    return [language("words.spending", amounts=numbers.listed(amounts))] if amounts else []


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
    if not takes and other.estimate:
        takes = [language("words.per_step", step=numbers.seconds(other.estimate.step_s))]
    if not takes:
        return language("words.pool_possible", pool=other.pool)
    return language("words.pool_takes", pool=other.pool, gpus=numbers.gpus(other.num_gpus), takes=numbers.listed(takes))
