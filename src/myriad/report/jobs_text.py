"""Simulated jobs as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import heading, open_table
from myriad.report.jobs_views import interval_of, jobs_words, rows_of, size_name, waits_in
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers
from myriad.spec.job_statistics import JobStatistics
from myriad.spec.jobs_result import JobsResult, PolicyResult

BESIDE = 3
"""Policies in one table."""


def jobs_result_text(result: JobsResult, published: JobStatistics | None = None, lang: str = "en") -> RenderableType:
    """What was simulated, then the figures of each policy with their intervals, then waits and ETTR by size."""
    words = language(lang)
    numbers = Numbers(words)
    blocks: list[RenderableType] = [Text(line) for line in jobs_words(result, published, words, numbers)]
    for some in _beside(result):
        blocks += [heading(words("jobs.by_policy")), _figures(some, words, numbers)]
    for one in result.policies:
        blocks += [heading(words("jobs.sizes_of", policy=one.policy.name)), _sizes(one, words, numbers)]
    return Group(*blocks)


def _beside(result: JobsResult) -> Iterator[tuple[PolicyResult, ...]]:
    for first in range(0, len(result.policies), BESIDE):
        yield result.policies[first : first + BESIDE]


def _figures(policies: tuple[PolicyResult, ...], words: Language, numbers: Numbers) -> Table:
    table = open_table((words("jobs.figure"), "left"), *((one.policy.name, "right") for one in policies))
    for row in rows_of(numbers):
        cells = []
        for one in policies:
            figure = row.figure(one)
            interval = interval_of(figure, row.shown, row.most)
            cells.append(row.shown(figure.mean) + (f"\n{interval}" if interval else ""))
        table.add_row(words(row.name), *cells)
    return table


def _sizes(policy: PolicyResult, words: Language, numbers: Numbers) -> Table:
    """Waits and ETTR by size."""
    names = ("jobs.number", "jobs.median", "jobs.mean", "jobs.p_ninety", "jobs.ettr_short")
    table = open_table((words("jobs.size"), "left"), *((words(name), "right") for name in names))
    wait = waits_in(numbers)
    for line in policy.sizes:
        table.add_row(
            size_name(line, words),
            numbers.integer(line.jobs.mean),
            wait(line.waiting.p50.mean),
            wait(line.waiting.mean.mean),
            wait(line.waiting.p90.mean),
            "–" if line.ettr is None else numbers.percent(line.ettr.mean),
        )
    return table
