"""From a deployment to the files that start it."""

from __future__ import annotations

from pathlib import Path

from myriad import catalog
from myriad.errors import MissingDataError, SpecError
from myriad.launch.serving import File, render
from myriad.spec.model import MixtureOfExperts
from myriad.spec.serving_launch import ServingLaunch


def launch_files(launch: ServingLaunch | Path) -> tuple[File, ...]:
    """The files that start a deployment, as text: scripts, options, a Kubernetes manifest. Writes nothing.

    Raises SpecError for what the file, the catalog or the release of the engine does not know.
    """
    read = catalog.read_spec(launch, ServingLaunch) if isinstance(launch, Path) else launch
    try:
        return render(read, catalog.engine_flags, has_experts(read))
    except (SpecError, MissingDataError) as error:
        raise type(error)(catalog.located(launch, str(error)) if isinstance(launch, Path) else str(error)) from None


def has_experts(launch: ServingLaunch) -> bool:
    """Whether the model has routed experts. Raises SpecError for a model or accelerator that the catalog lacks."""
    look_up = {"model": catalog.model, "accelerator": catalog.accelerator}
    for key, find in look_up.items():
        try:
            find(getattr(launch.deployment, key))
        except SpecError as error:
            raise SpecError(f"deployment.{key}: {error}") from None
    blocks = catalog.model(launch.deployment.model).blocks.values()
    return any(isinstance(block.feed_forward, MixtureOfExperts) for block in blocks)
