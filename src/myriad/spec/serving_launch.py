"""What starts a deployment, beside the deployment itself: checkpoint, cluster and the server's switches."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from myriad.spec.base import Bytes, Count, Seconds, Spec
from myriad.spec.serving import Deployment, ServingPrecision

LONGEST_NAME = 40
"""Kubernetes allows 63 characters; the names of pods add a role and two numbers."""


def _service_name(text: str) -> str:
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", text) or len(text) > LONGEST_NAME:
        raise ValueError(f"expected lower-case letters, digits and hyphens, a letter first, at most {LONGEST_NAME}")
    return text


Name = Annotated[str, AfterValidator(_service_name)]
"""What Kubernetes takes as the name of a service."""


class Checkpoint(Spec):
    """The weights that are served."""

    path: str = Field(min_length=1)
    """Folder, or name on a hub, as the engine takes it."""
    precision: ServingPrecision | None = None
    """What its weights are stored in; `None`: as the deployment's work says, so that nothing is converted."""
    draft: str | None = None
    """Folder or name of the drafting model, for speculation by EAGLE or by a draft model."""
    trust_remote_code: bool = False
    """Whether code that comes with the checkpoint may run."""


class Server(Spec):
    """Switches of the server that the deployment leaves open."""

    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    max_context_tokens: Count | None = None
    """Most tokens of one request, prompt and answer; `None`: what the checkpoint allows."""
    prefix_caching: bool = True
    chunked_prefill: bool = True
    cuda_graphs: bool = True
    expert_dispatch: Literal["engine", "deepep"] = "engine"
    """How tokens travel to experts on other accelerators: as the engine does by itself, or by DeepEP, which has to be
    in the image."""


class ServingCluster(Spec):
    """The Kubernetes cluster that runs it."""

    namespace: str = "default"
    gpus_per_node: Count = 8
    gpu_resource: str = "nvidia.com/gpu"
    """Name under which nodes offer accelerators."""
    resources: dict[str, Count] = Field(default={})
    """What each server asks for beside accelerators, such as network cards."""
    node_selector: dict[str, str] = Field(default={})
    image: str | None = None
    """Container image of the engine; `None`: the one that its makers publish for the release."""
    router_image: str | None = None
    """Container image of the router between prefill and decode; it has to hold the router's package."""
    environment: dict[str, str] = Field(default={})
    shared_memory: Bytes = 16 * 2.0**30
    """Size of /dev/shm, which the processes of a server talk through."""
    start_limit: Seconds = 3600.0
    """Time that loading may take before a server counts as failed."""


class ServingLaunch(Spec):
    """A deployment, and what it needs to be started."""

    name: Name
    """Of the model as clients ask for it, and of all that is made in the cluster."""
    deployment: Deployment
    checkpoint: Checkpoint
    server: Server = Server()
    cluster: ServingCluster = ServingCluster()
