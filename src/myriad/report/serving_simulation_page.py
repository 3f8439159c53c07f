"""One simulated run as one HTML file: the answer, curves of latency, the load over time, a table of percentiles."""

from __future__ import annotations

from myriad.report.language import Language, language
from myriad.report.numbers import Numbers
from myriad.report.page import rendered
from myriad.report.palette import SERIES_COLOURS
from myriad.report.serving_simulation_text import interval_text, simulation_words, times_by_name
from myriad.report.serving_views import promise_text
from myriad.spec.serving import Objective
from myriad.spec.serving_simulation import Distribution, ServingSimulation
from myriad.units import HOUR_S

LONG_TAIL = 20.0
"""A latency whose slowest request, or whose promise, is so many times the median is drawn on a logarithmic axis."""


def simulation_html(result: ServingSimulation, model: str, accelerator: str, lang: str = "en") -> str:
    """The page of a simulation as the text of one HTML file; like every page, it makes no request.

    Raises SpecError for an unknown language.
    """
    words = language(lang)
    numbers = Numbers(words)
    curves = _curves(result, words)
    gpus = sum(pool.replicas * pool.gpus for pool in result.fleet.pools)
    return rendered(
        "serving_simulation.html.j2",
        words,
        result.model_dump_json(),
        {**curves, "load": _load(result, words), "replicas": _replicas(result, words)},
        result=result,
        n=numbers,
        curves=list(curves),
        sentences=simulation_words(result, words, numbers),
        times_by_name=times_by_name(result),
        limits={name: value for name, value in _limits(result.objective).items() if value is not None},
        interval_text=interval_text,
        promise=promise_text(result.objective or Objective(), words, numbers),
        title=f"{model} · {numbers.integer(gpus)} x {accelerator}",
        sort=words("simulation.page"),
        lead="",
        version=result.version,
        first="overview",
        sections=[
            ("overview", words("serving.overview")),
            ("latency", words("simulation.latency")),
            ("over-time", words("simulation.over_time_section")),
            ("percentiles", words("simulation.percentiles_section")),
        ],
        file_name="simulated.json",
        made_by=f"Myriad {result.version}",
    )


def _limits(objective: Objective | None) -> dict[str, float | None]:
    """What is promised, in seconds, by the key of the latency's name."""
    if objective is None:
        return {}
    return {"simulation.ttft": objective.ttft, "simulation.tpot": objective.tpot}


def _curves(result: ServingSimulation, words: Language) -> dict[str, object]:
    """A chart of each latency but the queue, which is in the time to the first token."""
    return {
        f"curve-{index}": _curve(name, times, result.objective, SERIES_COLOURS[index], words)
        for index, (name, times) in enumerate(times_by_name(result).items())
        if name != "simulation.queueing"
    }


def _curve(
    name: str, times: Distribution, objective: Objective | None, colour: str, words: Language
) -> dict[str, object]:
    """The share of requests within each time; where a promise lies, in time and in share."""
    limit_s = _limits(objective).get(name)
    ends_s = [times.percentiles[0], times.percentiles[-1], *([] if limit_s is None else [limit_s])]
    least_s, most_s = min(ends_s), max(ends_s)
    scale, unit = (1e-3, "ms") if most_s < 1 else (1.0, "s")
    return {
        "kind": "distribution",
        "name": words(name),
        "colour": colour,
        "points": [[value / scale, percent] for percent, value in enumerate(times.percentiles)],
        "logarithmic": least_s > 0 and most_s > LONG_TAIL * times.percentiles[50],
        "least": least_s / scale,
        "most": most_s / scale,
        "promised": None if limit_s is None else limit_s / scale,
        "promised_name": words("simulation.promised"),
        "percentile": None if limit_s is None or objective is None else objective.percentile,
        "axis": words("simulation.time_axis", name=words(name), unit=unit),
        "share_axis": words("simulation.share_axis"),
        "unit": unit,
    }


def _load(result: ServingSimulation, words: Language) -> dict[str, object]:
    """Requests that wait and that run, over time."""
    line = result.timeline
    return _over_time(
        result,
        [(words("simulation.waiting"), line.waiting), (words("simulation.running"), line.running)],
        words("simulation.requests_axis"),
        words,
    )


def _replicas(result: ServingSimulation, words: Language) -> dict[str, object]:
    """Replicas that take requests over time, of each pool."""
    names = [words("simulation.ready")]
    if result.fleet.prefill is not None:
        names = [words("simulation.ready_prefill"), words("simulation.ready_decode")]
    series = list(zip(names, result.timeline.ready, strict=True))
    return _over_time(result, series, words("simulation.replicas_axis"), words, first_colour=2)


def _over_time(
    result: ServingSimulation,
    series: list[tuple[str, tuple[int, ...]]],
    axis: str,
    words: Language,
    first_colour: int = 0,
) -> dict[str, object]:
    scale, unit = 1.0, "s"
    if result.duration_s >= 2 * HOUR_S:
        scale, unit = HOUR_S, words("unit.h")
    elif result.duration_s >= 600:
        scale, unit = 60.0, words("unit.min")
    return {
        "kind": "over_time",
        "series": [
            {
                "name": name,
                "colour": SERIES_COLOURS[first_colour + index],
                "points": [[at_s / scale, value] for at_s, value in zip(result.timeline.at_s, values, strict=True)],
            }
            for index, (name, values) in enumerate(series)
        ],
        "end": result.duration_s / scale,
        "time_axis": words("simulation.time_axis", name=words("simulation.time"), unit=unit),
        "axis": axis,
    }
