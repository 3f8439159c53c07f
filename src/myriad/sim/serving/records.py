"""What each request met, as columns, and as the text of a file."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from myriad.errors import SpecError, unknown_name
from myriad.sim.serving import state as at
from myriad.sim.serving.run import Run

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
FORMATS = (".csv", ".jsonl")


@dataclass(frozen=True)
class Records:
    """One value per request, in the order of arrival; times in seconds, NaN where a request never came so far.

    The first token and the end are when a client has them (`seen`), the admission when the engine makes it.
    """

    arrival_s: Floats
    admitted_s: Floats
    first_token_s: Floats
    finished_s: Floats
    input_tokens: Ints
    output_tokens: Ints
    cached_tokens: Ints
    """Of the prompt, at the first admission."""
    preemptions: Ints
    refused: npt.NDArray[np.bool_]

    @property
    def ttft_s(self) -> Floats:
        """From arrival to the first token."""
        return self.first_token_s - self.arrival_s

    @property
    def tpot_s(self) -> Floats:
        """Mean time per output token after the first; NaN for requests of one token."""
        later = np.where(self.output_tokens > 1, self.output_tokens - 1, np.nan)
        return (self.finished_s - self.first_token_s) / later


def records_of(run: Run) -> Records:
    """What the rows of a run say."""
    refused = run.requests[:, at.REFUSED] > 0

    def reached(field: int) -> Floats:
        return np.where(refused, np.nan, run.times_s[:, field])

    return Records(
        arrival_s=run.times_s[:, at.ARRIVAL_S],
        admitted_s=reached(at.ADMITTED_S),
        first_token_s=reached(at.FIRST_S),
        finished_s=reached(at.FINISHED_S),
        input_tokens=run.requests[:, at.INPUT],
        output_tokens=run.requests[:, at.OUTPUT],
        cached_tokens=run.requests[:, at.CACHED],
        preemptions=run.requests[:, at.PREEMPTIONS],
        refused=refused,
    )


@dataclass(frozen=True)
class Way:
    """What lies between engine and client, and takes time of no iteration."""

    request_s: float = 0.0
    """To the queue, and back with each answer's first token."""
    request_token_s: float = 0.0
    """The same per prompt token."""
    stream_interval: int = 1
    """Tokens that are gathered before they are sent."""


NO_WAY: Final = Way()


def seen(records: Records, way: Way) -> Records:
    """The requests as clients see them, by the formula of the steady state (`estimate.serving.load.as_seen`).

        way_s         = request_s + request_token_s * input tokens
        finished_s    = finished_s in the engine + way_s
        first_token_s = first_token_s in the engine + way_s + (min(stream_interval, output) - 1) * TPOT of the request

    Left out: the part of the way before the queue delays no admission, though all of them by nearly the same time; in
    a closed loop the next request is sent when the engine, not the client, has the answer; the tokens of a request
    are taken to come evenly.
    """
    way_s = way.request_s + way.request_token_s * records.input_tokens
    gathered = np.minimum(way.stream_interval, records.output_tokens) - 1
    share = gathered / np.maximum(records.output_tokens - 1, 1)
    finished_s = records.finished_s + way_s
    first_token_s = records.first_token_s + way_s + share * (records.finished_s - records.first_token_s)
    # Where all tokens are sent at once both are the same time, but for rounding.
    return replace(records, first_token_s=np.minimum(first_token_s, finished_s), finished_s=finished_s)


def records_text(records: Records, suffix: str) -> str:
    """The requests as CSV or JSON Lines, by the suffix of the file. Raises SpecError for another."""
    if suffix not in FORMATS:
        raise SpecError(unknown_name("format of requests", suffix, FORMATS))
    names = [field.name for field in fields(records)]
    rows = zip(*(getattr(records, name).tolist() for name in names), strict=True)
    text = io.StringIO(newline="")
    if suffix == ".csv":
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_plain(value, "") for value in row] for row in rows)
    else:
        for row in rows:
            text.write(json.dumps(dict(zip(names, (_plain(value, None) for value in row), strict=True))) + "\n")
    return text.getvalue()


def _plain(value: float, nothing: str | None) -> float | str | None:
    return nothing if value != value else value
