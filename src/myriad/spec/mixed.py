"""Mixed pools: one training job over several pools that a long link joins. What is asked, and what comes out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from myriad.spec.base import BytesPerS, Metres, Spec
from myriad.spec.fibre import FibreKind
from myriad.spec.layout import Layout

Join = Literal["data", "pipeline"]


class LongLink(Spec):
    """What joins the pools: one link between every two neighbours, as between `Sites` of one pool."""

    distance: Metres
    """Fibre between two neighbouring pools."""
    bandwidth: BytesPerS
    """Between two neighbouring pools, one way, over all fibres."""
    fibre: FibreKind = "single-mode"
    """`hollow-core` takes about 30 % less time over the distance."""


class Mix(Spec):
    """Pools of a system file that one job may use together."""

    pools: tuple[str, ...] = Field(min_length=2, max_length=8)
    """The pools, in the order of a chain in which each is joined to the next."""
    link: LongLink
    join: Literal["data", "pipeline", "best"] = "best"
    """`data`: every pool holds whole replicas. `pipeline`: the first stages lie in one of two pools, the last in the
    other. `best`: whichever takes the shorter step."""

    @model_validator(mode="after")
    def _different_pools(self) -> Mix:
        if len(set(self.pools)) < len(self.pools):
            raise ValueError("pools: each may be named once")
        if self.join == "pipeline" and len(self.pools) != 2:
            raise ValueError(f"join: a pipeline joins two pools, found {len(self.pools)}")
        return self


class PoolAlone(Spec):
    """The job on one of the pools, without the others: what a mix is held against."""

    pool: str
    num_gpus: int = 0
    layout: Layout | None = None
    step_s: float | None = None
    tokens_per_s: float | None = None
    reason: str = ""
    """Why the pool cannot do the job alone."""


class MixPart(Spec):
    """What one pool does in a mix. `busy_s`, `cross_exposed_s` and `idle_s` sum to the step."""

    pool: str
    num_gpus: int
    layout: Layout
    """Of a pipeline: the whole one; the pool holds `stages` of its `pp`."""
    stages: int
    layers: int
    sequences: int
    """Per step; all of the batch in a pipeline."""
    num_micro_batches: int
    share: float
    """Of the batch that the pool trains, or in a pipeline of the layers that it holds."""
    busy_s: float
    """Step time of the pool for its share as if it were alone, or in a pipeline the passes of its slowest stage."""
    cross_exposed_s: float
    """Communication with the other pools that nothing hides; in a pipeline it is part of the wait."""
    cross_hidden_s: float
    idle_s: float
    """Waiting for the other pools; in a pipeline also the ramp, gradients, optimizer and overhead."""
    time_parts_s: dict[str, float]
    """By `TIME_PARTS`, what `busy_s` is made of."""
    memory_peak_bytes: float
    memory_capacity_bytes: float


class MixedEstimate(Spec):
    """One job over several pools at once, joined one way."""

    join: Join
    parts: tuple[MixPart, ...]
    """Data: as named. Pipeline: the pool of the first stages first."""
    step_s: float
    tokens_per_step: float
    tokens_per_s: float
    bound_tokens_per_s: float
    """No layout of the search, division or link can be above: see `estimate.mixed`."""
    time_parts_s: dict[str, float]
    """By `TIME_PARTS`, of the slowest pool; they sum to `step_s`. Traffic between pools counts as `dp_comm` or
    `pp_comm`."""
    cross_bytes: float
    """That the busiest long link carries one way per step."""
    cross_s: float
    """What that takes, hidden or not."""
    extra_micro_batches: int = 0
    """Pipeline: further micro-batches that the first stages keep in flight so that distance costs no pace."""
    tried: int
    """Combinations of layouts whose step time was computed."""
    best_alone: str = ""
    """The pool that is fastest alone; empty if none can do the job."""
    gain_fraction: float | None = None
    """Tokens per second over those of that pool, less one."""

    @property
    def num_gpus(self) -> int:
        return sum(part.num_gpus for part in self.parts)

    @property
    def of_bound(self) -> float:
        """Tokens per second over the bound."""
        return self.tokens_per_s / self.bound_tokens_per_s


class MixResult(Spec):
    """Everything that `myriad mix` answers."""

    link: LongLink
    alone: tuple[PoolAlone, ...]
    joined: tuple[MixedEstimate, ...] = Field(min_length=1)
    """The joins that can be had, the faster first."""
    impossible: dict[Join, str] = Field(default_factory=dict)
    """Join -> why it cannot be had."""
    caveats: tuple[str, ...] = ()

    @property
    def best(self) -> MixedEstimate:
        """The join with the shortest step."""
        return self.joined[0]
