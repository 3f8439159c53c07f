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
    return Group(_latencies(result, words, numbers), *(Text(line) for line in lines))


def _latencies(result: ServingSimulation, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("simulation.latency"), "left"),
        *((words("simulation.mean") if name == "mean" else name, "right") for name in ("mean", "p50", "p90", "p99")),
        (words("simulation.interval"), "right"),
    )
    rows: dict[str, Distribution | None] = {
        "simulation.ttft": result.ttft,
        "simulation.tpot": result.tpot,
        "simulation.inter_token": result.inter_token,
        "simulation.end_to_end": result.end_to_end,
        "simulation.queueing": result.queueing,
    }
    for name, times in rows.items():
        if times is None:
            continue
        plain = [numbers.seconds(one.value) for one in (times.mean, times.p50, times.p90, times.p99)]
        table.add_row(words(name), *plain, _between(times.p95, numbers))
    return table


def _between(estimate: Estimate, numbers: Numbers) -> str:
    if estimate.low is None or estimate.high is None:
        return numbers.seconds(estimate.value)
    return f"{numbers.seconds(estimate.low)} - {numbers.seconds(estimate.high)}"


def _percent(estimate: Estimate, numbers: Numbers) -> str:
    if estimate.low is None or estimate.high is None:
        return numbers.percent(estimate.value)
    low, high = numbers.percent(estimate.low), numbers.percent(min(estimate.high, 1.0))
    return f"{numbers.percent(estimate.value)} ({low} - {high})"
