"""The goodput that a plan divides by: what the file states of a pool, or what its failures are expected to leave."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from myriad import catalog
from myriad.api.expected_goodput import goodput_of_job
from myriad.api.failures import breakable_of_job
from myriad.api.named import at_key
from myriad.errors import InfeasibleError
from myriad.spec.cluster import Cluster
from myriad.spec.layout import Layout
from myriad.spec.model import Model
from myriad.spec.result import GoodputSource
from myriad.spec.system import System, TrainingJob
from myriad.units import YEAR_S

LEAST = 1e-3
"""Of the time: with less no job is planned."""


@dataclass(frozen=True)
class Kept:
    """Share of the time that trains, and where it is from."""

    share: float
    source: GoodputSource
    expected: float | None
    """What its failures are expected to leave, where the pool says how it breaks."""


@dataclass(frozen=True)
class Goodputs:
    """Of all pools of a system, for any job and any part of them."""

    system: System
    models: Mapping[str, Model]
    clusters: Mapping[str, Cluster]
    _known: dict[tuple[object, ...], float] = field(default_factory=dict)

    def kept(
        self, job: TrainingJob, pool_name: str, accelerators: int, step_s: float = 0.0, layout: Layout | None = None
    ) -> Kept:
        """What a job keeps on so many accelerators of a pool; its given goodput counts before the expected one.

        Without a layout, or for a job of unknown length, replicas are of one node and failures those of a year. Raises
        InfeasibleError where failures are expected to leave it next to nothing.
        """
        given = self.system.pools[pool_name].goodput
        expected = self._expected(job, pool_name, accelerators, step_s, layout)
        if given is not None:
            return Kept(given, "given", expected)
        if expected is None:
            return Kept(1.0, "none", None)
        if expected < LEAST:
            raise InfeasibleError(f"failures leave {accelerators:,} accelerators of {pool_name} no time to train")
        return Kept(expected, "expected", expected)

    def _expected(
        self, job: TrainingJob, pool_name: str, accelerators: int, step_s: float, layout: Layout | None
    ) -> float | None:
        pool = self.system.pools[pool_name]
        if pool.reliability is None:
            return None
        laid_out = layout or Layout(dp=accelerators)
        replica = (laid_out.tp, laid_out.pp, laid_out.cp) if job.recovery.mode != "restart" else ()
        key = (job.model, job.optimizer, job.recovery, job.steps, pool_name, accelerators, step_s, replica)
        if key not in self._known:
            node = catalog.node_of(pool)
            nodes = math.ceil(accelerators / node.num_accelerators) + pool.spares // node.num_accelerators
            with at_key(f"pools.{pool_name}"):
                breakable = breakable_of_job(pool.reliability, pool, node, nodes)
            self._known[key] = goodput_of_job(
                job, self.models[job.model], pool, self.clusters[pool_name], node, laid_out, step_s, breakable,
                _seconds(job, step_s),
            ).ettr  # fmt: skip
        return self._known[key]


def _seconds(job: TrainingJob, step_s: float) -> float:
    """Productive time of the job; a year where it is not known."""
    return YEAR_S if job.steps is None or not step_s else job.steps * step_s
