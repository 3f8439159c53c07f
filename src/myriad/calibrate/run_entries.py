"""Entries of the catalog as a run changes them, and the system file that plans with them: YAML, origins kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from myriad.calibrate.written import rounded
from myriad.catalog.entry import Entry, Figure
from myriad.spec.base import Spec
from myriad.spec.reliability import Reliability

_BEFORE: Final = "before"


@dataclass(frozen=True)
class Origin:
    """The run that figures come from, as a source of the catalog; its id is the key."""

    run: str
    title: str
    note: str = ""

    def source(self, note: str) -> dict[str, str]:
        """As entries have it."""
        return {"title": self.title, "note": "; ".join(part for part in (self.note, note) if part)}


def changed_entry(
    entry: Entry, spec: Spec, changed: Mapping[str, str], origin: Origin, title: str | None = None
) -> str:
    """The text of an entry whose figures at the dotted paths of `changed` come from a run; values say why.

    All other figures keep their values, with what was fitted to them, and their origins, earlier runs among them.
    """
    body = _figures(spec.model_dump(mode="json", exclude_none=True), "", entry.figures, changed, origin.run)
    sources: dict[str, Any] = {
        key: source.model_dump(mode="json", exclude_defaults=True) for key, source in entry.sources.items()
    }
    sources[_BEFORE] = {"title": f"As without a figure of its own: usual values of {entry.title}"}
    sources[origin.run] = origin.source("fitted by `myriad calibrate --from`")
    return _text(
        {
            "schema": 1,
            "title": title or entry.title,
            "aliases": list(entry.aliases),
            "sources": sources,
            "source": _BEFORE,
            "kind": "assumed",
            "notes": [f"Fitted to run {origin.run}, from: {entry.title}.", *entry.notes],
            "spec": body,
        },
        origin.run,
    )


def _figures(value: Any, path: str, figures: Mapping[str, Figure], changed: Mapping[str, str], run: str) -> Any:
    if isinstance(value, dict):
        paths = {key: f"{path}.{key}" if path else key for key in value}
        return {key: _figures(inner, paths[key], figures, changed, run) for key, inner in value.items()}
    if path in changed:
        return {"value": value, "source": run, "kind": "fitted", "note": changed[path]}
    known = figures.get(path)
    if known is None or isinstance(value, list):
        return value
    told = {"source": known.source, "kind": known.kind, "note": known.note, "conflict": known.conflict}
    return {"value": value} | {key: text for key, text in told.items() if text}


def reliability_text(profile: Reliability, before: Reliability, origin: Origin, note: str) -> str:
    """The text of a reliability entry whose rates a run has changed by one factor."""
    spec = profile.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return _text(
        {
            "schema": 1,
            "title": profile.name,
            "sources": {
                origin.run: origin.source(note),
                _BEFORE: {"title": f"As in the profile before: {before.name}"},
            },
            "source": _BEFORE,
            "kind": "assumed",
            "notes": [note],
            "spec": spec | {"causes": {name: _cause(one, origin.run, note) for name, one in spec["causes"].items()}},
        },
        origin.run,
    )


def _cause(cause: dict[str, Any], run: str, note: str) -> dict[str, Any]:
    rate = cause["rate"]
    value = {"value": rate["per_1000_unit_days"], "source": run, "kind": "fitted", "note": note}
    return cause | {"rate": rate | {"per_1000_unit_days": value}}


def system_text(name: str, include: str, pools: Mapping[str, Any], jobs: Mapping[str, Any], run: str) -> str:
    """The text of a system file that is another one with what the run changes in pools and jobs."""
    parts = {"pools": dict(pools), "jobs": dict(jobs)}
    head = {"myriad": 1, "name": name, "include": [include]}
    return _text(head | {key: part for key, part in parts.items() if part}, run)


def _text(values: dict[str, Any], run: str) -> str:
    head = f"# Written by `myriad calibrate --from {run}`.\n"
    return head + yaml.safe_dump(
        rounded(values), sort_keys=False, default_flow_style=None, width=200, allow_unicode=True
    )
