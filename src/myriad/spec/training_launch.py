"""What starts a planned training job: its software, the scheduler of its pool, and what the plan promises of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from myriad.spec.base import Bytes, Count, CountOrZero, Seconds, Spec
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout
from myriad.spec.model import Model
from myriad.spec.serving_launch import Name

TrainingFramework = Literal["megatron-lm", "torchtitan", "megatron-bridge", "deepspeed", "reference"]
"""Software that jobs are rendered for; `reference` is `myriad.trainer`, on FSDP2 and torchrun."""


Difference = Literal[
    "value-width", "sinks", "window", "chunks", "output-gate", "bias", "qk-norm", "sparse-attention", "router-bias",
    "router-groups", "shared-gate", "prediction-depths", "prediction-block", "post-norms", "norm",
]  # fmt: skip
"""A part of a model that a framework may not have."""


class JobLaunch(Spec):
    """How one job is started, beside its plan: `jobs.X.launch` of a system file."""

    framework: str | None = None
    """One of `TrainingFramework`, or one release of it: `torchtitan@0.2.2`. `None`: that of the job's `stack`."""
    data: str | None = None
    """Data set as the framework takes it: for Megatron, names of indexed data, each with its weight before it or all
    without, those with spaces in quotes; the reference trainer takes a text file, or a text of its own without one."""
    tokenizer: str | None = None
    folder: str = "runs"
    """Where runs keep their files, checkpoints among them; every node and the supervisor must see it."""
    script: str | None = None
    """Training script, for frameworks that have none of their own (DeepSpeed)."""
    image: str | None = None
    """Container image; schedulers that need one refuse to guess."""
    environment: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str] = Field(default={})
    """Beside what the plan sets, and in place of it where both set one."""
    arguments: tuple[str, ...] = ()
    """More arguments of the framework, as they stand."""
    differences: tuple[Difference, ...] = ()
    """Parts of the model that may be left out where the framework does not have them; without, it is refused."""


class SlurmScheduler(Spec):
    """A Slurm cluster."""

    kind: Literal["slurm"] = "slurm"
    version: str = "22.05"
    """Release: options that it does not know are refused."""
    topology: Literal["tree", "block", "none"] = "tree"
    """How it knows the network: `topology/tree`, `topology/block`, or not at all."""
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    reservation: str | None = None
    constraint: str | None = None
    time_limit: Seconds | None = None
    """Of one submission; the job is requeued when it ends."""
    gres: str = "gpu"
    """Name under which nodes offer accelerators; empty where they offer none."""
    container: Literal["none", "pyxis"] = "none"
    mounts: tuple[str, ...] = ()
    """What the container sees beside the folder of the run: `/data`, or `/here:/there`."""


class KubernetesScheduler(Spec):
    """A Kubernetes cluster."""

    kind: Literal["kubernetes"] = "kubernetes"
    api: Literal["jobset", "trainjob"] = "jobset"
    namespace: str = "default"
    queue: str | None = None
    """Kueue's LocalQueue; without one nothing waits for quota or topology."""
    topology: tuple[str, ...] = ()
    """Labels of nodes from the widest group to the narrowest, as Kueue's Topology lists them."""
    kueue: str = "0.13"
    """Its release: what it does not know of topology is not asked of it."""
    runtime: str = "torch-distributed"
    """Kubeflow's ClusterTrainingRuntime, for `trainjob`."""
    host_network: bool = False
    """Whether pods use the network of their node, as some RDMA cards ask for."""
    gpu_resource: str = "nvidia.com/gpu"
    resources: dict[str, Count] = Field(default={})
    node_selector: dict[str, str] = Field(default={})
    volume_claim: str | None = None
    """PersistentVolumeClaim mounted as the run folder."""
    volumes: dict[str, str] = Field(default={})
    """Further claims by the folder in which pods see each: `/data: datasets`."""
    tolerations: tuple[str, ...] = ()
    """Keys of taints, such as `nvidia.com/gpu`, on whose nodes pods may lie."""
    shared_memory: Bytes = 64 * 2.0**30


class RayScheduler(Spec):
    """A Ray cluster."""

    kind: Literal["ray"] = "ray"
    address: str | None = None
    """Of its job server, `http://head:8265`; `None`: as RAY_ADDRESS says."""
    resource: str = "GPU"
    """Name under which nodes offer accelerators."""


class HostsScheduler(Spec):
    """Machines reached by ssh, without a scheduler."""

    kind: Literal["hosts"] = "hosts"
    hosts: tuple[str, ...] = ()
    """Names, the first of which ranks meet at; spares last."""
    user: str | None = None
    port: Annotated[int, Field(ge=1, le=65_516)] = 29500
    """The first of twenty that ranks meet at, each submission at another."""


class LocalScheduler(Spec):
    """The machine at hand."""

    kind: Literal["local"] = "local"


Scheduler = Annotated[
    SlurmScheduler | KubernetesScheduler | RayScheduler | HostsScheduler | LocalScheduler, Field(discriminator="kind")
]

SCHEDULERS: tuple[str, ...] = ("local", "slurm", "kubernetes", "ray", "hosts")


class Promise(Spec):
    """What the plan says about a run, to be held against it."""

    step_s: float
    step_low_s: float | None = None
    """Of the estimate's own band; `None` where it states none."""
    step_high_s: float | None = None
    tokens_per_step: float
    model_flops_per_token: float
    peak_flops_per_s: float
    """Of one accelerator: what MFU divides by."""
    memory_peak_bytes: float
    mfu: float
    ettr: float | None = None
    """Share of the wall time that trains; `None` where the pool does not say how it breaks."""
    ledger: dict[str, float] = Field(default={})
    """Share of the wall time by category, as simulations name them, where it is expected."""
    mean_time_to_interruption_s: float | None = None
    checkpoint_interval_s: float | None = None
    checkpoint_blocking_s: float | None = None
    restart_s: float | None = None
    """From the decision to restart to the first step."""
    wall_s: float | None = None
    """From start to end, failures included."""
    usd_per_day: float | None = None


class TrainingLaunch(Spec):
    """A planned job with everything looked up: what frameworks and schedulers are rendered from."""

    name: Name
    """Of the run, on every scheduler."""
    system: str
    job: str
    pool: str
    model_id: str
    """Catalog id or name in the system file."""
    model: Model
    """As it is trained: with the prediction depths of the job."""
    layout: Layout
    work: TrainingWork
    steps: Count
    accelerator: str
    """Catalog id."""
    device: Literal["cuda", "cpu"] = "cuda"
    """What PyTorch calls the accelerators; `cpu` where ranks run on processor cores."""
    node: str
    """Catalog id."""
    gpus_per_node: Count
    """Ranks on each node."""
    nodes: Count
    spare_nodes: CountOrZero = 0
    """Hot spares that the job holds beside them; those that have to boot first stay with the pool."""
    nodes_per_group: tuple[int, ...] = ()
    """Nodes that are joined more closely, nearest first: by scale-up links, a leaf or a rail group, a pod, a site.
    Empty where nothing is known of the network."""
    checkpoint_interval_s: float | None = None
    """`None`: where nobody says how the pool breaks; renderers then take half an hour and say so."""
    checkpoint_asynchronous: bool = True
    elastic: bool = False
    """Whether it may go on with fewer replicas."""
    launch: JobLaunch = JobLaunch()
    scheduler: Scheduler
    promise: Promise

    @property
    def world_size(self) -> int:
        return self.layout.world_size
