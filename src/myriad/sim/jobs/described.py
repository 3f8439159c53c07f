"""Many jobs on one cluster: what they ask for, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

OUTCOMES: Final = ("completed", "failed", "cancelled")
"""What the codes of `Submissions.outcome` mean: how a job ends by itself, whatever the machines do."""
STATES: Final = ("completed", "failed", "cancelled", "running", "waiting", "refused")
"""What the codes of `JobRuns.state` mean: `refused` asks for more than the cluster has."""


@dataclass(frozen=True)
class Submissions:
    """Jobs by time of submission; arrays of one length. A job runs on whole accelerators of one kind, all at once."""

    submitted_s: FloatArray
    accelerators: FloatArray
    """Asked for; a share of one (0.5) shares it with others."""
    run_s: FloatArray
    """Until it ends by itself, undisturbed."""
    limit_s: FloatArray
    """Wall time that it asked for, which backfill plans with; infinite where it said none."""
    outcome: IntArray
    """Index into `OUTCOMES`."""
    tenant: IntArray
    """Index into `tenants`."""
    priority: IntArray
    """The larger the sooner."""
    tenants: tuple[str, ...]
    names: tuple[str, ...] = ()
    """Of the jobs, where a trace gives them."""

    def __len__(self) -> int:
        return len(self.submitted_s)


@dataclass(frozen=True)
class JobRuns:
    """What became of each submission; arrays in the same order."""

    started_s: FloatArray
    """First start; NaN where it never started."""
    ended_s: FloatArray
    """NaN where it had not ended at the horizon."""
    state: IntArray
    """Index into `STATES`."""
    waited_s: FloatArray
    """In queues, first and later ones together."""
    held_s: FloatArray
    """Wall time for which it held its accelerators, over all its attempts."""
    productive_s: FloatArray
    """Of that, work that lasted."""
    interruptions: IntArray
    """By failures of machines."""
    preemptions: IntArray
    leaves: IntArray
    """Leaf switches that its first placement spanned."""
