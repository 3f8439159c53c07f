"""Judges drawn failures, goodput and simulated campaigns by published clusters and runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from myriad import catalog
from myriad.api.failures import breakable_of
from myriad.api.goodput import goodput
from myriad.errors import SpecError
from myriad.sim.failures import draw_incidents
from myriad.spec.goodput import GoodputQuestion
from myriad.spec.reliability import Duration, FailureCause, Rate, Reliability
from myriad.spec.reliability_validation import ReliabilityValidation
from myriad.units import DAY_S, THOUSAND_DAYS_S
from myriad.validate.reliability import Goodput, Predictors, validate_published
from myriad.validate.reliability_rows import PublishedCluster, read_published, shipped_reliability

RUNS: Final = 40
EVENTS: Final = 2000.0
"""Expected events that a mean time to failure is drawn from."""
NODE: Final = "dgx-h100"
"""Node of eight that stands for those of published clusters: their failures count by node and accelerator alone."""
_AT_ONCE: Final = Duration(mean=0.0)


def validate_reliability(
    rows: Path | None = None, runs: int = RUNS, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> ReliabilityValidation:
    """Failures, MTTF, ETTR and checkpoint overheads against the shipped publications, or a file of the same keys.

    Each simulated figure is the mean of `runs` lives. Raises SpecError for fewer than two, or with file and line.
    """
    if runs < 2:
        raise SpecError(f"runs: expected at least 2, found {runs}")
    published = shipped_reliability() if rows is None else (read_published(rows),)
    predict = Predictors(
        counts=lambda cluster: _counts(cluster, runs, seed),
        draw=lru_cache(maxsize=None)(lambda rate, nodes: _draw(rate, nodes, seed)),
        goodput=lambda question: _goodput(question, runs, seed),
    )
    return validate_published(published, predict, runs, seed, progress)


def _counts(cluster: PublishedCluster, runs: int, seed: int) -> dict[str, float]:
    assert cluster.profile is not None
    assert cluster.days is not None
    breakable = breakable_of(cluster.profile, catalog.node(NODE), cluster.nodes)
    names = [name for name, _ in breakable.causes]
    counts = np.zeros(len(names))
    for run in range(runs):
        incidents = draw_incidents(
            breakable, cluster.days * DAY_S, np.random.SeedSequence(seed, spawn_key=(cluster.nodes, run))
        )
        counts += np.bincount(incidents.cause, minlength=len(names))
    return dict(zip(names, (counts / runs).tolist(), strict=True))


def _draw(per_1000_node_days: float, nodes: int, seed: int) -> tuple[int, float]:
    """Failures of one cause until about `EVENTS` are expected."""
    cause = FailureCause(component="host", rate=Rate(per_1000_unit_days=per_1000_node_days), detection=_AT_ONCE)
    alone = Reliability(name="one cause", causes={"node": cause})
    seconds = EVENTS * THOUSAND_DAYS_S / (per_1000_node_days * nodes)
    breakable = breakable_of(alone, catalog.node(NODE), nodes)
    incidents = draw_incidents(breakable, seconds, np.random.SeedSequence(seed, spawn_key=(nodes,)))
    return len(incidents), seconds


def _goodput(question: Mapping[str, Any], runs: int, seed: int) -> Goodput:
    found = goodput(GoodputQuestion.model_validate(dict(question)), runs=runs, seed=seed)
    assert found.simulated is not None
    ettr = found.simulated.ettr
    return Goodput(found.ettr, ettr.mean, ettr.low, ettr.high, found.assumed)
