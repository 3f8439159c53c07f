"""From a deployment to the files that start it."""

from __future__ import annotations

import re
from pathlib import Path

from myriad import catalog
from myriad.errors import MissingDataError, SpecError
from myriad.launch.files import File
from myriad.launch.serving import render
from myriad.spec.serving import Deployment
from myriad.spec.serving_launch import Checkpoint, Server, ServingLaunch


def launch_files(launch: ServingLaunch | Path) -> tuple[File, ...]:
    """The files that start a deployment, as text: scripts, options, a Kubernetes manifest. Writes nothing.

    Raises SpecError for what the file, the catalog or the release of the engine does not know.
    """
    read = catalog.read_spec(launch, ServingLaunch) if isinstance(launch, Path) else launch
    try:
        return render(read, catalog.engine_flags, has_experts(read))
    except (SpecError, MissingDataError) as error:
        raise type(error)(catalog.located(launch, str(error)) if isinstance(launch, Path) else str(error)) from None


def launch_of(deployment: Deployment, max_context_tokens: int | None = None) -> ServingLaunch:
    """What `launch_files` takes, of a deployment that was planned: its checkpoint is the model's name on its hub.

    The name on the hub is the first of the model's other names that has an owner; without one it is the catalog's. All
    else is what a cluster usually has; the makers' checkpoint may store its weights otherwise than planned.
    """
    entry = catalog.entry("models", deployment.model)
    path = next((alias for alias in entry.aliases if "/" in alias), entry.id)
    return ServingLaunch(
        name=re.sub(r"[^a-z0-9]+", "-", entry.id.lower()).strip("-"),
        deployment=deployment,
        checkpoint=Checkpoint(path=path),
        server=Server(max_context_tokens=max_context_tokens),
    )


def has_experts(launch: ServingLaunch) -> bool:
    """Whether the model has routed experts. Raises SpecError for a model or accelerator that the catalog lacks."""
    look_up = {"model": catalog.model, "accelerator": catalog.accelerator}
    for key, find in look_up.items():
        try:
            find(getattr(launch.deployment, key))
        except SpecError as error:
            raise SpecError(f"deployment.{key}: {error}") from None
    return bool(catalog.model(launch.deployment.model).routed_experts())
