"""Deployments as text for a terminal: what a user sees, what the time goes to, memory, and what else there is."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import bar, bullets, heading, open_table, paragraph
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.report.palette import CACHE_COLOURS, SERVING_COLOURS
from myriad.report.serving_views import (
    MEMORY_USES,
    SPENT_PARTS,
    behind_text,
    deployment_text,
    deployment_words,
    dispatch_text,
    memory_uses,
    milliseconds,
    precision_text,
    promise_text,
    rejections,
)
from myriad.spec.serving_result import ServingEstimate
from myriad.spec.serving_search import DeploymentPoint, ServingSearch

TOP_REASONS = 8
MEMORY_CELLS = 46
FRONT_ROWS = 12
BAR_CELLS = 12


def estimate_text(estimate: ServingEstimate, model: str, accelerator: str, lang: str = "en") -> RenderableType:
    """One deployment for the terminal. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words)
    gpus = numbers.integer(estimate.deployment.gpus)
    title = f"{model} · {deployment_text(estimate.deployment)} · {gpus} x {accelerator}"
    return Group(Text(title, style="bold"), paragraph(estimate_words(estimate, words, numbers), words),
                 *_estimate(estimate, words, numbers))  # fmt: skip


def search_text(search: ServingSearch, model: str, accelerator: str, lang: str = "en") -> RenderableType:
    """A search for the terminal: the best in words and in full, those behind it and why, the front, the rejected."""
    words = language(lang)
    numbers = Numbers(words)
    return Group(
        Text(f"{model} · {numbers.integer(search.num_gpus)} x {accelerator}", style="bold"),
        Text(promise_text(search.objective, words, numbers), style="dim"),
        *(paragraph(sentences, words) for sentences in search_words(search, words, numbers)),
        *_estimate(search.best, words, numbers),
        heading(words("serving.ranked", count=len(search.ranked))),
        _ranked(search, words, numbers),
        heading(words("serving.front")),
        _front(search, words, numbers),
        *_reasons(search, words, numbers),
    )


def estimate_words(estimate: ServingEstimate, words: Language, numbers: Numbers) -> list[str]:
    """What a deployment yields and what its users see, in sentences."""
    load = (
        words("serving.full")
        if estimate.concurrency is None
        else words("serving.at_once", count=numbers.integer(estimate.concurrency))
    )
    sentences = [
        words(
            "serving.yields", load=load, rate=significant(estimate.requests_per_s),
            tokens=numbers.integer(estimate.output_tokens_per_s),
            per_gpu=numbers.integer(estimate.output_tokens_per_s_per_gpu),
        ),
        words(
            "serving.seen", ttft=numbers.seconds(estimate.ttft_s), tpot=numbers.seconds(estimate.tpot_s),
            speed=significant(1.0 / estimate.tpot_s), request=numbers.seconds(estimate.request_s),
        ),
        words("serving.bound", bound=numbers.seconds(estimate.lower_bound_tpot_s)),
    ]  # fmt: skip
    if not estimate.fits:
        sentences.append(words("serving.does_not_fit"))
    elif estimate.saturated and estimate.concurrency is not None:
        sentences.append(words("serving.saturated", most=numbers.integer(estimate.most_sequences)))
    return sentences


def search_words(search: ServingSearch, words: Language, numbers: Numbers) -> list[list[str]]:
    """The winner and the search in paragraphs of sentences."""
    best = search.ranked[0]
    winner = [
        words("serving.best", deployment=deployment_words(best.deployment, words, numbers)),
        words(
            "serving.best_yields", rate=significant(best.requests_per_s),
            tokens=numbers.integer(best.output_tokens_per_s),
            per_gpu=numbers.integer(best.output_tokens_per_s_per_gpu),
            load=words("serving.at_once", count=numbers.integer(best.concurrency)),
        ),
        words(
            "serving.best_seen", percentile=f"{search.objective.percentile:g}",
            ttft=numbers.seconds(best.ttft_at_percentile_s), tpot=numbers.seconds(best.tpot_at_percentile_s),
            speed=significant(best.tokens_per_s_per_user),
        ),
        words(f"limit.{best.limit}"),
    ]  # fmt: skip
    looked = words(
        "serving.looked",
        evaluated=numbers.integer(search.configurations_evaluated),
        seconds=numbers.seconds(search.search_s),
        fitting=numbers.integer(search.configurations_fitting),
    )
    return [winner, [looked]]


def _estimate(estimate: ServingEstimate, words: Language, numbers: Numbers) -> Iterable[RenderableType]:
    yield heading(words("serving.iterations"))
    yield _iterations(estimate, words, numbers)
    yield heading(words("serving.memory", capacity=numbers.memory(estimate.memory.capacity_bytes)))
    yield from _memory(estimate, words, numbers)
    if estimate.caveats:
        yield from bullets(words("heading.caveats"), estimate.caveats, words)


def _iterations(estimate: ServingEstimate, words: Language, numbers: Numbers) -> Table:
    """Parts of an iteration that decodes and of one that prefills."""
    table = open_table(
        (words("column.part"), "left"), ("", "left"), (words("serving.decode_ms"), "right"),
        (words("column.share"), "right"), (words("serving.prefill_ms"), "right"), (words("column.share"), "right"),
    )  # fmt: skip
    decode, prefill = estimate.decode_parts_s, estimate.prefill_parts_s
    longest = max(decode.values())
    for part in SPENT_PARTS:
        if decode.get(part, 0.0) <= 0.0 and prefill.get(part, 0.0) <= 0.0:
            continue
        table.add_row(
            words(f"spent.{part}"),
            bar(decode.get(part, 0.0) / longest, SERVING_COLOURS[part], BAR_CELLS),
            milliseconds(decode.get(part, 0.0), numbers, estimate.decode_s / 10),
            numbers.percent(decode.get(part, 0.0) / estimate.decode_s),
            milliseconds(prefill.get(part, 0.0), numbers, estimate.prefill_s / 10),
            numbers.percent(prefill.get(part, 0.0) / estimate.prefill_s),
        )
    table.add_row(
        words("column.total"), "", milliseconds(estimate.decode_s, numbers, estimate.decode_s / 10), "",
        milliseconds(estimate.prefill_s, numbers, estimate.prefill_s / 10), "", style="bold",
    )  # fmt: skip
    return table


def _memory(estimate: ServingEstimate, words: Language, numbers: Numbers) -> Iterable[RenderableType]:
    """One bar of the memory of an accelerator, and what its pieces are."""
    uses = memory_uses(estimate)
    whole = sum(uses.values())
    line, legend = Text(), Text()
    used = 0
    for number, use in enumerate(MEMORY_USES):
        upto = MEMORY_CELLS if number == len(MEMORY_USES) - 1 else round(
            MEMORY_CELLS * sum(uses[name] for name in MEMORY_USES[: number + 1]) / whole
        )  # fmt: skip
        line.append(("█" if use != "spare" else "░") * (upto - used), style=CACHE_COLOURS[use])
        used = upto
        legend.append("■ " if use != "spare" else "░ ", style=CACHE_COLOURS[use])
        legend.append(f"{words(f'use.{use}')} {numbers.gib(uses[use])}  ")
    yield line
    yield legend
    yield Text(
        words(
            "serving.room", batch=numbers.integer(estimate.batch), most=numbers.integer(estimate.most_sequences),
            each=numbers.memory(estimate.memory.sequence_bytes),
        )
    )  # fmt: skip


def _ranked(search: ServingSearch, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        ("#", "right"), (words("serving.deployment"), "left"), (words("column.gpus"), "right"),
        (words("serving.per_gpu"), "right"), ("TTFT", "right"), (words("serving.tpot_ms"), "right"),
        (words("serving.behind"), "left"),
    )  # fmt: skip
    best = search.ranked[0]
    for row in search.ranked:
        table.add_row(
            str(row.rank), named(row), numbers.integer(row.gpus), numbers.integer(row.output_tokens_per_s_per_gpu),
            numbers.seconds(row.ttft_at_percentile_s), milliseconds(row.tpot_at_percentile_s, numbers),
            behind_text(row, best, words),
        )  # fmt: skip
    return table


def named(point: DeploymentPoint) -> str:
    """A deployment with its precisions."""
    dispatch = dispatch_text(point.deployment.replicas)
    return f"{deployment_text(point.deployment)} {precision_text(point.deployment.replicas)}" + (
        f", {dispatch}" if dispatch else ""
    )


def _front(search: ServingSearch, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("serving.per_user"), "right"), (words("serving.per_gpu"), "right"), ("TTFT", "right"),
        (words("serving.requests"), "right"), (words("serving.deployment"), "left"),
    )  # fmt: skip
    step = max(1, -(-len(search.pareto) // FRONT_ROWS))
    for row in search.pareto[::step]:
        table.add_row(
            significant(row.tokens_per_s_per_user), numbers.integer(row.output_tokens_per_s_per_gpu),
            numbers.seconds(row.ttft_at_percentile_s), numbers.integer(row.concurrency), named(row),
        )  # fmt: skip
    return table


def _reasons(search: ServingSearch, words: Language, numbers: Numbers) -> Iterable[RenderableType]:
    reasons = rejections(search)[:TOP_REASONS]
    if not reasons:
        return
    yield heading(words("serving.rejected"))
    table = open_table((words("column.reason"), "left"), (words("serving.count"), "right"))
    for reason, count in reasons:
        table.add_row(words.phrase(reason), numbers.integer(count))
    yield table
