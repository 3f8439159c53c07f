"""What jobs ask for, as whole accelerators or parts of one, and the order that they ask in."""

from __future__ import annotations

import numpy as np

from myriad.sim.jobs.described import FloatArray, IntArray, Machines, Submissions
from myriad.sim.jobs.nodes import WHOLE


def asks(jobs: Submissions) -> IntArray:
    """By job: whole accelerators, or the parts of a shared one as a negative number."""
    parts = np.maximum(np.round(jobs.accelerators * WHOLE), 1.0)
    whole = np.ceil(np.round(jobs.accelerators, 6))
    return np.where(parts < WHOLE, -parts, whole).astype(np.int64)


def taken_accelerators(jobs: Submissions, machines: Machines) -> FloatArray:
    """By job: accelerators that it holds while it runs; whole nodes where it is larger than one."""
    size = machines.accelerators_per_node
    ask = asks(jobs)
    whole = np.where(ask > size, -(-ask // size) * size, ask)
    return np.where(ask < 0, -ask / WHOLE, whole)


def ranks(keys: FloatArray | tuple[FloatArray, ...]) -> tuple[list[int], list[int]]:
    """Place of each job in the order of the keys, and the job at each place; equal ones in order of submission."""
    columns = keys if isinstance(keys, tuple) else (keys,)
    # The last key of lexsort decides first.
    job_of_rank = np.lexsort((np.arange(len(columns[0])), *reversed(columns)))
    rank = np.empty(len(job_of_rank), dtype=np.int64)
    rank[job_of_rank] = np.arange(len(rank))
    return rank.tolist(), job_of_rank.tolist()
