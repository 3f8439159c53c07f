"""A simulation of serving as text for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import open_table
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.spec.serving_simulation import Distribution, Estimate, ServingSimulation


def serving_simulation_text(result: ServingSimulation, lang: str = "en") -> RenderableType:
    """Latencies with the intervals of their percentiles, then rates and what was used."""
    words = language(lang)
    numbers = Numbers(words)
    lines = simulation_words(result, words, numbers)
    return Group(_latencies(result, words, numbers), *(Text(line) for line in lines))


def simulation_words(result: ServingSimulation, words: Language, numbers: Numbers) -> list[str]:
    """The answer in sentences: how many requests, rates, what was used, whether the promise is kept."""
    lines = [
        words(
            "simulation.counted",
            requests=numbers.integer(result.requests),
            refused=numbers.integer(result.refused),
            duration=numbers.seconds(result.duration_s),
        ),
        words(
            "simulation.rates",
            requests=significant(result.requests_per_s),
            input=significant(result.input_tokens_per_s_per_gpu),
            output=significant(result.output_tokens_per_s_per_gpu),
        ),
        words(
            "simulation.used",
            busy=numbers.percent(result.busy_fraction),
            hits=numbers.percent(result.prefix_hit_fraction),
            cache=numbers.percent(result.cache_most_fraction),
            batch=significant(result.mean_decoding),
            preemptions=numbers.integer(result.preemptions),
        ),
    ]
    if result.good_fraction is not None and result.good_requests_per_s is not None:
        lines.append(
            words(
                "simulation.good",
                share=_percent(result.good_fraction, numbers),
                rate=significant(result.good_requests_per_s),
            )
        )
        lines.append(words("simulation.met" if result.meets_objective else "simulation.missed"))
    return lines


def times_by_name(result: ServingSimulation) -> dict[str, Distribution]:
    """The distributions that there are, by the key of their name."""
    every: dict[str, Distribution | None] = {
        "simulation.ttft": result.ttft,
        "simulation.tpot": result.tpot,
        "simulation.inter_token": result.inter_token,
        "simulation.end_to_end": result.end_to_end,
        "simulation.queueing": result.queueing,
    }
    return {name: times for name, times in every.items() if times is not None}


def interval_text(estimate: Estimate, numbers: Numbers) -> str:
    """Both ends of the interval of a time; empty where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{numbers.seconds(estimate.low)} - {numbers.seconds(estimate.high)}"


def _latencies(result: ServingSimulation, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("simulation.latency"), "left"),
        *((words("simulation.mean") if name == "mean" else name, "right") for name in ("mean", "p50", "p90", "p99")),
        (words("simulation.interval"), "right"),
    )
    for name, times in times_by_name(result).items():
        plain = [numbers.seconds(one.value) for one in (times.mean, times.p50, times.p90, times.p99)]
        table.add_row(words(name), *plain, interval_text(times.p95, numbers) or numbers.seconds(times.p95.value))
    return table


def _percent(estimate: Estimate, numbers: Numbers) -> str:
    if estimate.low is None or estimate.high is None:
        return numbers.percent(estimate.value)
    low, high = numbers.percent(estimate.low), numbers.percent(min(estimate.high, 1.0))
    return f"{numbers.percent(estimate.value)} ({low} - {high})"
