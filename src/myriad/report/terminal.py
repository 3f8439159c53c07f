"""Results as text for a terminal: words first, then bars and tables that fit 80 columns and need no colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import (
    bullets,
    estimate_words,
    heading,
    open_table,
    operations_table,
    paragraph,
    step_table,
)
from myriad.report.fabric_words import fabric_blocks
from myriad.report.language import Language, language
from myriad.report.mixed import mix_blocks
from myriad.report.numbers import Numbers
from myriad.report.service_text import service_blocks
from myriad.report.views import (
    StageGroup,
    behind,
    caveats,
    largest,
    mix_of,
    parts_present,
    pools_of,
    rejections,
    stage_groups,
    telling_stages,
)
from myriad.report.words import (
    best_split_words,
    cost_line,
    job_facts,
    job_words,
    plan_words,
    search_words,
    split_words,
    stage_chunks,
    stage_ends,
    stage_kinds,
    stage_numbers,
)
from myriad.spec.money import CostLine
from myriad.spec.result import (
    MEMORY_PARTS,
    BestSplit,
    Comparison,
    JobOnPool,
    JobPlan,
    OperationTime,
    Plan,
    SearchResult,
    TrainingEstimate,
)

TOP_LAYOUTS = 5
TOP_REASONS = 6
TOP_OPERATIONS = 15


def plan_text(plan: Plan, lang: str = "en") -> RenderableType:
    """A plan for the terminal. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words, plan.currency, plan.usd_per_currency)
    blocks: list[RenderableType] = [
        Text(plan.system, style="bold"),
        paragraph(plan_words(plan, words, numbers), words),
        *(bullets(words("heading.warnings"), plan.warnings, words) if plan.warnings else []),
    ]
    for service in plan.services:
        blocks += ["", *service_blocks(service, plan, words, numbers)]
    for job in plan.jobs:
        blocks += ["", _title(job, words), *_job(job, plan, words, numbers)]
    blocks += fabric_blocks(plan, words, numbers)
    return Group(*blocks)


def estimate_text(
    estimate: TrainingEstimate,
    operations: tuple[OperationTime, ...] = (),
    lang: str = "en",
    best_split: BestSplit | None = None,
) -> RenderableType:
    """One layout for the terminal: rates, time by part, memory by stage; longest operations and best split if given."""
    words = language(lang)
    numbers = Numbers(words)
    blocks: list[RenderableType] = [
        Text(f"{estimate.layout.text()} · {numbers.gpus(estimate.world_size)}", style="bold"),
        estimate_words(estimate, words, numbers),
        *([paragraph(best_split_words(best_split, words, numbers), words)] if best_split else []),
        *_estimate(estimate, words, numbers),
        *(
            [heading(words("heading.operations")), operations_table(operations, words, numbers, TOP_OPERATIONS)]
            if operations
            else []
        ),
        *_runs_on(estimate.runs_on, words),
        *(bullets(words("heading.caveats"), estimate.caveats, words) if estimate.caveats else []),
    ]
    return Group(*blocks)


def search_text(result: SearchResult, lang: str = "en") -> RenderableType:
    """A search for the terminal: the best layout in full, those behind it and why, and what was rejected."""
    words = language(lang)
    numbers = Numbers(words)
    return Group(
        estimate_text(result.best, lang=lang),
        *_search(result, words, numbers, rows=len(result.ranked)),
    )


def _title(job: JobPlan, words: Language) -> Text:
    verdict, colour = "verdict.infeasible", "red"
    if job.chosen:
        met = job.chosen.meets_deadline
        verdict = {None: "verdict.planned", True: "verdict.met", False: "verdict.missed"}[met]
        colour = {None: "blue", True: "green", False: "yellow"}[met]
    return Text.assemble((f"■ {job.name}", "bold"), "  ", (words(verdict), f"bold {colour}"))


def _job(job: JobPlan, plan: Plan, words: Language, numbers: Numbers) -> Iterable[RenderableType]:
    yield Text(job_facts(job, words, numbers), style="dim")
    for number, sentences in enumerate(job_words(job, plan, words, numbers)):
        if number:
            yield ""
        yield paragraph(sentences, words)
    chosen = job.chosen
    if chosen and chosen.estimate:
        yield from _estimate(chosen.estimate, words, numbers)
    if chosen and chosen.search:
        yield from _search(chosen.search, words, numbers, TOP_LAYOUTS)
    if mix := mix_of(job):
        yield from mix_blocks(mix, words, numbers)
    if chosen and chosen.estimate and job.comparison:
        yield heading(words("heading.comparison"))
        yield _comparison(chosen.estimate, job.comparison, words, numbers)
    if len(pools_of(job)) > 1:
        yield heading(words("heading.pools"))
        yield _pools(pools_of(job), words, numbers)
    if chosen and chosen.costs:
        yield heading(words("heading.costs"))
        yield _costs(chosen.costs, words, numbers)
    if unchecked := caveats(job):
        yield from bullets(words("heading.caveats"), unchecked, words)
    if chosen and chosen.missing:
        yield from bullets(words("heading.missing"), chosen.missing, words)


def _estimate(estimate: TrainingEstimate, words: Language, numbers: Numbers) -> Iterable[RenderableType]:
    yield heading(words("caption.step", seconds=numbers.seconds(estimate.step_s)))
    yield step_table(estimate, words, numbers)
    if groups := stage_groups(estimate):
        yield heading(words("heading.stages"))
        yield _stages(groups, words, numbers)
    yield heading(words("caption.memory_stages", capacity=numbers.memory(estimate.memory_capacity_bytes)))
    yield _memory(estimate, words, numbers)


def _stages(groups: list[StageGroup], words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("column.stages"), "left"), (words("column.chunks"), "left"), (words("column.kinds"), "left"),
        (words("column.ends"), "left"), (words("column.micro_batch"), "right"),
    )  # fmt: skip
    slowest_s = max(group.load.micro_batch_s for group in groups)
    for group in groups:
        table.add_row(
            stage_numbers(group, words),
            stage_chunks(group),
            stage_kinds(group, words),
            stage_ends(group, words),
            numbers.plain(1e3 * group.load.micro_batch_s, 1e3 * slowest_s),
        )
    return table


def _memory(estimate: TrainingEstimate, words: Language, numbers: Numbers) -> Table:
    stages = telling_stages(estimate)
    roles = [words("words.comma").join(words(f"stage.{role}") for role in named) for named, _ in stages]
    heads = [
        words("stage.named", number=stage.stage, roles=text) for text, (_, stage) in zip(roles, stages, strict=True)
    ]
    table = open_table((words("column.part"), "left"), *((head, "right") for head in heads))
    for part in parts_present((stage.parts_bytes for _, stage in stages), MEMORY_PARTS):
        table.add_row(words(f"memory.{part}"), *(numbers.gib(s.parts_bytes.get(part, 0.0)) for _, s in stages))
    table.add_row(words("column.total"), *(numbers.gib(stage.total_bytes) for _, stage in stages), style="bold")
    return table


def _search(search: SearchResult, words: Language, numbers: Numbers, rows: int) -> Iterable[RenderableType]:
    yield heading(
        words(
            "caption.layouts_table",
            count=min(rows, len(search.ranked)),
            objective=words(f"objective.{search.objective}"),
        )
    )
    yield _layouts(search, words, numbers, rows)
    yield heading(words("heading.search"))
    yield Text(words("words.space").join([search_words(search, words, numbers), *split_words(search, words, numbers)]))
    if rejected := rejections(search):
        table = open_table((words("column.count"), "right"), (words("column.reason"), "left"))
        for reason, count in rejected[:TOP_REASONS]:
            table.add_row(numbers.integer(count), words.phrase(reason))
        if rest := rejected[TOP_REASONS:]:
            table.add_row(numbers.integer(sum(c for _, c in rest)), words("text.other_reasons", count=len(rest)))
        yield table


def _layouts(search: SearchResult, words: Language, numbers: Numbers, rows: int) -> Table:
    table = open_table(
        (words("column.rank"), "right"), (words("column.layout"), "left"), (words("column.gpus"), "right"),
        (words("column.step"), "right"), ("GiB", "right"), (words("column.why"), "left"),
    )  # fmt: skip
    best = search.ranked[0] if search.ranked else None
    for row in search.ranked[:rows]:
        assert best is not None
        reasons = [
            f"{numbers.signed(s, best.step_s / 10)} s {words(f'part.{part}')}"
            for part, s in behind(row.time_parts_s, best.time_parts_s, count=2)
        ]
        table.add_row(
            str(row.rank),
            row.layout.text(),
            numbers.integer(row.num_gpus),
            numbers.plain(row.step_s, best.step_s),
            numbers.gib(row.memory_peak_bytes),
            words("text.first_is_best")
            if row is best
            else words("words.comma").join(reasons) or words("text.same_parts"),
        )
    return table


def _comparison(best: TrainingEstimate, comparison: Comparison, words: Language, numbers: Numbers) -> Table:
    given, like = comparison.estimate, best.step_s / 10
    table = open_table(
        (words("column.part"), "left"), (words("column.best"), "right"), (words("column.given"), "right"),
        (words("column.difference"), "right"),
    )  # fmt: skip
    for part in parts_present([best.time_parts_s, given.time_parts_s]):
        ours, theirs = best.time_parts_s.get(part, 0.0), given.time_parts_s.get(part, 0.0)
        table.add_row(
            words(f"part.{part}"),
            numbers.plain(ours, like),
            numbers.plain(theirs, like),
            numbers.signed(theirs - ours, like),
        )
    table.add_row(
        words("column.step"),
        numbers.plain(best.step_s, like),
        numbers.plain(given.step_s, like),
        numbers.signed(given.step_s - best.step_s, like),
        style="bold",
    )
    return table


def _pools(pools: list[JobOnPool], words: Language, numbers: Numbers) -> Table:
    most_usd = largest(pool.cost_usd for pool in pools)
    money = numbers.money_unit(most_usd)
    table = open_table(
        (words("column.pool"), "left"), (words("column.gpus"), "right"), (words("column.layout"), "left"),
        (words("column.step"), "right"), (words("column.days"), "right"),
        (words("column.cost", unit=money.name), "right"),
    )  # fmt: skip
    for pool in pools:
        if not pool.feasible:
            table.add_row(pool.pool, "–", words("verdict.cannot"), "–", "–", "–", style="dim")
            continue
        table.add_row(
            pool.pool,
            numbers.integer(pool.num_gpus),
            pool.estimate.layout.text() if pool.estimate else "–",
            numbers.plain(pool.step_s) if pool.step_s is not None else "–",
            numbers.plain(pool.days) if pool.days is not None else "–",
            numbers.plain(pool.cost_usd / money.scale) if pool.cost_usd is not None else "–",
        )
    return table


def _costs(costs: tuple[CostLine, ...], words: Language, numbers: Numbers) -> Table:
    most_usd = largest(line.amount_usd for line in costs)
    money = numbers.money_unit(most_usd)
    table = open_table(
        (words("column.line"), "left"), (words("column.amount", unit=money.name), "right"),
        (words("column.basis"), "left"),
    )  # fmt: skip
    for line in costs:
        amount = numbers.plain(line.amount_usd / money.scale, most_usd / money.scale)
        table.add_row(cost_line(line, words), amount, words.phrase(line.basis))
    return table


def _runs_on(runs_on: Mapping[str, str], words: Language) -> Iterable[RenderableType]:
    if not runs_on:
        return
    yield heading(words("column.runs_on"))
    table = Table.grid(padding=(0, 2))
    for framework, rule in runs_on.items():
        table.add_row(framework, words.phrase(rule) if rule else "✓")
    yield table
