"""Promise and reality of a run: every figure that its plan promised beside what its ranks measured."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import mean
from typing import Final

from myriad.estimate.poisson import mean_interval
from myriad.run.ledger import WARMUP_STEPS, Ledger, ledger, settled_steps, slow_windows
from myriad.run.lives import Life, lives_of, tokens_lost
from myriad.run.metrics import serve_metrics
from myriad.run.readings import events_of, rank_events_of, run_of, steps_of
from myriad.run.store import Store
from myriad.spec.run import ENDED, Compared, LedgerSegment, RunEvent, RunReport, RunSummary, StepRecord
from myriad.spec.training_launch import Promise, TrainingLaunch

_FEWEST: Final = 6
"""Steps from which an interval of their median can hold 95 %."""


def report_of(store: Store, run: str, now_s: float | None = None) -> RunReport:
    """The report of one run by its id, name or folder, as of now. Raises SpecError for a run that is not known."""
    record = run_of(store, run)
    name = record.summary.run
    return run_report(
        record.summary,
        record.launch,
        lives_of(steps_of(store, name), rank_events_of(store, name)),
        events_of(store, name),
        time.time() if now_s is None else now_s,
        record.checkpoint_interval_s,
    )


def serve_run_metrics(url: str, run: str, port: int) -> Callable[[], None]:
    """Serves the metrics of a run of the database at `url` until the function that it gives is called.

    Raises LaunchError for a port that is taken.
    """

    def read() -> RunReport:
        # Of its own: a scrape comes in another thread, while the supervisor writes.
        with Store(url, create=False) as store:
            return report_of(store, run)

    return serve_metrics(port, run, read)


def run_report(
    summary: RunSummary,
    launch: TrainingLaunch,
    lives: Sequence[Life],
    events: Sequence[RunEvent],
    now_s: float,
    checkpoint_interval_s: float | None = None,
) -> RunReport:
    """Promise and reality of a run that is known by its lives and events, as of `now_s` (Unix time).

    A run that nobody watches and that has not ended is told of up to the last thing that is known.
    """
    ended = summary.state in ENDED
    known = [summary.created_s, *(life.last_s for life in lives), *(one.time_s for one in events)]
    end_s = (summary.ended_s or max(known)) if ended else max(now_s, *known) if summary.supervised else max(known)
    books = ledger(lives, events, summary.created_s, end_s, ended)
    steps = tuple(one for life in lives for one in life.steps)
    slow = slow_windows(lives, events, end_s)
    return RunReport(
        summary=summary,
        promise=launch.promise,
        compared=tuple(_compared(launch, books, lives, steps, settled_steps(steps, slow))),
        ledger_s=books.seconds,
        wall_s=books.wall_s,
        segments=tuple(
            LedgerSegment(begin_s=one.begin_s, end_s=one.end_s, category=one.category) for one in books.segments
        ),
        steps=steps,
        events=tuple(events),
        checkpoint_interval_s=checkpoint_interval_s,
        tokens_lost=tokens_lost(steps),
        interruptions=len(books.interruptions_s),
        interrupted_s=books.interruptions_s,
        expected_end_s=None if ended else _expected_end_s(summary, books, end_s),
        notes=tuple(_notes(launch, books, steps)),
    )


def _expected_end_s(summary: RunSummary, books: Ledger, now_s: float) -> float | None:
    """Steps that are left, at the usual step over the productive share of the time since the first step."""
    productive_s = books.seconds["productive"]
    first = next((one.begin_s for one in books.segments if one.category in ("productive", "lost_work")), None)
    if first is None or not productive_s or books.usual_step_s is None:
        return None
    left = max(summary.steps - summary.step, 0)
    return now_s + left * books.usual_step_s * (now_s - first) / productive_s


def _compared(
    launch: TrainingLaunch,
    books: Ledger,
    lives: Sequence[Life],
    steps: Sequence[StepRecord],
    settled: Sequence[StepRecord],
) -> Iterator[Compared]:
    promise = launch.promise
    step_s = books.usual_step_s
    low_s, high_s = _median_interval([one.step_s for one in settled])
    tokens = next(
        (one.tokens / one.step for one in reversed(steps) if one.tokens and one.step), promise.tokens_per_step
    )
    tokens_per_s, mfu = tokens, tokens * promise.model_flops_per_token / (promise.peak_flops_per_s * launch.world_size)
    yield Compared(
        figure="step_s", promised=promise.step_s, low=promise.step_low_s, high=promise.step_high_s,
        measured=step_s, measured_low=low_s, measured_high=high_s, unit="s",
    )  # fmt: skip
    for figure, of_step, unit in (("tokens_per_s", tokens_per_s, "tokens/s"), ("mfu", mfu, "")):
        promised = promise.mfu if figure == "mfu" else promise.tokens_per_step / promise.step_s
        yield Compared(
            figure=figure,
            promised=promised,
            low=_over(promised * promise.step_s, promise.step_high_s),
            high=_over(promised * promise.step_s, promise.step_low_s),
            measured=_over(of_step, step_s),
            measured_low=_over(of_step, high_s),
            measured_high=_over(of_step, low_s),
            unit=unit,
        )
    peaks = [one.memory_bytes for one in steps if one.memory_bytes is not None]
    yield Compared(
        figure="memory_peak_bytes", promised=promise.memory_peak_bytes, measured=max(peaks, default=None), unit="B"
    )
    yield from _over_time(promise, books, lives)


def _over_time(promise: Promise, books: Ledger, lives: Sequence[Life]) -> Iterator[Compared]:
    """What only a stretch of time shows: the books, interruptions, checkpoints, restarts."""
    trained = bool(books.seconds["productive"])
    yield Compared(
        figure="ettr",
        promised=promise.ettr,
        measured=books.seconds["productive"] / books.wall_s if trained else None,
        unit="",
    )
    for category, seconds in books.seconds.items():
        if category != "productive" and (seconds or promise.ledger.get(category)):
            yield Compared(
                figure=f"ledger.{category}",
                promised=promise.ledger.get(category),
                measured=_over(seconds, books.wall_s),
                unit="",
            )
    count = len(books.interruptions_s)
    exposed_s = books.wall_s - books.seconds["waiting"]  # who waits in a queue has nothing that can break
    fewest, most = mean_interval(count)
    yield Compared(
        figure="mean_time_to_interruption_s", promised=promise.mean_time_to_interruption_s,
        measured=_over(exposed_s, count), measured_low=_over(exposed_s, most) if trained else None,
        measured_high=_over(exposed_s, fewest), unit="s",
    )  # fmt: skip
    saved = [one for life in lives for one in life.checkpoints]
    figures: tuple[tuple[str, float | None, Iterable[float | None]], ...] = (
        ("checkpoint_blocking_s", promise.checkpoint_blocking_s, (one.blocking_s for one in saved)),
        ("checkpoint_write_s", None, (one.write_s for one in saved)),
        ("checkpoint_read_s", None, (life.read_s for life in lives[1:])),
        ("checkpoint_interval_s", promise.checkpoint_interval_s, _intervals_s(lives)),
        ("restart_s", promise.restart_s, books.restarts_s),
    )
    for figure, promised, values in figures:
        known = [one for one in values if one is not None]
        if known or promised is not None:
            yield Compared(figure=figure, promised=promised, measured=mean(known) if known else None, unit="s")


def _intervals_s(lives: Sequence[Life]) -> Iterator[float]:
    """From the end of one checkpoint to the start of the next within a life."""
    for life in lives:
        for before, after in pairwise(life.checkpoints):
            yield max(after.time_s - (after.write_s or after.blocking_s or 0.0) - before.time_s, 0.0)


def _over(value: float, by: float | None) -> float | None:
    return value / by if by else None


def _median_interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Order statistics between which the median lies with 95 %, by the normal law of their rank; any distribution."""
    count = len(values)
    if count < _FEWEST:
        return None, None
    ordered = sorted(values)
    half = 1.96 * math.sqrt(count) / 2.0
    return ordered[max(math.floor(count / 2.0 - half), 0)], ordered[min(math.ceil(count / 2.0 + half), count - 1)]


def _notes(launch: TrainingLaunch, books: Ledger, steps: Sequence[StepRecord]) -> Iterator[str]:
    if steps:
        yield f"the first {WARMUP_STEPS} steps of each life are not in the median of step times"
    if steps and not any(one.memory_bytes is not None for one in steps):
        yield "ranks did not tell their memory"
    if launch.promise.ettr is None:
        yield "the pool does not say how it breaks, so nothing was promised of its interruptions"
    elif not books.interruptions_s:
        yield "nothing has interrupted it yet"
