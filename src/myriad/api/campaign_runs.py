"""Many lives of one training campaign, spread over an engine, with the same result on any.

Run `i` of campaign `c` draws from `SeedSequence(seed, spawn_key=(c, i))`, whoever simulates it and whatever else is
simulated beside it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from myriad.api.fingerprint import fingerprint
from myriad.engine import Engine, Local, Ray, run_points
from myriad.errors import LaunchError
from myriad.sim.campaign.chunks import Chunk, Question, Runs, joined, run_chunk

Finished = Callable[[int], None]
"""Called with the number of runs that have just been finished."""

IN_PROCESS_S: Final = 2.0
"""Work that takes no longer stays in this process: workers need about that long to start."""
CHUNK_S: Final = 0.5
"""About as long as workers are left alone: long enough not to wait for this process, short enough to show progress."""


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

    far = isinstance(engine, Ray)
    run_points(chunks, partial(run_chunk_alike, resting_on=fingerprint()) if far else run_chunk, engine, ended)
    return _joined(parts, len(questions))


def run_chunk_alike(chunk: Chunk, resting_on: str) -> tuple[Runs, ...]:
    """The runs of a chunk, by question, on another machine.

    Raises LaunchError where it has other formulas or another catalog than the caller.
    """
    if fingerprint() != resting_on:
        raise LaunchError(
            "a worker has another version of Myriad or of its catalog than this machine; install the same on both"
        )
    return run_chunk(chunk)


def _joined(parts: dict[int, tuple[Runs, ...]], questions: int) -> tuple[Runs, ...]:
    ordered = [parts[first] for first in sorted(parts)]
    return tuple(joined([part[number] for part in ordered]) for number in range(questions))
