"""What the renderers of all engines share: the command of one kind of replica, and how it lies on nodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from myriad.errors import SpecError
from myriad.spec.serving import Deployment, Replicas, ServingPrecision, Speculation
from myriad.spec.serving_launch import Checkpoint, ServingLaunch

Role = Literal["serve", "prefill", "decode"]

LEADER_ADDRESS: Final = "{LEADER_ADDRESS}"
NODE_RANK: Final = "{NODE_RANK}"
OWN_ADDRESS: Final = "{OWN_ADDRESS}"
"""Places in a command that only the node that runs it can fill: the address of the first node of its replica, its own
number in the replica, and its own address."""

KV_PORT: Final = 5600
"""Where vLLM's NIXL connector agrees on transfers, and SGLang's servers introduce themselves."""
RENDEZVOUS_PORT: Final = 20000


@dataclass(frozen=True)
class Command:
    """What runs on the nodes of one kind of replica."""

    role: Role
    replicas: Replicas
    nodes: int
    """Of one replica."""
    words: tuple[str, ...]
    """On a replica's first node, which answers requests."""
    other_words: tuple[str, ...] = ()
    """On its other nodes."""
    environment: dict[str, str] = field(default_factory=dict)
    options: tuple[str, str] | None = None
    """Name and text of a file that the command reads from `OPTIONS_FOLDER`."""

    @property
    def gpus_per_node(self) -> int:
        """Accelerators of one replica on each of its nodes."""
        return self.replicas.layout.gpus // self.nodes


OPTIONS_FOLDER: Final = "/etc/myriad"


def parts_of(deployment: Deployment) -> tuple[tuple[Role, Replicas], ...]:
    """The kinds of replicas, in the order that requests meet them. Raises SpecError where they do not go together."""
    if deployment.prefill is None:
        return (("serve", deployment.replicas),)
    mine, theirs = deployment.replicas.work, deployment.prefill.work
    for what in ("engine", "kv_precision"):
        if getattr(mine, what) != getattr(theirs, what):
            raise SpecError(
                f"deployment.prefill.work.{what}: found {getattr(theirs, what)!r}, the replicas that decode have "
                f"{getattr(mine, what)!r}: they could not read its cache"
            )
    return (("prefill", deployment.prefill), ("decode", deployment.replicas))


def nodes_of(replicas: Replicas, gpus_per_node: int) -> int:
    """Nodes that one replica takes, as few as hold equal parts of it.

    Raises SpecError if a copy of attention would lie across nodes unevenly.
    """
    layout = replicas.layout
    least = -(-layout.gpus // gpus_per_node)
    nodes = next(count for count in range(least, layout.gpus + 1) if layout.gpus % count == 0)
    here, copy = layout.gpus // nodes, layout.tp * layout.pp
    if here % copy and copy % here:
        raise SpecError(
            f"layout {layout.text()}: {layout.gpus} accelerators lie {here} to a node, across which copies of {copy} "
            "accelerators cannot be cut evenly"
        )
    return nodes


def check_experts(replicas: Replicas, experts: bool, model: str) -> None:
    """Raises SpecError for experts spread where the model has none."""
    if replicas.layout.ep > 1 and not experts:
        raise SpecError(f"layout.ep: found {replicas.layout.ep}, but {model} has no experts to spread")


def converted(launch: ServingLaunch, replicas: Replicas, release: str) -> bool:
    """Whether weights are turned into FP8 while they load; what else the plan needs, the checkpoint must hold.

    Raises SpecError where the checkpoint holds neither the plan's precision nor 16-bit weights for an FP8 plan.
    """
    planned, stored = replicas.work.precision, launch.checkpoint.precision
    if stored is None or stored == planned:
        return False
    sixteen: tuple[ServingPrecision, ...] = ("bf16", "fp16")
    if stored in sixteen and planned in sixteen:
        return False
    if stored in sixteen and planned == "fp8":
        return True
    raise SpecError(
        f"checkpoint.precision: found {stored!r}, the deployment is planned in {planned!r}: {release} is asked to "
        "convert 16-bit weights to fp8 only; give a checkpoint that holds the plan's precision"
    )


DTYPES: Final[dict[ServingPrecision, str]] = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
"""Names of the precisions that are no quantisation; of all others the checkpoint itself tells the engine."""


def draft_of(checkpoint: Checkpoint, speculation: Speculation) -> str:
    """The checkpoint that drafts. Raises SpecError where the method needs one and none is named."""
    if checkpoint.draft is None:
        raise SpecError(f"checkpoint.draft: missing; speculation by {speculation.method} needs the model that drafts")
    return checkpoint.draft


def is_eagle3(draft: str) -> bool:
    """Whether a drafting head is of EAGLE's third kind, which its name tells, to engines too."""
    return "eagle3" in draft.lower().replace("-", "").replace("_", "")
