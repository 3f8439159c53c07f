"""Many lives of one training campaign: drawn, simulated, spread over an engine, with the same result on any.

Run `i` of campaign `c` draws from `SeedSequence(seed, spawn_key=(c, i))`, whoever simulates it and whatever else is
simulated beside it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from myriad.api.fingerprint import fingerprint
from myriad.engine import Engine, Local, Ray, run_points
from myriad.errors import LaunchError
from myriad.sim.campaign import Campaign, CampaignRun, run_campaign
from myriad.sim.failures import Breakable, Incidents, draw_incidents

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Finished = Callable[[int], None]
"""Called with the number of runs that have just been finished."""

IN_PROCESS_S: Final = 2.0
"""Work that takes no longer stays in this process: workers need about that long to start."""
CHUNK_S: Final = 0.5
"""About as long as workers are left alone: long enough not to wait for this process, short enough to show progress."""


@dataclass(frozen=True)
class Question:
    """What is simulated: a campaign on a cluster, as it is or with one thing changed."""

    campaign: Campaign
    breakable: Breakable
    kept_share: dict[str, float] = field(default_factory=dict)
    """Cause -> share of its events that come, where not all do."""


@dataclass(frozen=True)
class Chunk:
    """Some runs of several questions, each run with the same draws for all of them."""

    questions: tuple[Question, ...]
    campaign_number: int
    seed: int
    first: int
    end: int
    keep_events: bool = False


@dataclass(frozen=True)
class Runs:
    """Outcomes of runs, in their order. R = runs, C = causes."""

    ledger_s: FloatArray
    """Shape (R, categories)."""
    wall_s: FloatArray
    finished: npt.NDArray[np.bool_]
    interruptions: IntArray
    """Shape (R, C)."""
    cost_s: FloatArray
    """Shape (R, C)."""
    events: tuple[CampaignRun, ...] = ()
    """The runs themselves, where events are kept."""


def simulated_run(question: Question, campaign_number: int, seed: int, run: int) -> CampaignRun:
    """One run of one question."""
    return run_campaign(question.campaign, question.breakable, _drawn(question, campaign_number, seed, run))


def run_chunk(chunk: Chunk, resting_on: str = "") -> tuple[Runs, ...]:
    """The runs of a chunk, by question.

    Raises LaunchError where this process has other formulas or another catalog than the caller (`resting_on`).
    """
    if resting_on and fingerprint() != resting_on:
        raise LaunchError(
            "a worker has another version of Myriad or of its catalog than this machine; install the same on both"
        )
    found: list[list[CampaignRun]] = [[] for _ in chunk.questions]
    for run in range(chunk.first, chunk.end):
        drawn: list[tuple[Question, Incidents]] = []
        for number, question in enumerate(chunk.questions):
            same = (incidents for other, incidents in drawn if _breaks_like(question, other))
            incidents = next(same, None)
            if incidents is None:
                incidents = _drawn(question, chunk.campaign_number, chunk.seed, run)
            drawn.append((question, incidents))
            found[number].append(run_campaign(question.campaign, question.breakable, incidents))
    return tuple(_columns(runs, chunk.keep_events) for runs in found)


def runs_of(
    questions: tuple[Question, ...],
    campaign_number: int,
    seed: int,
    runs: int,
    engine: Engine,
    finished: Finished,
    keep_events: bool = False,
) -> tuple[Runs, ...]:
    """The first `runs` runs of every question, on an engine.

    The first run is simulated here and timed: what is left goes to workers where it is worth their start, in pieces
    of about `CHUNK_S`. Neither changes any result.
    """
    whole = Chunk(questions, campaign_number, seed, 0, runs, keep_events)
    start = time.perf_counter()
    parts = {0: run_chunk(replace(whole, end=1))}
    finished(1)
    run_s = time.perf_counter() - start
    workers = (engine.workers or os.cpu_count() or 1) if isinstance(engine, Local) else None
    if workers == 1 or (engine == Local() and run_s * (runs - 1) < IN_PROCESS_S):
        for run in range(1, runs):
            parts[run] = run_chunk(replace(whole, first=run, end=run + 1))
            finished(1)
        return _joined(parts, len(questions))
    size = max(1, min(round(CHUNK_S / run_s), -(-(runs - 1) // (workers or 1))))
    chunks = {
        f"runs {first} to {min(first + size, runs) - 1}": replace(whole, first=first, end=min(first + size, runs))
        for first in range(1, runs, size)
    }

    def ended(key: str, found: tuple[Runs, ...]) -> None:
        parts[chunks[key].first] = found
        finished(chunks[key].end - chunks[key].first)

    run_points(chunks, partial(run_chunk, resting_on=fingerprint() if isinstance(engine, Ray) else ""), engine, ended)
    return _joined(parts, len(questions))


def _drawn(question: Question, campaign_number: int, seed: int, run: int) -> Incidents:
    sequence = np.random.SeedSequence(seed, spawn_key=(campaign_number, run))
    return draw_incidents(question.breakable, question.campaign.horizon_s, sequence, question.kept_share)


def _breaks_like(one: Question, other: Question) -> bool:
    """Whether both have the same incidents. A pickled chunk keeps what is the same object the same object."""
    return one.breakable is other.breakable and one.kept_share == other.kept_share


def _columns(runs: list[CampaignRun], keep_events: bool) -> Runs:
    return Runs(
        ledger_s=np.array([run.ledger_s for run in runs]),
        wall_s=np.array([run.wall_s for run in runs]),
        finished=np.array([run.finished for run in runs]),
        interruptions=np.array([run.interruptions for run in runs]),
        cost_s=np.array([run.cost_s for run in runs]),
        events=tuple(runs) if keep_events else (),
    )


def _joined(parts: dict[int, tuple[Runs, ...]], questions: int) -> tuple[Runs, ...]:
    ordered = [parts[first] for first in sorted(parts)]
    return tuple(_one([part[number] for part in ordered]) for number in range(questions))


def _one(parts: list[Runs]) -> Runs:
    return Runs(
        ledger_s=np.concatenate([part.ledger_s for part in parts]),
        wall_s=np.concatenate([part.wall_s for part in parts]),
        finished=np.concatenate([part.finished for part in parts]),
        interruptions=np.concatenate([part.interruptions for part in parts]),
        cost_s=np.concatenate([part.cost_s for part in parts]),
        events=tuple(run for part in parts for run in part.events),
    )
