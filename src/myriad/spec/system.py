"""The system file: everything that one plan needs, in one place.

`pools`, `models`, `jobs` and `services` are read today. Device fleets and budgets get sections of their own beside
them; nothing in the sections here will have to move.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from myriad.errors import unknown_name
from myriad.spec.base import BytesPerS, Count, CountOrZero, Fraction, Seconds, Spec, Tokens, Watts
from myriad.spec.calibration import Precision, Switch
from myriad.spec.cluster import Sites
from myriad.spec.fabric import Fabric
from myriad.spec.job import Optimizer
from myriad.spec.layout import Layout
from myriad.spec.life import Life
from myriad.spec.mixed import Mix
from myriad.spec.model import Model
from myriad.spec.money import Amount, PerGpu, PerGpuSecond, PerJoule
from myriad.spec.recovery import Recovery, Storage
from myriad.spec.reliability import Reliability
from myriad.spec.service import Service
from myriad.spec.training_launch import JobLaunch, Scheduler
from myriad.units import CURRENCIES

MEMORY_HEADROOM = 0.05
"""Share of the memory that searches leave free unless told otherwise."""


class Owned(Spec):
    """Money for accelerators of one's own: bought once, written off, powered."""

    kind: Literal["owned"] = "owned"
    price_per_gpu: PerGpu
    """Everything bought per accelerator: node, network, storage, site share."""
    lifetime: Seconds
    """Years over which the price is written off, straight line."""
    electricity: PerJoule
    pue: float = Field(default=1.3, ge=1)
    """Power drawn by the site over power drawn by the machines."""
    operations_fraction_per_year: Fraction = 0.0
    """Staff, spares and maintenance per year as a share of the price."""


class Rented(Spec):
    """Money for accelerators rented by the hour, under a cap per year."""

    kind: Literal["rented"] = "rented"
    price: PerGpuSecond
    yearly_cap: Amount | None = None


Terms = Annotated[Owned | Rented, Field(discriminator="kind")]


class Pool(Spec):
    """Equal accelerators in one place, owned or rented."""

    node: str | None = None
    """Catalog node; or give `accelerator` and take its usual node."""
    accelerator: str | None = None
    count: Count
    terms: Terms | None = None
    """Without terms the plan gives time and energy, and says that money is missing."""
    scale_out_bandwidth: BytesPerS | None = None
    """Network bandwidth per accelerator, one way, where it is not the node's own."""
    scale_up_bandwidth: BytesPerS | None = None
    fabric: str | Fabric | None = None
    """The network between the hosts, of each site where there are several: a catalog fabric, or written out. Without
    it every accelerator keeps its bandwidth to all others."""
    power_per_gpu: Watts | None = None
    goodput: Annotated[Fraction, Field(gt=0)] | None = None
    """Share of the time that trains, after failures, restarts and checkpoints. Without it the expected one counts
    where `reliability` is given, else 1."""
    sites: Sites | None = None
    reliability: str | Reliability | None = None
    """How it breaks: a catalog entry, the file of one (`myriad reliability fit` writes it), or written out."""
    spares: CountOrZero = 0
    """Accelerators that no job or service is planned on; they stand in for broken ones."""
    repair_crews: Count | None = None
    """Repairs at a time; without it each begins at once."""
    storage: Storage | None = None
    """Where checkpoints go."""
    life: Life = Life()
    scheduler: Scheduler | None = None
    """What starts jobs there; `myriad launch --on` names another."""
    note: str = ""

    @model_validator(mode="after")
    def _one_of(self) -> Pool:
        if (self.node is None) == (self.accelerator is None):
            raise ValueError("give either node or accelerator")
        return self

    @model_validator(mode="after")
    def _spares_leave_some(self) -> Pool:
        if self.spares >= self.count:
            raise ValueError(f"spares: {self.spares} of {self.count} accelerators leave none to plan on")
        return self

    @property
    def planned(self) -> int:
        """Accelerators that jobs and services are planned on: all but the spares."""
        return self.count - self.spares


class TrainingJob(Spec):
    """A model to be trained on so many tokens."""

    model: str
    """A name from `models` of this file, or a catalog id."""
    pools: tuple[str, ...] = ()
    """Pools it may use, each tried alone; empty means all."""
    tokens: Tokens | None = None
    deadline: Seconds | None = None
    """Time allowed from start to end."""
    seq_len: Count
    global_batch: Count
    """Sequences per step."""
    precision: Precision = "bf16"
    optimizer: Optimizer = Optimizer()
    stack: str = "megatron-core"
    """Training software of the catalog, or one release of it: `nemo@25.02`."""
    switches: tuple[Switch, ...] = ()
    """What of the software is turned on that is off by default, `[compile]` for example."""
    expert_imbalance: float = Field(default=1.0, ge=1)
    objective: Literal["time", "cost", "gpus"] = "time"
    """What layouts are ranked by: the shortest step, or the fewest accelerator-seconds or accelerators in time."""
    memory_headroom: Fraction = MEMORY_HEADROOM
    """Share of the memory that a searched layout must leave free, since estimates of memory err."""
    mtp_depths: CountOrZero | None = None
    """Multi-token-prediction depths that are trained, where fewer than the model has."""
    max_gpus: Count | None = None
    layout: Layout | None = None
    """Fixes the layout: it is judged, not searched."""
    compare_with: Layout | None = None
    """A published or present layout, ranked beside the search's own."""
    compare_with_source: str = ""
    recovery: Recovery = Recovery()
    """What it does about failures, where its pool says how it breaks."""
    mix: Mix | None = None
    """Pools that it may use together, as one more candidate beside each of its `pools` alone; layouts of a mix are
    searched for the shortest step."""
    launch: JobLaunch = JobLaunch()
    """What starting it needs beside its plan."""
    note: str = ""

    @property
    def steps(self) -> float | None:
        """Optimizer steps until all tokens are trained on; `None` without tokens."""
        return None if self.tokens is None else self.tokens / (float(self.global_batch) * self.seq_len)

    @model_validator(mode="after")
    def _mixes_are_searched(self) -> TrainingJob:
        for name, given in (("layout", self.layout), ("max_gpus", self.max_gpus)):
            if self.mix is not None and given is not None:
                raise ValueError(f"mix: searches its layouts on whole pools; leave out mix or {name}")
        return self


class System(Spec):
    """The whole file."""

    myriad: Literal[1]
    """Version of the file format."""
    name: str
    description: str = ""
    include: tuple[str, ...] = ()
    """Files merged before this one, relative to it."""
    currency: str = "USD"
    """Currency of the report."""
    exchange_rates: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """US dollars per unit of each currency; the catalog's dated rates fill in what is missing."""
    pools: dict[str, Pool] = Field(min_length=1)
    models: dict[str, str | Model] = Field(default_factory=dict)
    """Own names for catalog ids, or models written out."""
    jobs: dict[str, TrainingJob] = Field(default_factory=dict)
    services: dict[str, Service] = Field(default_factory=dict)
    """They take their accelerators first, in the order of the file; jobs get what is left."""

    @model_validator(mode="after")
    def _money_is_known(self) -> System:
        for key, name in (("currency", self.currency), *(("exchange_rates", name) for name in self.exchange_rates)):
            if name not in CURRENCIES:
                raise ValueError(f"{key}: {unknown_name('currency', name, CURRENCIES)}")
        return self

    @model_validator(mode="after")
    def _asks_for_something(self) -> System:
        if not self.jobs and not self.services:
            raise ValueError("give jobs, services or both")
        return self

    @model_validator(mode="after")
    def _pools_exist(self) -> System:
        for name, job in self.jobs.items():
            mixed = job.mix.pools if job.mix is not None else ()
            for key, pool in (*(("pools", p) for p in job.pools), *(("mix.pools", p) for p in mixed)):
                if pool not in self.pools:
                    raise ValueError(f"jobs.{name}.{key}: {unknown_name('pool', pool, self.pools)}")
        for name, service in self.services.items():
            for pool in service.pools:
                if pool not in self.pools:
                    raise ValueError(f"services.{name}.pools: {unknown_name('pool', pool, self.pools)}")
        return self
