"""A run as Prometheus reads it: names and units by its conventions, base units, one label `run` on everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, get_args

from myriad.errors import LaunchError, SpecError
from myriad.spec.run import RunReport, RunState

if TYPE_CHECKING:
    from prometheus_client.core import Metric

FRESH_S: Final = 5.0
"""A report is not made anew more often than this, however often it is scraped."""
_COMPARED: Final = {
    "step_s": ("step_seconds", "Median time of a step that lasted, warm-up left out."),
    "tokens_per_s": ("tokens_per_second", "Tokens trained on in a second of the median step."),
    "mfu": ("mfu_ratio", "Model FLOPs of the median step over the peak of all accelerators."),
    "memory_peak_bytes": ("memory_peak_bytes", "Largest peak of any rank."),
    "ettr": ("effective_time_ratio", "Share of the wall time that is productive (ETTR)."),
    "mean_time_to_interruption_s": (
        "mean_time_to_interruption_seconds",
        "Wall time but for waiting, over interruptions.",
    ),
    "checkpoint_blocking_s": ("checkpoint_blocking_seconds", "Mean time for which a checkpoint stops training."),
    "checkpoint_write_s": ("checkpoint_write_seconds", "Mean time until a checkpoint can be read back."),
    "restart_s": ("restart_seconds", "Mean time from the decision to restart to the first step, less waiting."),
}


def serve_metrics(port: int, run: str, report: Callable[[], RunReport], address: str = "0.0.0.0") -> Callable[[], None]:
    """Serves `/metrics` of a run on a port in a thread of this process, and gives what ends it.

    `report` is asked at a scrape, at most every `FRESH_S`; while it fails, the last one is served and
    `myriad_run_readable` is 0. Raises LaunchError for a port that is taken, SpecError without prometheus-client.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ModuleNotFoundError:
        raise SpecError("--metrics needs prometheus-client; install it with: pip install 'myriad-ai[run]'") from None
    registry = CollectorRegistry()
    registry.register(RunCollector(run, report))
    try:
        server, thread = start_http_server(port, addr=address, registry=registry)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LaunchError(f"--metrics {port}: cannot listen on {address}:{port}: {reason.lower()}") from None

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


class RunCollector:
    """Metrics of one run, made when they are asked for."""

    def __init__(self, run: str, report: Callable[[], RunReport]) -> None:
        self._run = run
        self._report = report
        self._last: RunReport | None = None
        self._read_s = float("-inf")

    def describe(self) -> list[Metric]:
        """Nothing: registering does not read the run."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics of the run as it is now."""
        readable = True
        if time.monotonic() - self._read_s > FRESH_S:
            try:
                self._last = self._report()
                self._read_s = time.monotonic()
            except LaunchError:
                readable = False
        help_text = "Whether the database of runs could be read at this scrape."
        yield _gauge("readable", help_text, {"run": self._run}, float(readable))
        if self._last is not None:
            yield from metrics_of(self._last)


def metrics_of(report: RunReport) -> Iterator[Metric]:
    """The metrics of a report. Time by category is no counter: steps that a restart loses move out of `productive`."""
    summary = report.summary
    run = {"run": summary.run}
    yield _gauge("info", "What it is.", run | {"name": summary.name, "scheduler": summary.scheduler}, 1.0)
    states = {state: float(state == summary.state) for state in get_args(RunState)}
    yield _gauges("state", "1 for the state that it is in.", run, "state", states)
    yield _gauge("step", "Last step.", run, float(summary.step))
    yield _gauge("planned_steps", "Steps of the whole run.", run, float(summary.steps))
    yield _gauge("wall_seconds", "From its start to now, or to its end.", run, report.wall_s)
    yield _gauges("ledger_seconds", "Wall time by what it went into.", run, "category", report.ledger_s)
    if summary.loss is not None:
        yield _gauge("loss", "Mean loss per token of the last step.", run, summary.loss)
    yield _counter("trained_seconds", "Time of all steps, those that a restart lost among them.", run,
                   sum(one.step_s for one in report.steps))  # fmt: skip
    tokens = max((one.tokens for one in report.steps if one.kept and one.tokens), default=0)
    yield _counter("tokens", "Tokens trained on, those that a restart lost among them.", run,
                   float(tokens + report.tokens_lost))  # fmt: skip
    yield _counter("lost_tokens", "Tokens that a restart went back behind.", run, float(report.tokens_lost))
    yield _counter("restarts", "Times that ranks were started again.", run, float(summary.restarts))
    yield _counter("interruptions", "Lives that had trained and ended before the run did.", run,
                   float(report.interruptions))  # fmt: skip
    if report.steps:
        last = report.steps[-1]
        yield _gauge("last_step_seconds", "Time of the last step.", run, last.step_s)
        yield _gauge("last_step_timestamp_seconds", "Unix time of its end.", run, last.time_s)
    if report.checkpoint_interval_s is not None:
        yield _gauge("checkpoint_interval_seconds", "Between checkpoints, now in force.", run,
                     report.checkpoint_interval_s)  # fmt: skip
    if report.expected_end_s is not None:
        yield _gauge("expected_end_timestamp_seconds", "Unix time of the end at the measured pace.", run,
                     report.expected_end_s)  # fmt: skip
    for one in report.compared:
        if named := _COMPARED.get(one.figure):
            name, help_text = named
            if one.measured is not None:
                yield _gauge(name, help_text, run, one.measured)
            if one.promised is not None:
                yield _gauge(
                    f"promised_{name}", f"As planned: {help_text[0].lower()}{help_text[1:]}", run, one.promised
                )


def _gauge(name: str, help_text: str, labels: dict[str, str], value: float) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    return _with(GaugeMetricFamily(f"myriad_run_{name}", help_text, labels=list(labels)), labels, value)


def _counter(name: str, help_text: str, labels: dict[str, str], value: float) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    return _with(CounterMetricFamily(f"myriad_run_{name}", help_text, labels=list(labels)), labels, value)


def _gauges(name: str, help_text: str, labels: dict[str, str], by: str, values: dict[str, float]) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family: Any = GaugeMetricFamily(f"myriad_run_{name}", help_text, labels=[*labels, by])
    for key, value in values.items():
        family.add_metric([*labels.values(), key], value)
    return family  # type: ignore[no-any-return]


def _with(family: Any, labels: dict[str, str], value: float) -> Metric:
    family.add_metric(list(labels.values()), value)
    return family  # type: ignore[no-any-return]
