"""Which figures a plan used, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterable

from myriad import catalog
from myriad.catalog import Entry
from myriad.spec.result import SourcedFigure


def figures_of(entries: Iterable[Entry]) -> tuple[SourcedFigure, ...]:
    """Every figure of the entries with its kind and the title of its source."""
    found = []
    for entry in entries:
        for figure in entry.figures.values():
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


def kernel_entry(accelerator_id: str) -> Entry:
    """The catalog entry that `catalog.kernels` takes its efficiencies from."""
    for entry in catalog.entries("kernels"):
        if accelerator_id in getattr(entry.spec, "accelerators", ()):
            return entry
    return catalog.entry("kernels", "default")
