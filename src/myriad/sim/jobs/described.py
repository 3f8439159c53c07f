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
    """Leaf switches that its first placement spanned; 0 where it never started."""
    lost_s: FloatArray
    """Of `held_s`, work that had to be done again."""
    overhead_s: FloatArray
    """Of `held_s`, restarts, standing still until a failure was seen, and running slower. held = productive + lost +
    overhead."""
    taken: FloatArray
    """Accelerators that it held while it ran: as asked for, or whole nodes where it is larger than one."""
    series: Series


@dataclass(frozen=True)
class Series:
    """The cluster over time, as means of equal parts of the horizon."""

    edges_s: FloatArray
    """One more than there are parts."""
    busy: FloatArray
    """Accelerators held by jobs."""
    in_service: FloatArray
    """Accelerators of nodes that are up."""
    waiting: FloatArray
    """Jobs in queues."""
    fragmented: FloatArray
    """Idle accelerators on nodes that other jobs hold in part: no job that needs a whole node can have them."""
    idle_while_waiting: FloatArray
    """Idle accelerators while any job waits."""


@dataclass(frozen=True)
class Maintenance:
    """Nodes `first_node` to `first_node + num_nodes - 1` out of service by plan."""

    start_s: float
    end_s: float
    first_node: int
    num_nodes: int
    drain_s: float = 24 * 3600.0
    """So long before, no job starts on them that expects to run into it. What still runs there is stopped."""


@dataclass(frozen=True)
class Machines:
    """Equal nodes in the order of their racks, so many to a leaf switch."""

    num_nodes: int
    accelerators_per_node: int
    nodes_per_leaf: int
    maintenance: tuple[Maintenance, ...] = ()


@dataclass(frozen=True)
class Resume:
    """What a job that was stopped goes on from, and what that costs."""

    interval_s: float
    """Of work between checkpoints; infinite where it writes none, and starts anew."""
    restart_s: float = 0.0
    """From its new start until it works, whatever its size."""
    restart_per_node_s: float = 0.0
