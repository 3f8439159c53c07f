"""What a system file names, looked up; errors begin with the key that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from myriad import catalog
from myriad.errors import InfeasibleError, MissingDataError, SpecError
from myriad.spec.model import Model
from myriad.spec.service import Service
from myriad.spec.system import System


@contextmanager
def at_key(key: str) -> Iterator[None]:
    """Names the key of the system file that an error from below comes from."""
    try:
        yield
    except (SpecError, MissingDataError, InfeasibleError) as error:
        raise type(error)(f"{key}: {error}") from None


def models_of(system: System) -> dict[str, Model]:
    """The models that jobs and services name, by those names. Raises SpecError with the key at fault."""
    asked = {f"jobs.{name}": job.model for name, job in system.jobs.items()}
    asked |= {f"services.{name}": service.model for name, service in system.services.items()}
    found: dict[str, Model] = {}
    for key, name in asked.items():
        meant = system.models.get(name, name)
        if isinstance(meant, Model):
            found[name] = meant
            continue
        with at_key(f"models.{name}" if name in system.models else f"{key}.model"):
            found[name] = catalog.model(meant)
    return found


def check_names(system: System) -> None:
    """Raises SpecError for software, engines, list prices and profiles of failures that the catalog lacks."""
    for name, pool in system.pools.items():
        if isinstance(pool.reliability, str):
            with at_key(f"pools.{name}.reliability"):
                catalog.reliability(pool.reliability)
    for name, job in system.jobs.items():
        with at_key(f"jobs.{name}.stack"):
            catalog.stack(job.stack)
    for name, service in system.services.items():
        _check_service(f"services.{name}", service)


def _check_service(key: str, service: Service) -> None:
    with at_key(f"{key}.work.engine"):
        catalog.engine(service.work.engine)
    sides = (service.deployment.replicas, service.deployment.prefill) if service.deployment is not None else ()
    for side in sides:
        if side is not None and side.work is not None:
            with at_key(f"{key}.deployment: engine"):
                catalog.engine(side.work.engine)
    if isinstance(service.list_prices, str):
        with at_key(f"{key}.list_prices"):
            catalog.token_price(service.list_prices)
