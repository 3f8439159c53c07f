"""Results. Each total keeps its parts, so that it can be opened; `report` needs nothing else."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from myriad.spec.base import Spec
from myriad.spec.fabric_plan import PoolFabric
from myriad.spec.layout import Layout
from myriad.spec.mixed import MixResult
from myriad.spec.money import CostLine
from myriad.spec.service_result import ServicePlan
from myriad.spec.system import System
from myriad.spec.timeline import StepTimeline

TIME_PARTS = (
    "gemm", "expert_gemm", "attention", "recurrent", "memory_bound", "embedding_loss", "recompute", "host",
    "tp_comm", "cp_comm", "ep_comm", "pp_comm", "dp_comm", "bubble", "optimizer", "overhead",
)  # fmt: skip
"""Parts of a step time, in the order of reports. Communication is the exposed part only."""

MEMORY_PARTS = (
    "weights", "gradients", "optimizer", "activations", "logits", "buffers", "reserved", "fragmentation",
)  # fmt: skip


COMPUTED_FLOPS = "computed"
"""Model FLOPs as the estimate's own operations add up: equal to `megatron-causal` but for Mamba layers."""


class OperationTime(Spec):
    """One kind of operation of one training step on one accelerator of the slowest stage."""

    name: str
    part: str
    """Key of `TIME_PARTS` that it counts under."""
    shape: str
    """Readable sizes, for example `m 8192, n 14336, k 4096`."""
    calls_per_step: float
    flops: float
    """FLOPs per call: forward, backward (twice the forward) and, where recomputed, forward again."""
    bytes: float
    """Bytes read and written per call of the forward pass."""
    seconds_per_step: float


class StageLoad(Spec):
    """What lies on one pipeline stage, and how long one micro-batch takes there."""

    stage: int
    chunks: tuple[int, ...]
    """Layers of each of its chunks."""
    layers: dict[str, int]
    """Block kind -> layers, without prediction depths."""
    prediction_depths: int
    micro_batch_s: float
    """Forward and backward pass; under DualPipe the mean of what takes the stage and what takes its mirror."""


class StageMemory(Spec):
    """Memory of one accelerator of one pipeline stage."""

    stage: int
    parts_bytes: dict[str, float]
    total_bytes: float


BandBasis = Literal["known", "unknown stack", "unknown accelerator", "unknown both"]
"""Whether measured runs on the accelerator and of the software were there to fit."""


class Band(Spec):
    """Where the measured step time lies, for so large a share of runs that nothing was fitted to."""

    share: float
    low_step_s: float
    high_step_s: float
    basis: BandBasis


class TrainingEstimate(Spec):
    """One layout of one job on one cluster: time, memory, rates."""

    layout: Layout
    world_size: int
    step_s: float
    time_parts_s: dict[str, float]
    """By `TIME_PARTS`; sums to `step_s`."""
    timeline_step_s: float | None = None
    """The step with its micro-batches timed operation by operation, in place of the closed forms of bubble and
    transfers, which are exact for equal chunks only; `None` for one stage, and where nobody looked."""
    hidden_comm_s: dict[str, float]
    """Communication that overlaps with compute, by kind; not part of `step_s`."""
    tokens_per_step: float
    tokens_per_s: float
    tokens_per_s_per_gpu: float
    flops_definition: str = COMPUTED_FLOPS
    """What model FLOPs and MFU count: the operations as computed, or a key of `estimate.flops.DEFINITIONS`."""
    model_flops_per_token: float
    hardware_flops_per_token: float
    """Model FLOPs and recomputation."""
    mfu: float
    hfu: float
    peak_flops_per_s: float
    """Dense datasheet rate of the job's precision that MFU and HFU divide by."""
    stages: tuple[StageLoad, ...] = ()
    memory: tuple[StageMemory, ...]
    memory_capacity_bytes: float
    memory_peak_bytes: float
    fits: bool
    num_micro_batches: int
    runs_on: dict[str, str]
    """Framework -> empty text if it can run the layout, else the rule that it violates."""
    band: Band | None = None
    """Around `step_s`; estimates inside a search have none."""
    caveats: tuple[str, ...] = ()
    """Where the estimate leaves the domain that it was checked on."""
    lower_bound_s: float
    """Roofline: hardware FLOPs at the datasheet rate, nothing else."""

    @property
    def headroom_bytes(self) -> float:
        return self.memory_capacity_bytes - self.memory_peak_bytes


class BestSplit(Spec):
    """The best split of the layers of one layout over its pipeline stages."""

    layout: Layout
    """With the split; without one if the software's own rule is as good."""
    step_s: float
    own_step_s: float | None
    """By the software's own rule; `None` if the layout does not fit so."""
    gap_fraction: float
    """How far the slowest stage may be above the least possible, as a share of it; 0 is proven to be the best."""


class RankedLayout(Spec):
    """A layout in a search's table."""

    rank: int
    layout: Layout
    step_s: float
    tokens_per_s_per_gpu: float
    mfu: float
    memory_peak_bytes: float
    num_gpus: int
    cost_usd: float | None = None
    """Of the whole job, where its tokens and the pool's terms are known."""
    time_parts_s: dict[str, float]
    runs_on: dict[str, str]
    split_gain_fraction: float | None = None
    """Share of the step that the split saves over the software's own rule; `None` without a split, or where the layout
    does not fit without it."""
    split_gap_fraction: float | None = None
    """How far the slowest stage may be above that of the best split, as a share of it; `None` without a split."""
    loses_by: str
    """Why it is behind the best: the parts that cost it most, as keys of `TIME_PARTS` with seconds."""


class SearchResult(Spec):
    """What a search looked at and what it found."""

    layouts_enumerated: int
    layouts_evaluated: int
    """Layouts whose whole time and memory breakdown was computed."""
    layouts_fitting: int
    layouts_split: int = 0
    """Layouts for which the best split of layers over stages was searched too."""
    rejected: dict[str, int]
    """Reason -> count."""
    search_s: float
    layouts_per_s: float
    objective: Literal["time", "cost", "gpus"]
    best: TrainingEstimate
    ranked: tuple[RankedLayout, ...]
    pareto: tuple[RankedLayout, ...]
    """Not beaten in step time, memory and GPUs at once."""


class Sensitivity(Spec):
    """What more of one resource would buy for the chosen layout."""

    resource: str
    """One of matrix_rate, memory_bandwidth, memory_capacity, scale_up, scale_out, gpus, latency."""
    change_fraction: float
    step_s: float
    gain_fraction: float
    """Share of the step time saved; for gpus, of the days."""


GoodputSource = Literal["given", "expected", "none"]
"""Where a goodput is from: the file, the closed form over the failures of the pool, or nobody: then all time trains."""


class JobOnPool(Spec):
    """One job planned on one pool, or on several together."""

    pool: str
    """Of a mix: the names of its pools, joined by ` + `."""
    feasible: bool
    reason: str = ""
    """Why it is not feasible."""
    num_gpus: int = 0
    estimate: TrainingEstimate | None = None
    search: SearchResult | None = None
    mix: MixResult | None = None
    """In place of estimate and search where several pools do the job together."""
    goodput: float | None = None
    """Share of the time that trains, by which days, energy and money are longer; `None` where there are none."""
    goodput_from: GoodputSource = "none"
    expected_goodput: float | None = None
    """What failures are expected to leave, where the pool says how it breaks; also where its goodput is given."""
    steps: float | None = None
    days: float | None = None
    deadline_days: float | None = None
    meets_deadline: bool | None = None
    gpu_hours: float | None = None
    energy_joules: float | None = None
    costs: tuple[CostLine, ...] = ()
    cost_usd: float | None = None
    missing: tuple[str, ...] = ()
    """Figures that the file or catalog lacks, and what could not be said without them."""

    @property
    def step_s(self) -> float | None:
        """Step time on the pool or on the mix; `None` where there is no estimate."""
        if self.mix is not None:
            return self.mix.best.step_s
        return self.estimate.step_s if self.estimate is not None else None


class Comparison(Spec):
    """A given layout beside the search's best."""

    layout: Layout
    source: str
    estimate: TrainingEstimate
    rank: int | None
    """Rank among all fitting layouts of its GPU count; `None` if it does not fit."""
    of: int
    slower_fraction: float
    """Step time over the best's, less one."""


class JobPlan(Spec):
    """One job: the chosen pool, and the others beside it."""

    name: str
    model: str
    model_name: str
    total_parameters: float
    active_parameters: float
    tokens: float | None
    seq_len: int
    global_batch: int
    precision: str
    stack: str
    chosen: JobOnPool | None
    others: tuple[JobOnPool, ...]
    comparison: Comparison | None = None
    sensitivity: tuple[Sensitivity, ...] = ()
    timeline: StepTimeline | None = None
    """Of the chosen layout where it has several stages and its schedule exists; of a long step, parts."""
    caveats: tuple[str, ...] = ()


class SourcedFigure(Spec):
    """One figure that the plan used and where it comes from."""

    entry: str
    """Catalog id, or `this file`."""
    figure: str
    value: str
    kind: Literal["datasheet", "measured", "published", "derived", "assumed", "fitted", "given"]
    source: str
    note: str = ""


class Plan(Spec):
    """Everything that `myriad plan` answers."""

    format: Literal["myriad-plan-1"] = "myriad-plan-1"
    system: str
    description: str
    version: str
    currency: str
    usd_per_currency: float
    pools: dict[str, str]
    """Pool -> one line: accelerators, node, network."""
    fabrics: dict[str, PoolFabric] = Field(default_factory=dict)
    """Pool -> its fabric, for pools whose file names one."""
    services: tuple[ServicePlan, ...] = ()
    jobs: tuple[JobPlan, ...]
    for_jobs: dict[str, int] = Field(default_factory=dict)
    """Pool -> accelerators that services leave; pools that they do not use are left out."""
    total_cost_usd: float | None
    """Of all jobs."""
    services_usd_per_year: float | None = None
    """Of all services."""
    warnings: tuple[str, ...]
    sources: tuple[SourcedFigure, ...]
    plan_s: float
    """Wall time of the planning."""
    described: System | None = None
    """What was planned, whole, so that a plan can be launched without its files; `None` in older plans."""
