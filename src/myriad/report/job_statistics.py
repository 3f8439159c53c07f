"""Statistics of jobs side by side, as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from myriad.report.blocks import open_table
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.spec.job_statistics import DrawnJobs, JobStatistics

_ENDS: Final = {"jobs.completed": "completed", "jobs.failed": "failed", "jobs.cancelled": "cancelled"}


def drawn_jobs_text(result: DrawnJobs, lang: str = "en") -> RenderableType:
    """A table of the given and the drawn statistics, and what a trace left out."""
    words = language(lang)
    numbers = Numbers(words)
    head = words(
        "jobs.drawn", mix=result.mix, jobs=numbers.integer(result.drawn.jobs or 0), days=significant(result.days)
    )
    columns = {words("jobs.given"): result.given, words("jobs.drawn_column"): result.drawn}
    table = open_table((words("jobs.statistic"), "left"), *((name, "right") for name in columns))
    for row in statistics_rows([one or JobStatistics() for one in columns.values()], words, numbers):
        table.add_row(*row)
    return Group(Text(head), Text(""), table, *(Text(line) for line in remark_lines(result.remarks, words, numbers)))


def remark_lines(remarks: Mapping[str, int], words: Language, numbers: Numbers) -> list[str]:
    """What the reader of a trace left out or cut short, a line each."""
    return [
        words("jobs.remark", jobs=numbers.integer(count), what=words.phrase(what)) for what, count in remarks.items()
    ]


def statistics_rows(columns: list[JobStatistics], words: Language, numbers: Numbers) -> list[list[str]]:
    """A row for each figure that one of them has: its name, then its value in each; a dash where one has none."""
    rows: list[list[str]] = []

    def add(name: str, values: list[float | None], shown: Callable[[float], str]) -> None:
        if any(value is not None for value in values):
            rows.append([name, *("–" if value is None else shown(value) for value in values)])

    for name, field, show in (
        ("jobs.jobs_per_day", "jobs_per_day", significant),
        ("jobs.mean_run", "mean_run", numbers.seconds),
        ("jobs.median_run", "median_run", numbers.seconds),
        ("jobs.mean_accelerators", "mean_accelerators", significant),
        ("jobs.median_accelerators", "median_accelerators", significant),
        ("jobs.accelerator_time_per_job", "accelerator_time_per_job", numbers.seconds),
    ):
        add(words(name), [getattr(one, field) for one in columns], show)
    for name, group in (("jobs.by_jobs", "by_jobs"), ("jobs.by_accelerator_time", "by_accelerator_time")):
        for key in _ENDS:
            found = [None if (ends := getattr(one, group)) is None else getattr(ends, _ENDS[key]) for one in columns]
            add(words(name, outcome=words(key)), found, numbers.percent)
    for size in sorted({large.accelerators for one in columns for large in one.large}):
        at_size = [next((large for large in one.large if large.accelerators == size), None) for one in columns]
        for name, field in (("jobs.large_jobs", "jobs"), ("jobs.large_accelerator_time", "accelerator_time")):
            shares = [None if large is None else getattr(large, field) for large in at_size]
            add(words(name, size=significant(size)), shares, numbers.percent)
    add(words("jobs.mean_wait"), [one.mean_wait for one in columns], numbers.seconds)
    add(words("jobs.median_wait"), [one.median_wait for one in columns], numbers.seconds)
    return rows
