"""Simulated jobs as texts and numbers that pages and the terminal share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from myriad.report.language import Language
from myriad.report.numbers import Numbers, significant
from myriad.spec.job_statistics import JobStatistics
from myriad.spec.jobs_result import Figure, JobsResult, PolicyResult, SizeLine


class Row(NamedTuple):
    """One figure of a policy."""

    name: str
    """Key of its text."""
    figure: Callable[[PolicyResult], Figure]
    shown: Callable[[float], str]
    most: float = math.inf
    """It cannot be larger."""


def rows_of(numbers: Numbers) -> tuple[Row, ...]:
    """The figures of a policy, in the order in which they are read."""
    wait = waits_in(numbers)
    return (
        Row("jobs.utilisation", lambda one: one.utilisation, numbers.percent, 1.0),
        Row("jobs.in_service", lambda one: one.in_service, numbers.percent, 1.0),
        Row("jobs.median_wait", lambda one: one.waiting.p50, wait),
        Row("jobs.mean_wait", lambda one: one.waiting.mean, wait),
        Row("jobs.p_ninety_wait", lambda one: one.waiting.p90, wait),
        Row("jobs.p_ninety_nine_wait", lambda one: one.waiting.p99, wait),
        Row("jobs.waiting_jobs", lambda one: one.waiting_jobs, significant),
        Row("jobs.ettr", lambda one: one.ettr, numbers.percent, 1.0),
        Row("jobs.idle_while_waiting", lambda one: one.idle_while_waiting, numbers.percent, 1.0),
        Row("jobs.fragmented", lambda one: one.fragmented, numbers.percent, 1.0),
        Row("jobs.interruptions_per_day", lambda one: one.interruptions_per_day, significant),
        Row("jobs.preemptions_per_day", lambda one: one.preemptions_per_day, significant),
        Row("jobs.refused", lambda one: one.refused, significant),
    )


def waits_in(numbers: Numbers) -> Callable[[float], str]:
    """How waiting times are written: what is shorter than a millisecond is none."""
    return lambda wait_s: numbers.seconds(wait_s) if wait_s >= 1e-3 else "0 s"


def interval_of(figure: Figure, shown: Callable[[float], str], most: float = math.inf) -> str:
    """Both ends of the interval; empty where there is none or nothing varies. No figure is below 0 or above `most`."""
    if figure.low is None or figure.high is None:
        return ""
    low, high = shown(max(figure.low, 0.0)), shown(min(figure.high, most))
    return "" if low == high else f"{low} – {high}"


def size_name(line: SizeLine, words: Language) -> str:
    """The range of sizes of a line: `up to 1`, `2 to 8`, `over 512`."""
    if line.larger_than == 0 and line.up_to is not None:
        return words("jobs.up_to", most=significant(line.up_to))
    if line.up_to is None:
        return words("jobs.over", least=significant(line.larger_than))
    return words("jobs.from_to", least=significant(line.larger_than + 1), most=significant(line.up_to))


def jobs_words(result: JobsResult, published: JobStatistics | None, words: Language, numbers: Numbers) -> list[str]:
    """The answer in sentences: what was simulated, what each policy gives, what the cluster published, what breaks."""
    wait = waits_in(numbers)
    count = sum(line.jobs.mean for line in result.policies[0].sizes)
    lines = [
        words(
            "jobs.simulated",
            jobs=numbers.integer(count),
            days=significant(result.days),
            runs=numbers.integer(result.runs),
            seed=result.seed,
        )
    ]
    if result.warm_up_days:
        lines.append(words("jobs.warm_up", days=significant(result.warm_up_days)))
    for one in result.policies:
        lines.append(
            words(
                "jobs.of_policy",
                policy=one.policy.name,
                used=numbers.percent(one.utilisation.mean),
                median=wait(one.waiting.p50.mean),
                mean=wait(one.waiting.mean.mean),
                ettr=numbers.percent(one.ettr.mean),
            )
        )
    if published is not None and published.mean_wait is not None and published.median_wait is not None:
        lines.append(
            words(
                "jobs.published_wait",
                median=wait(published.median_wait),
                mean=wait(published.mean_wait),
            )
        )
    if result.reliability is None:
        lines.append(words("jobs.nothing_breaks"))
    elif result.checkpoint_interval_s is None:
        lines.append(words("jobs.breaks_anew", reliability=result.reliability))
    else:
        interval = numbers.seconds(result.checkpoint_interval_s)
        lines.append(words("jobs.breaks", reliability=result.reliability, interval=interval))
    return lines
