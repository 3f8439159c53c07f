"""Catalog entries: one file per thing, every figure with its source and kind."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal, get_args

from pydantic import Field

from myriad.catalog.fitted import factors_of, serving_fit, training_fit, with_factors
from myriad.catalog.reading import validated
from myriad.catalog.yaml_file import Node, describe, read_mapping
from myriad.errors import SpecError, unknown_name
from myriad.spec.accelerator import Accelerator
from myriad.spec.base import Spec
from myriad.spec.bill import BillRules
from myriad.spec.calibration import Kernels, Stack
from myriad.spec.cluster import Node as ClusterNode
from myriad.spec.fabric import Fabric
from myriad.spec.fabric_parts import LinkPart, Switch
from myriad.spec.fitted import Factor
from myriad.spec.jobs import JobMix
from myriad.spec.model import Model
from myriad.spec.on_device import Quantisation
from myriad.spec.price import PriceList
from myriad.spec.reliability import Reliability
from myriad.spec.serving_engine import ServingEngine

Kind = Literal[
    "accelerators", "nodes", "models", "stacks", "engines", "kernels", "prices", "quantisations", "switches", "fabrics",
    "optics", "bills", "reliability", "mixes",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
FigureKind = Literal["datasheet", "measured", "published", "derived", "assumed", "fitted"]

USER_CATALOG: Final = "MYRIAD_CATALOG"
"""Environment variable: a folder laid out like the shipped data, whose entries add to it or replace it; or several,
separated as in PATH, of which later ones replace entries of earlier ones."""

FITTED_KINDS: Final[tuple[Kind, ...]] = ("stacks", "engines", "kernels")
"""Kinds whose figures are fitted to measured runs."""

_SPECS: Final[dict[Kind, type[Spec]]] = {
    "accelerators": Accelerator, "nodes": ClusterNode, "models": Model,
    "stacks": Stack, "engines": ServingEngine, "kernels": Kernels, "prices": PriceList, "quantisations": Quantisation,
    "switches": Switch, "fabrics": Fabric, "optics": LinkPart, "bills": BillRules,
    "reliability": Reliability, "mixes": JobMix,
}  # fmt: skip
_FIGURE_KEYS: Final = frozenset({"value", "source", "kind", "note", "conflict", "uncertainty"})


class Source(Spec):
    """Where figures were published."""

    title: str
    url: str = ""
    read_on: str = ""
    """Date on which it was read, as `2026-11-21`."""
    note: str = ""


class Figure(Spec):
    """One value of an entry and its origin."""

    path: str
    """Dotted keys within the description."""
    value: str | int | float | bool | tuple[object, ...] | None
    """As written in the file, unit included."""
    kind: FigureKind
    source: str
    """Key of the entry's `sources`."""
    note: str = ""
    conflict: str = ""
    """What other sources say, where they disagree."""
    uncertainty: str = ""


class _Header(Spec):
    """The top of an entry's file, without its `spec`."""

    version: Literal[1] = Field(alias="schema")
    title: str
    aliases: tuple[str, ...] = ()
    sources: dict[str, Source] = Field(min_length=1)
    source: str
    kind: FigureKind
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One thing of the catalog, with the origin of each of its figures."""

    kind: Kind
    id: str
    title: str
    aliases: tuple[str, ...]
    spec: Spec
    figures: dict[str, Figure]
    notes: tuple[str, ...]
    sources: dict[str, Source]

    def factors(self, fitted: Iterable[Factor]) -> dict[tuple[str, ...], float]:
        """What fitted factors multiply in this entry: keys -> product, see `catalog.fitted.factors_of`."""
        measured = frozenset(path for path, figure in self.figures.items() if figure.kind == "measured")
        return factors_of(self.kind, self.id, fitted, measured)


def assumed(kind: Kind, name: str) -> Entry:
    """The shipped entry with this id before anything was fitted. Raises SpecError for a name that has no file."""
    if name not in (found := _paths(kind, _folders()[:1])):
        raise SpecError(unknown_name(_singular(kind), name, found))
    return load(kind, found[name])


def names(kind: Kind) -> list[str]:
    """The ids of all entries of a kind, sorted."""
    return sorted(_paths(kind, _folders()))


def entry(kind: Kind, name: str) -> Entry:
    """The entry with this id or alias, in any case. Raises SpecError with the nearest names."""
    key = find(kind, name)
    if key is None:
        raise SpecError(unknown_name(_singular(kind), name, [*names(kind), *_aliases(kind, _folders())]))
    return _load(kind, _paths(kind, _folders())[key])


def find(kind: Kind, name: str) -> str | None:
    """The id of the entry with this id or alias, in any case; `None` without one."""
    key = name.strip().lower()
    return key if key in _paths(kind, _folders()) else _aliases(kind, _folders()).get(key)


def entries(kind: Kind) -> list[Entry]:
    """All entries of a kind, sorted by id."""
    found = _paths(kind, _folders())
    return [_load(kind, found[key]) for key in sorted(found)]


def search(text: str) -> list[Entry]:
    """Entries that have every word of the text in their id, title, aliases or notes, in any case."""
    words = text.lower().split()
    hits = []
    for kind in KINDS:
        for one in entries(kind):
            hay = " ".join((one.id, one.title, *one.aliases, *one.notes)).lower()
            if all(word in hay for word in words):
                hits.append(one)
    return hits


def load(kind: Kind, path: Path) -> Entry:
    """The entry in one file; its id is the file's name. Raises SpecError with file and line."""
    top = read_mapping(path)
    assert isinstance(top.value, dict)
    spec = top.value.pop("spec", None)
    header = validated(top, _Header)
    if spec is None or not isinstance(spec.value, dict):
        raise SpecError(f"{(spec or top).where}: spec: expected a mapping, found {describe(spec and spec.plain())}")
    figures: dict[str, Figure] = {}
    plain = _strip(spec, "", header, figures)
    return Entry(
        kind=kind,
        id=path.stem,
        title=header.title,
        aliases=header.aliases,
        spec=validated(plain, _SPECS[kind]),
        figures=figures,
        notes=header.notes,
        sources=header.sources,
    )


def _strip(node: Node, path: str, header: _Header, figures: dict[str, Figure]) -> Node:
    """The description without the origins of its figures, which go to `figures`."""
    if isinstance(node.value, dict) and "value" in node.value and node.value.keys() <= _FIGURE_KEYS:
        given = {key: child.plain() for key, child in node.value.items()}
        given = {key: value if key == "value" else _as_text(value) for key, value in given.items()}
        _add_figure(node, {"kind": header.kind, "source": header.source, **given, "path": path}, header, figures)
        value = node.value["value"]
        return Node(value.value, value.file, value.line, node.key_line)
    if isinstance(node.value, dict):
        below = {k: _strip(c, f"{path}.{k}" if path else k, header, figures) for k, c in node.value.items()}
        return Node(below, node.file, node.line, node.key_line)
    if isinstance(node.value, list) and any(isinstance(child.value, dict) for child in node.value):
        items = [_strip(child, f"{path}.{i}", header, figures) for i, child in enumerate(node.value)]
        return Node(items, node.file, node.line, node.key_line)
    given = {"path": path, "value": node.plain(), "kind": header.kind, "source": header.source}
    _add_figure(node, given, header, figures)
    return node


def _as_text(value: object) -> str:
    """Conflicts and uncertainties may be written as bare numbers or lists of them."""
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _add_figure(node: Node, given: dict[str, object], header: _Header, figures: dict[str, Figure]) -> None:
    if isinstance(given["value"], list):
        given["value"] = tuple(given["value"])
    if given["source"] not in header.sources:
        raise SpecError(
            f"{node.where}: {given['path']}: {unknown_name('source', str(given['source']), header.sources)}"
        )
    if given["kind"] not in get_args(FigureKind):
        hint = unknown_name("kind", str(given["kind"]), get_args(FigureKind))
        raise SpecError(f"{node.where}: {given['path']}: {hint}")
    figures[str(given["path"])] = Figure.model_validate(given)


def _folders() -> tuple[Path, ...]:
    """The folders of the catalog; later ones replace entries of earlier ones."""
    shipped = Path(str(files("myriad"))) / "data"
    extra = os.environ.get(USER_CATALOG)
    if not extra:
        return (shipped,)
    folders = [Path(one) for one in extra.split(os.pathsep) if one]
    for folder in folders:
        if not folder.is_dir():
            raise SpecError(f"{USER_CATALOG}: {str(folder)!r} is not a folder")
    return (shipped, *folders)


def _singular(kind: Kind) -> str:
    named = {
        "kernels": "kernels entry",
        "prices": "price list",
        "engines": "serving engine",
        "switches": "switch",
        "optics": "part of links",
        "bills": "rules of bills",
        "reliability": "reliability profile",
        "mixes": "job mix",
    }
    return named.get(kind, kind.removesuffix("s"))


@lru_cache(maxsize=64)
def _paths(kind: Kind, folders: tuple[Path, ...]) -> dict[str, Path]:
    return {path.stem: path for folder in folders for path in sorted((folder / kind).glob("*.yaml"))}


@lru_cache(maxsize=64)
def _aliases(kind: Kind, folders: tuple[Path, ...]) -> dict[str, str]:
    """Lower-case alias -> id. Raises SpecError if two entries share one."""
    found: dict[str, str] = {}
    for key, path in _paths(kind, folders).items():
        for alias in _load(kind, path).aliases:
            other = found.setdefault(alias.lower(), key)
            if other != key:
                raise SpecError(f"{path}: alias {alias!r} already belongs to {other!r}")
    return found


@lru_cache(maxsize=2048)
def _load(kind: Kind, path: Path) -> Entry:
    """The entry; a shipped one with the factors that were fitted to measured runs."""
    one = load(kind, path)
    return _fitted(one) if path.parent.parent == _folders()[0] and kind in FITTED_KINDS else one


def _fitted(one: Entry) -> Entry:
    if one.kind in ("stacks", "kernels"):
        training = training_fit()
        source = Source(title=training.title, read_on=training.fitted_on, note=training.fitted_by)
        one = _with_fit(one, training.factors, training.rows, "training-runs", source)
    if one.kind in ("engines", "kernels"):
        serving = serving_fit()
        source = Source(title=serving.title, read_on=serving.fitted_on, note=serving.fitted_by)
        one = _with_fit(one, serving.factors, serving.rows, "serving-runs", source)
    return one


def _with_fit(one: Entry, all_factors: tuple[Factor, ...], rows: int, key: str, source: Source) -> Entry:
    """The entry with what was fitted to measured runs; `key` is that of its source."""
    factors = one.factors(all_factors)
    if not factors:
        return one
    spec = with_factors(one.spec, factors)
    figures = dict(one.figures)
    for keys, factor in factors.items():
        value: object = spec.model_dump()
        for name in keys:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, float):
            path = ".".join(keys)
            note = f"the assumed figure times {factor:.3g}, fitted to {rows} measured runs"
            before = f"{one.figures[path].value} ({one.figures[path].kind})" if path in one.figures else ""
            figures[path] = Figure(
                path=path, value=float(f"{value:.4g}"), kind="fitted", source=key, note=note, conflict=before
            )
    return replace(one, spec=spec, figures=figures, sources={**one.sources, key: source})
