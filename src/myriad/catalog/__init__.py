"""The catalog: finds the data files and turns them into descriptions; knows where each number comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from myriad.catalog.clusters import cluster, cluster_of, counted_node, long_link, node_id_of, node_of
from myriad.catalog.engine_flags import engine_flags, launched_releases
from myriad.catalog.entry import (
    KINDS,
    USER_CATALOG,
    Entry,
    Figure,
    FigureKind,
    Kind,
    Source,
    assumed,
    entries,
    entry,
    find,
    load,
    names,
    search,
)
from myriad.catalog.fitted import device_fit, held_out, serving_fit, serving_held_out, training_fit
from myriad.catalog.reading import keys_of, located, read_spec
from myriad.errors import MissingDataError, SpecError, unknown_name
from myriad.spec.accelerator import Accelerator
from myriad.spec.base import Spec
from myriad.spec.bill import BillRules
from myriad.spec.calibration import Kernels, Stack, software_and_release
from myriad.spec.cluster import Node
from myriad.spec.fabric import Fabric
from myriad.spec.fabric_parts import LinkPart, Switch
from myriad.spec.jobs import JobMix
from myriad.spec.model import Model
from myriad.spec.on_device import Quantisation
from myriad.spec.price import PriceList, TokenPrice
from myriad.spec.reliability import Reliability
from myriad.spec.serving_engine import ServingEngine

__all__ = [
    "KINDS",
    "USER_CATALOG",
    "Entry",
    "Figure",
    "FigureKind",
    "Kind",
    "Source",
    "accelerator",
    "assumed",
    "bill_rules",
    "cluster",
    "cluster_of",
    "counted_node",
    "device_fit",
    "engine",
    "engine_flags",
    "entries",
    "entry",
    "fabric",
    "find",
    "held_out",
    "job_mix",
    "kernels",
    "kernels_entry",
    "keys_of",
    "launched_releases",
    "link_parts",
    "load",
    "located",
    "long_link",
    "model",
    "names",
    "node",
    "node_id_of",
    "node_of",
    "price_list",
    "quantisation",
    "read_spec",
    "reliability",
    "reliability_entry",
    "search",
    "serving_fit",
    "serving_held_out",
    "stack",
    "switch",
    "token_price",
    "token_prices",
    "training_fit",
    "usd_per_currency",
]  # fmt: skip

_T = TypeVar("_T", bound=Spec)
_FILES = (".yaml", ".yml", ".json")


def _spec(kind: Kind, name: str, spec_class: type[_T]) -> _T:
    spec = entry(kind, name).spec
    assert isinstance(spec, spec_class)
    return spec


def accelerator(name: str) -> Accelerator:
    """The accelerator with this id or alias. Raises SpecError with the nearest names."""
    return _spec("accelerators", name, Accelerator)


def node(name: str) -> Node:
    """The node with this id or alias. Raises SpecError with the nearest names."""
    return _spec("nodes", name, Node)


def model(name: str) -> Model:
    """The model with this id or alias. Raises SpecError with the nearest names."""
    return _spec("models", name, Model)


def stack(name: str) -> Stack:
    """The training software with this id or alias; `NAME@RELEASE`, `nemo@25.02` for example, is one release of it.

    Raises SpecError with the nearest names.
    """
    software, release = software_and_release(name)
    found = _spec("stacks", software, Stack)
    return found.at_release(release) if release else found


def engine(name: str) -> ServingEngine:
    """The serving engine with this id or alias; `NAME@RELEASE`, `vllm@0.18` for example, is one release of it.

    Raises SpecError with the nearest names.
    """
    software, release = software_and_release(name)
    return _spec("engines", software, ServingEngine).at_release(release)


def quantisation(name: str) -> Quantisation:
    """How a model of this quantisation is stored. Raises SpecError with the nearest names."""
    return _spec("quantisations", name, Quantisation)


def switch(name: str) -> Switch:
    """The switch with this id or alias. Raises SpecError with the nearest names."""
    return _spec("switches", name, Switch)


def fabric(name: str) -> Fabric:
    """The fabric with this id or alias. Raises SpecError with the nearest names."""
    return _spec("fabrics", name, Fabric)


def link_parts() -> dict[str, LinkPart]:
    """All transceivers, cables and fibres by id."""
    return {one.id: one.spec for one in entries("optics") if isinstance(one.spec, LinkPart)}


def bill_rules(name: str) -> BillRules:
    """The rules of bills of materials with this id or alias. Raises SpecError with the nearest names."""
    return _spec("bills", name, BillRules)


def reliability(name: str) -> Reliability:
    """How a kind of cluster breaks: the entry of this name or file, see `reliability_entry`."""
    found = reliability_entry(name).spec
    assert isinstance(found, Reliability)
    return found


def reliability_entry(name: str) -> Entry:
    """The entry of this name, or the one in a YAML file such as `myriad reliability fit` writes.

    Raises SpecError with the nearest name, or with file and line.
    """
    if Path(name).suffix.lower() in _FILES:
        return load("reliability", Path(name))
    return entry("reliability", name)


def job_mix(name: str) -> JobMix:
    """The jobs of a published cluster, as statistics. Raises SpecError with the nearest name."""
    return _spec("mixes", name, JobMix)


def price_list(name: str) -> PriceList:
    """The price list with this id or alias. Raises SpecError with the nearest names."""
    return _spec("prices", name, PriceList)


def token_prices(model_id: str | None = None) -> dict[str, TokenPrice]:
    """Published prices of tokens by name, of all price lists: of one model of the catalog, or all that there are."""
    lists = [one.spec for one in entries("prices") if isinstance(one.spec, PriceList)]
    found = {name: price for one in lists for name, price in one.token_prices.items()}
    return {name: price for name, price in found.items() if model_id in (None, price.item)}


def token_price(name: str) -> TokenPrice:
    """The published price of tokens with this name. Raises SpecError with the nearest names."""
    known = token_prices()
    if name not in known:
        raise SpecError(unknown_name("token price", name, known))
    return known[name]


def kernels(accelerator_id: str) -> tuple[Kernels, bool]:
    """Kernel efficiencies for an accelerator, and whether they were calibrated on it.

    Without an entry of its own the accelerator gets the entry `default`. Raises MissingDataError if
    that is lacking too.
    """
    one = kernels_entry(accelerator_id)
    assert isinstance(one.spec, Kernels)
    return one.spec, accelerator_id in one.spec.accelerators


def kernels_entry(accelerator_id: str) -> Entry:
    """The entry that `kernels` takes its figures from."""
    for one in entries("kernels"):
        if isinstance(one.spec, Kernels) and accelerator_id in one.spec.accelerators:
            return one
    if "default" not in names("kernels"):
        raise MissingDataError(f"no kernel efficiencies for {accelerator_id}: add data/kernels/default.yaml")
    return entry("kernels", "default")


def usd_per_currency() -> dict[str, float]:
    """US dollars per unit of each currency, at the date of the catalog entry `exchange-rates`."""
    return dict(price_list("exchange-rates").usd_per_unit)
