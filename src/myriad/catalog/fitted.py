"""Factors fitted to measured runs, laid over the assumed figures of shipped entries."""

from __future__ import annotations

import csv
from collections.abc import Container, Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from myriad.catalog.reading import read_spec
from myriad.spec.base import Spec
from myriad.spec.fitted import Factor, ServingFit, TrainingFit
from myriad.spec.on_device import DeviceFit

SpecT = TypeVar("SpecT", bound=Spec)

FOLDER = Path(str(files("myriad"))) / "data" / "calibration"
PATH = FOLDER / "training.yaml"
DEVICES = FOLDER / "devices.yaml"
SERVING = FOLDER / "serving.yaml"
HELD_OUT = FOLDER / "held-out.csv"
SERVING_HELD_OUT = FOLDER / "serving-held-out.csv"


@lru_cache(maxsize=1)
def training_fit() -> TrainingFit:
    """The shipped calibration of training estimates."""
    return read_spec(PATH, TrainingFit)


@lru_cache(maxsize=1)
def device_fit() -> DeviceFit:
    """The shipped calibration of on-device speeds."""
    return read_spec(DEVICES, DeviceFit)


@lru_cache(maxsize=1)
def serving_fit() -> ServingFit:
    """The shipped calibration of serving estimates."""
    return read_spec(SERVING, ServingFit)


@lru_cache(maxsize=1)
def held_out() -> Mapping[str, Mapping[str, float]]:
    """Row -> what was left out of the fit -> predicted / measured - 1 of that row by the rest."""
    return _errors(HELD_OUT)


@lru_cache(maxsize=1)
def serving_held_out() -> Mapping[str, Mapping[str, float]]:
    """Row -> what was left out and what is judged, `model tpot` for example -> predicted / measured - 1 by the rest."""
    return _errors(SERVING_HELD_OUT)


def _errors(path: Path) -> dict[str, dict[str, float]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row.pop("id"): {kind: float(error) for kind, error in row.items() if error} for row in rows}


def factors_of(
    kind: str, name: str, factors: Iterable[Factor], measured: Container[str] = ()
) -> dict[tuple[str, ...], float]:
    """Keys within one entry -> product of all factors on that figure.

    What is common to all entries leaves figures alone that were measured for this one (`measured`, as dotted keys).
    """
    found: dict[tuple[str, ...], float] = {}
    for factor in factors:
        for figure in factor.figures:
            of_kind, of_name, *keys = figure.split("/")
            if of_kind != kind or of_name not in ("*", name) or (of_name == "*" and ".".join(keys) in measured):
                continue
            found[tuple(keys)] = found.get(tuple(keys), 1.0) * factor.factor
    return found


def with_factors(spec: SpecT, factors: Mapping[tuple[str, ...], float]) -> SpecT:
    """The description with some of its figures multiplied; a share that is not given counts as 1.

    A figure that is a fraction stops at 1. A whole group of figures that the entry lacks, such as a
    precision without kernels or a release that it does not name, is left out.
    """
    values: dict[str, Any] = spec.model_dump()
    for keys, factor in factors.items():
        *groups, last = keys
        within: Any = values
        for group in groups:
            within = within.get(group) if isinstance(within, dict) else None
        if isinstance(within, dict):
            changed = (1.0 if within.get(last) is None else within[last]) * factor
            within[last] = min(changed, 1.0) if last.endswith(_FRACTIONS) else changed
    return type(spec).model_validate(values)


_FRACTIONS = ("_overlap", "_fraction", "scan_share")
