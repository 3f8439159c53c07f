"""Some runs of a campaign, each with draws of its own: what one process does of a whole simulation.

It knows nothing of how runs are spread, and imports little, so that workers start soon.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from myriad.sim.campaign.described import Campaign, CampaignRun
from myriad.sim.campaign.run import run_campaign
from myriad.sim.failures import Breakable, Incidents, draw_incidents

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


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


def run_chunk(chunk: Chunk) -> tuple[Runs, ...]:
    """The runs of a chunk, by question."""
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


def joined(parts: list[Runs]) -> Runs:
    """Runs one after the other."""
    return Runs(
        ledger_s=np.concatenate([part.ledger_s for part in parts]),
        wall_s=np.concatenate([part.wall_s for part in parts]),
        finished=np.concatenate([part.finished for part in parts]),
        interruptions=np.concatenate([part.interruptions for part in parts]),
        cost_s=np.concatenate([part.cost_s for part in parts]),
        events=tuple(run for part in parts for run in part.events),
    )
