"""Simulated jobs as one HTML file: policies side by side, over time, by size of job."""

from __future__ import annotations

import math
from collections.abc import Iterator

from myriad.report.jobs_views import interval_of, jobs_words, rows_of, size_name, waits_in
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.report.page import rendered
from myriad.report.palette import SERIES_COLOURS, SPENT_COLOURS
from myriad.spec.job_statistics import JobStatistics
from myriad.spec.jobs_result import WAITS_S, JobsResult, PolicyResult
from myriad.units import HOUR_S

RAREST_PERCENT = 0.01
"""Shares of jobs below it are drawn as it."""


def jobs_html(result: JobsResult, machines: str, published: JobStatistics | None = None, lang: str = "en") -> str:
    """The page of a simulation of many jobs as the text of one HTML file; like every page, it makes no request.

    `machines` names what the cluster is made of. Raises SpecError for an unknown language.
    """
    words = language(lang)
    numbers = Numbers(words)
    curves = {f"waits-{index}": _waits(one, words) for index, one in enumerate(result.policies)}
    return rendered(
        "jobs.html.j2",
        words,
        result.model_dump_json(),
        {
            "use": _use(result, words),
            "queue": _queue(result, words),
            "spent-chart": _spent(result, words),
            **curves,
            **({"ettr": _ettr(result, words)} if _is_interrupted(result) else {}),
        },
        result=result,
        interrupted=_is_interrupted(result),
        n=numbers,
        rows=rows_of(numbers),
        sentences=jobs_words(result, published, words, numbers),
        spent=[(words(f"goes.{name}"), SPENT_COLOURS[name]) for name in result.policies[0].shares],
        infinity=math.inf,
        interval_of=interval_of,
        significant=significant,
        wait=waits_in(numbers),
        size_name=size_name,
        title=f"{result.jobs} · {numbers.integer(result.accelerators)} x {machines}",
        sort=words("jobs.page"),
        lead="",
        version=result.version,
        first="overview",
        sections=[
            ("overview", words("jobs.overview")),
            ("over-time", words("jobs.over_time")),
            ("spent", words("jobs.spent_section")),
            ("sizes", words("jobs.by_size_section")),
        ],
        file_name="simulated.json",
        made_by=f"Myriad {result.version}",
    )


def _coloured(result: JobsResult) -> Iterator[tuple[PolicyResult, str]]:
    for index, one in enumerate(result.policies):
        yield one, SERIES_COLOURS[index % len(SERIES_COLOURS)]


def _use(result: JobsResult, words: Language) -> dict[str, object]:
    """Accelerators in use over time, in percent, a line for each policy; and those in service, where nodes break."""
    series: list[dict[str, object]] = [
        {"name": one.policy.name, "colour": colour, "points": _points(one, one.over_time.busy_fraction, 100.0)}
        for one, colour in _coloured(result)
    ]
    if result.reliability is not None:
        first = result.policies[0]
        points = _points(first, first.over_time.in_service_fraction, 100.0)
        series.append({"name": words("jobs.in_service"), "colour": "#8794a3", "points": points})
    return _over_time(result, series, words("jobs.use_axis"), words)


def _queue(result: JobsResult, words: Language) -> dict[str, object]:
    """Jobs that wait over time."""
    series: list[dict[str, object]] = [
        {"name": one.policy.name, "colour": colour, "points": _points(one, one.over_time.waiting_jobs, 1.0)}
        for one, colour in _coloured(result)
    ]
    return _over_time(result, series, words("jobs.queue_axis"), words)


def _points(one: PolicyResult, values: tuple[float, ...], scale: float) -> list[list[float]]:
    return [[at, value * scale] for at, value in zip(one.over_time.at_days, values, strict=True)]


def _over_time(result: JobsResult, series: list[dict[str, object]], axis: str, words: Language) -> dict[str, object]:
    return {
        "kind": "over_time",
        "series": series,
        "end": result.days,
        "time_axis": words("jobs.days_axis"),
        "axis": axis,
    }


def _spent(result: JobsResult, words: Language) -> dict[str, object]:
    """Where the time of all accelerators goes, in percent of it."""
    return {
        "kind": "step",
        "rows": [one.policy.name for one in result.policies],
        "series": [
            {
                "name": words(f"goes.{name}"),
                "colour": SPENT_COLOURS[name],
                "values": [100.0 * max(one.shares[name].mean, 0.0) for one in result.policies],
            }
            for name in result.policies[0].shares
        ],
        "most": 100,
        "axis": words("jobs.spent_axis"),
        "unit": "%",
    }


def _waits(one: PolicyResult, words: Language) -> dict[str, object]:
    """Share of jobs that waited longer than so many hours, a line for each size; it ends where none did."""
    return {
        "kind": "beyond",
        "series": [
            {
                "name": size_name(line, words),
                "colour": SERIES_COLOURS[index],
                "points": [
                    [wait_s / HOUR_S, max(100.0 * (1.0 - share), RAREST_PERCENT)]
                    for wait_s, share in zip(WAITS_S, line.waiting.within, strict=True)
                    if share < 1.0
                ],
            }
            for index, line in enumerate(one.sizes)
        ],
        "least": WAITS_S[0] / HOUR_S,
        "most": WAITS_S[-1] / HOUR_S,
        "rarest": RAREST_PERCENT,
        "axis": words("jobs.wait_axis"),
        "share_axis": words("jobs.share_axis"),
    }


def _is_interrupted(result: JobsResult) -> bool:
    """Whether any job of any policy lost time."""
    return any(line.ettr is not None and line.ettr.mean < 0.9995 for one in result.policies for line in one.sizes)


def _ettr(result: JobsResult, words: Language) -> dict[str, object]:
    """ETTR by size in percent, a column for each policy."""
    return {
        "kind": "columns",
        "rows": [size_name(line, words) for line in result.policies[0].sizes],
        "series": [
            {
                "name": one.policy.name,
                "colour": colour,
                "values": [None if line.ettr is None else 100.0 * line.ettr.mean for line in one.sizes],
            }
            for one, colour in _coloured(result)
        ],
        "axis": words("jobs.size_axis"),
        "most": 100,
        "value_axis": words("jobs.ettr_axis"),
        "unit": "%",
    }
