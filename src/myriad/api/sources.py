"""Which figures a plan used, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from myriad import catalog
from myriad.api.fabric import switches_of
from myriad.catalog import Entry, Kind
from myriad.spec.calibration import Kernels, software_and_release
from myriad.spec.cluster import Cluster
from myriad.spec.fabric import Fabric
from myriad.spec.result import JobPlan, SourcedFigure
from myriad.spec.service_result import ServicePlan
from myriad.spec.system import System

OF_SERVING = ("decode.", "serving.")
"""Parts of kernel entries that no training estimate reads."""


def figures_of(entries: Iterable[Entry]) -> tuple[SourcedFigure, ...]:
    """Every figure of the entries that training reads, with its kind and the title of its source."""
    found = []
    for entry in entries:
        for figure in entry.figures.values():
            if isinstance(entry.spec, Kernels) and figure.path.startswith(OF_SERVING):
                continue
            source = entry.sources[figure.source]
            note = "; ".join(t for t in (figure.note, f"others say: {figure.conflict}" if figure.conflict else "") if t)
            found.append(
                SourcedFigure(
                    entry=entry.id,
                    figure=figure.path,
                    value=str(figure.value),
                    kind=figure.kind,
                    source=source.title,
                    note=note,
                )
            )
    return tuple(found)


def sources_of(
    system: System, clusters: Mapping[str, Cluster], jobs: tuple[JobPlan, ...], services: tuple[ServicePlan, ...]
) -> tuple[SourcedFigure, ...]:
    """Figures of all models, software and pools of a plan, then the terms that the file gives."""
    entries: dict[tuple[Kind, str], Entry] = {}
    for service in services:
        name = system.models.get(service.model, service.model)
        if isinstance(name, str):
            entries["models", name] = catalog.entry("models", name)
        engine, _ = software_and_release(system.services[service.name].work.engine)
        entries["engines", engine] = catalog.entry("engines", engine)
    for job in jobs:
        name = system.models.get(job.model, job.model)
        if isinstance(name, str):
            entries["models", name] = catalog.entry("models", name)
        software, _ = software_and_release(job.stack)
        entries["stacks", software] = catalog.entry("stacks", software)
    for name, pool in system.pools.items():
        chip = clusters[name].accelerator_id
        entries["accelerators", chip] = catalog.entry("accelerators", chip)
        node = pool.node or clusters[name].accelerator.default_node
        if node is not None:
            entries["nodes", node] = catalog.entry("nodes", node)
        entries |= _of_fabric(pool.fabric)
        if isinstance(pool.reliability, str):
            entries["reliability", pool.reliability] = catalog.reliability_entry(pool.reliability)
        kernels = catalog.kernels_entry(chip)
        entries["kernels", kernels.id] = kernels
    given = [_listed(name) for name in _named_prices(system)]
    for name, pool in system.pools.items():
        terms = pool.terms.model_dump(exclude={"kind"}) if pool.terms is not None else {}
        for key, value in [*terms.items(), ("goodput", pool.goodput)]:
            shown = (
                f"{value['amount']:.6g} {value['currency']} per {value['per'] or 'whole'}"
                if isinstance(value, dict)
                else value
            )
            if shown is not None:
                path = f"pools.{name}.{key}"
                given.append(
                    SourcedFigure(
                        entry="this file",
                        figure=path,
                        value=str(shown),
                        kind="given",
                        source="system file",
                        note=pool.note,
                    )
                )
    return (*figures_of(entries.values()), *given)


def _of_fabric(named: str | Fabric | None) -> dict[tuple[Kind, str], Entry]:
    """The entries of a fabric and of its switches."""
    if named is None:
        return {}
    fabric = catalog.fabric(named) if isinstance(named, str) else named
    found: dict[tuple[Kind, str], Entry] = {}
    if isinstance(named, str):
        found["fabrics", named] = catalog.entry("fabrics", named)
    return found | {("switches", name): catalog.entry("switches", name) for name in switches_of(fabric)}


def _named_prices(system: System) -> list[str]:
    names = [service.list_prices for service in system.services.values()]
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def _listed(name: str) -> SourcedFigure:
    """One published price of tokens, as its entry says it."""
    for entry in catalog.entries("prices"):
        figure = entry.figures.get(f"token_prices.{name}.input")
        if figure is not None:
            values = {key: entry.figures.get(f"token_prices.{name}.{key}") for key in ("input", "cached", "output")}
            shown = ", ".join(f"{key} {one.value}" for key, one in values.items() if one is not None)
            return SourcedFigure(
                entry=entry.id,
                figure=f"token_prices.{name}",
                value=shown,
                kind=figure.kind,
                source=entry.sources[figure.source].title,
                note=figure.note,
            )
    raise AssertionError(name)
