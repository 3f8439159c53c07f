"""The grid of a sweep: which models, clusters, jobs and prices are searched, every one with every other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from myriad.errors import SpecError
from myriad.spec.base import BytesPerS, Count, CountOrZero, Fraction, Seconds, Spec, Tokens
from myriad.spec.calibration import Precision, Switch
from myriad.spec.job import Optimizer
from myriad.spec.money import PerGpuSecond
from myriad.spec.ranges import values_of
from myriad.spec.system import MEMORY_HEADROOM

MOST_POINTS: Final = 1_000_000
"""Points of one grid at most."""

Objective = Literal["time", "cost", "gpus"]
Imbalance = Annotated[float, Field(ge=1)]


class Machines(Spec):
    """So many accelerators of one kind; written `h100:4096`."""

    accelerator: str
    gpus: Count


def _machines(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    name, colon, count = (part.strip() for part in value.rpartition(":"))
    if not (colon and name and count):
        raise SpecError(f"cluster {value!r}: expected NAME:COUNT, for example h800:16384")
    return {"accelerator": name, "gpus": count}


def _many_machines(value: Any) -> Any:
    """`h100:{4096,8192}` and `h100:4096..16384 x2`, alone or in a list, as one cluster each. Braces may be left out."""
    found: list[Any] = []
    for one in value if isinstance(value, (list, tuple)) else [value]:
        if not isinstance(one, str):
            found.append(one)
            continue
        name, colon, counts = (part.strip() for part in one.rpartition(":"))
        counts = counts.removeprefix("{").removesuffix("}")
        listed = values_of(counts, whole=True) if ".." in counts else counts.split(",")
        found += [_machines(f"{name}{colon}{count}") for count in listed]
    return found


def _spread(value: Any) -> Any:
    return values_of(value)


def _spread_whole(value: Any) -> Any:
    return values_of(value, whole=True)


Cluster = Annotated[Machines, BeforeValidator(_machines)]
Counts = Annotated[tuple[Count, ...], BeforeValidator(_spread_whole), Field(min_length=1)]
Some = Field(min_length=1)


class SweepBase(Spec):
    """What a point of a sweep may say; under `base` all of it is optional."""

    model: str | None = None
    """Model of the catalog."""
    cluster: Cluster | None = None
    """`accelerator` and `gpus` in one: `h100:4096`."""
    accelerator: str | None = None
    """Accelerator or node of the catalog; an accelerator comes in its usual node."""
    gpus: Count | None = None
    """Accelerators of the cluster."""
    fabric: str | None = None
    """Fabric of the catalog that joins them; unless given, a network that takes nothing from any card."""
    scale_out_bandwidth: BytesPerS | None = None
    """Network bandwidth per accelerator, one way, where it is not the node's own."""
    scale_up_bandwidth: BytesPerS | None = None
    seq_len: Count | None = None
    """Tokens per sequence."""
    global_batch: Count | None = None
    """Sequences per step."""
    precision: Precision = "bf16"
    optimizer: Optimizer = Optimizer()
    stack: str = "megatron-core"
    """Training software of the catalog, or one release of it: `nemo@25.02`."""
    switches: tuple[Switch, ...] = ()
    """What of the software is turned on that is off by default, `[compile]` for example."""
    expert_imbalance: Imbalance = 1.0
    """Tokens of the busiest expert rank over the mean."""
    mtp_depths: CountOrZero | None = None
    """Multi-token-prediction depths that are trained, where fewer than the model has."""
    objective: Objective = "time"
    """What layouts are ranked by: the shortest step, or the fewest accelerator-seconds or accelerators in time."""
    least_gpus: Count | None = None
    """Fewest accelerators that a layout may use; unless given, 3/4 of them for `time`, 1/2 for `cost`, 1 for `gpus`."""
    memory_headroom: Fraction = MEMORY_HEADROOM
    """Share of the memory that a layout must leave free."""
    tokens: Tokens | None = None
    """What is trained on: gives days, accelerator-hours and money of the whole job."""
    deadline: Seconds | None = None
    """Time allowed for `tokens`; a point whose best layout is slower is infeasible."""
    price: PerGpuSecond | None = None
    """Of one accelerator, `2 USD/GPU-h` for example."""


class SweepPoint(SweepBase):
    """One search of a sweep, with everything that it needs."""

    cluster: None = Field(default=None, exclude=True)
    model: str
    accelerator: str
    gpus: Count
    seq_len: Count
    global_batch: Count


class Axes(Spec):
    """The same keys with several values each: a list, or of numbers a range."""

    model: Annotated[tuple[str, ...], Some] | None = None
    cluster: Annotated[tuple[Machines, ...], BeforeValidator(_many_machines), Some] | None = None
    accelerator: Annotated[tuple[str, ...], Some] | None = None
    gpus: Counts | None = None
    fabric: Annotated[tuple[str, ...], Some] | None = None
    scale_out_bandwidth: Annotated[tuple[BytesPerS, ...], BeforeValidator(_spread), Some] | None = None
    scale_up_bandwidth: Annotated[tuple[BytesPerS, ...], BeforeValidator(_spread), Some] | None = None
    seq_len: Counts | None = None
    global_batch: Counts | None = None
    precision: Annotated[tuple[Precision, ...], Some] | None = None
    optimizer: Annotated[tuple[Optimizer, ...], Some] | None = None
    stack: Annotated[tuple[str, ...], Some] | None = None
    switches: Annotated[tuple[tuple[Switch, ...], ...], Some] | None = None
    expert_imbalance: Annotated[tuple[Imbalance, ...], BeforeValidator(_spread), Some] | None = None
    mtp_depths: Annotated[tuple[CountOrZero, ...], BeforeValidator(_spread_whole), Some] | None = None
    objective: Annotated[tuple[Objective, ...], Some] | None = None
    least_gpus: Counts | None = None
    memory_headroom: Annotated[tuple[Fraction, ...], BeforeValidator(_spread), Some] | None = None
    tokens: Annotated[tuple[Tokens, ...], BeforeValidator(_spread), Some] | None = None
    deadline: Annotated[tuple[Seconds, ...], BeforeValidator(_spread), Some] | None = None
    price: Annotated[tuple[PerGpuSecond, ...], BeforeValidator(_spread), Some] | None = None

    def given(self) -> dict[str, tuple[Any, ...]]:
        """The axes that are there, in the order of the fields."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: found for name, found in values.items() if found is not None}


def _differ(values: Sequence[Any], what: str) -> None:
    texts = [str(value) for value in values]
    for i, text in enumerate(texts):
        if text in texts[:i]:
            raise ValueError(f"{what} {texts.index(text) + 1} and {i + 1} are the same")


class Crossed(Axes):
    """Axes of which every value meets every value of the others."""

    @model_validator(mode="after")
    def _values_differ(self) -> Crossed:
        for name, values in self.given().items():
            _differ(values, f"{name}: values")
        return self


class Zipped(Axes):
    """Axes that go together, value by value: an accelerator and its price."""

    @model_validator(mode="after")
    def _equally_long(self) -> Zipped:
        lengths = {name: len(values) for name, values in self.given().items()}
        if len(lengths) < 2:
            raise ValueError("at least two axes belong together here; write a single one under axes")
        if len(set(lengths.values())) > 1:
            raise ValueError("found " + ", ".join(f"{n} values of {name}" for name, n in lengths.items()))
        _differ(list(zip(*self.given().values(), strict=True)), "entries")
        return self


class Grid(Spec):
    """The whole file of a sweep."""

    myriad: Literal[1]
    """Version of the file format."""
    name: str = "sweep"
    description: str = ""
    base: SweepBase = SweepBase()
    """What all points have in common."""
    axes: Crossed = Crossed()
    """Every value of one axis meets every value of the others."""
    zip: tuple[Zipped, ...] = ()
    """Axes of which the first values belong together, and the second, and so on; each group meets all other axes."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Grid:
        seen: dict[str, str] = {}
        for place, names in self._places():
            for name in names:
                for part in _PARTS.get(name, (name,)):
                    if part in seen:
                        raise ValueError(f"{place}.{name}: {part} is given by {seen[part]} too")
                    seen[part] = f"{place}.{name}"
        for name, field in SweepPoint.model_fields.items():
            if field.is_required() and name not in seen:
                both = " (or cluster, which gives accelerator and gpus)" if name in _PARTS["cluster"] else ""
                raise ValueError(f"{name} is missing: give it under base, axes or zip{both}")
        if "deadline" in seen and "tokens" not in seen:
            raise ValueError(f"{seen['deadline']}: a deadline needs tokens, which are not given")
        if self.size > MOST_POINTS:
            raise ValueError(f"the grid has {self.size:,} points; at most {MOST_POINTS:,} are swept")
        return self

    def _places(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield "base", tuple(name for name in SweepBase.model_fields if name in self.base.model_fields_set)
        yield "axes", tuple(self.axes.given())
        for number, group in enumerate(self.zip):
            yield f"zip.{number}", tuple(group.given())

    @property
    def lengths(self) -> dict[str, int]:
        """The size of each axis; the name of a zipped group is that of its axes."""
        sizes = {name: len(values) for name, values in self.axes.given().items()}
        for group in self.zip:
            axes = group.given()
            sizes["+".join(axes)] = len(next(iter(axes.values())))
        return dict(sorted(sizes.items(), key=lambda size: _place_of(size[0])))

    @property
    def size(self) -> int:
        return math.prod(self.lengths.values())

    @property
    def varied(self) -> tuple[str, ...]:
        """The keys of points that differ between points, in the order of `SweepPoint`."""
        names = {part for axes in self.lengths for name in axes.split("+") for part in _PARTS.get(name, (name,))}
        return tuple(
            name
            for name in SweepPoint.model_fields
            if name in names and len({str(v) for _, v in self.values(name)}) > 1
        )

    def values(self, part: str) -> Iterator[tuple[str, Any]]:
        """The values of one key of points wherever they are given, each with its place: `axes.model`."""
        for place, names in self._places():
            for name in names:
                if name != part and part not in _PARTS.get(name, ()):
                    continue
                for value in self._at(place, name):
                    yield f"{place}.{name}", value if name == part else getattr(value, part)

    def _at(self, place: str, name: str) -> tuple[Any, ...]:
        if place == "base":
            return (getattr(self.base, name),)
        group = self.axes if place == "axes" else self.zip[int(place.partition(".")[2])]
        return group.given()[name]

    def points(self) -> Iterator[SweepPoint]:
        """Every point, the axis that comes last in `SweepPoint` varying fastest, however the file orders them."""
        choices = [(name, [{name: value} for value in values]) for name, values in self.axes.given().items()]
        for group in self.zip:
            axes = group.given()
            rows = [dict(zip(axes, values, strict=True)) for values in zip(*axes.values(), strict=True)]
            choices.append((next(iter(axes)), rows))
        choices.sort(key=lambda choice: _place_of(choice[0]))
        fixed = {name: getattr(self.base, name) for name in self.base.model_fields_set}
        for chosen in product(*(rows for _, rows in choices)):
            values = fixed.copy()
            for part in chosen:
                values |= part
            machines = values.pop("cluster", None)
            if machines is not None:
                values |= {"accelerator": machines.accelerator, "gpus": machines.gpus}
            yield SweepPoint(**values)


_PARTS: Final = {"cluster": ("accelerator", "gpus")}
"""Keys that stand for several others."""


def _place_of(axes: str) -> int:
    return list(SweepBase.model_fields).index(axes.partition("+")[0])
