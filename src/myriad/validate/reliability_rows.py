"""Published failures and what they cost: one YAML file per cluster or source, with all that the source states."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, model_validator

from myriad.catalog import read_spec
from myriad.catalog.reading import problem_text
from myriad.spec.base import Count, Fraction, Seconds, Spec
from myriad.spec.goodput import GoodputQuestion
from myriad.spec.reliability_validation import Claim
from myriad.units import THOUSAND_DAYS_S

Counts = Literal["infrastructure", "all"]
"""What interruptions a source counts: failures of machines, network and the software that runs them; or all that ends
jobs, users' programs among it."""
Id = Annotated[str, Field(min_length=1)]


class PublishedSource(Spec):
    """Where the figures of a file were printed."""

    title: str
    url: str = ""
    read_on: str
    note: str = ""


class CauseCount(Spec):
    """Interruptions by one cause, and the cause of the profile that stands for it."""

    count: Count
    cause: str


class PublishedCluster(Spec):
    """Interruptions of one cluster: two of days, interruptions and a rate, or a mean time."""

    id: Id
    what: str
    accelerators: Count
    accelerators_per_node: Count = 8
    days: float | None = Field(default=None, gt=0)
    interruptions: float | None = Field(default=None, gt=0)
    per_1000_node_days: float | None = Field(default=None, gt=0)
    mttf: Seconds | None = None
    counts: Counts
    claim: Claim = Field(default="exact", alias="is")
    profile: str | None = None
    causes: dict[str, CauseCount] = Field(default_factory=dict)
    note: str = ""

    @model_validator(mode="after")
    def _rate_follows(self) -> PublishedCluster:
        if self.mttf is None and (self.days, self.interruptions, self.per_1000_node_days).count(None) > 1:
            raise ValueError("give mttf, or two of days, interruptions and per_1000_node_days")
        if bool(self.causes) != (self.profile is not None):
            raise ValueError("causes and profile go together")
        return self

    @property
    def nodes(self) -> int:
        """That it has."""
        return -(-self.accelerators // self.accelerators_per_node)

    @property
    def rate(self) -> float:
        """Interruptions per 1,000 node-days."""
        if self.per_1000_node_days is not None:
            return self.per_1000_node_days
        if self.mttf is not None:
            return THOUSAND_DAYS_S / (self.mttf * self.nodes)
        assert self.interruptions is not None
        assert self.days is not None
        return 1000.0 * self.interruptions / (self.nodes * self.days)

    @property
    def events(self) -> float | None:
        """Interruptions counted, or as many as its rate and days say."""
        if self.interruptions is not None or self.days is None:
            return self.interruptions
        return self.rate * self.nodes * self.days / 1000.0


class PublishedMttf(Spec):
    """Mean time to failure of jobs of one size, and the rate that the source gives of the cluster."""

    id: Id
    accelerators: Count
    published: Seconds
    per_1000_node_days: float = Field(gt=0)
    projected: bool = False
    note: str = ""


class PublishedRun(Spec):
    """An effective training time, and what its own source states of failures, checkpoints and restarts.

    `stated` and `taken` are keys of `spec.goodput.GoodputQuestion`; what stands in neither is assumed there.
    """

    id: Id
    what: str
    published: Fraction
    claim: Claim = Field(default="exact", alias="is")
    stated: dict[str, Any]
    taken: dict[str, Any] = Field(default_factory=dict)
    reasons: dict[str, str] = Field(default_factory=dict)
    note: str = ""

    @model_validator(mode="after")
    def _what_is_taken_has_a_reason(self) -> PublishedRun:
        if set(self.taken) != set(self.reasons):
            raise ValueError("reasons: each key of taken needs one")
        if both := set(self.taken) & set(self.stated):
            raise ValueError(f"taken: {min(both)} is stated")
        try:
            GoodputQuestion.model_validate(self.given)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            place = ".".join(map(str, problem["loc"]))
            raise ValueError(
                f"stated: {place}{': ' if place else ''}{problem_text(problem, GoodputQuestion)}"
            ) from None
        return self

    @property
    def given(self) -> dict[str, Any]:
        """Keys of a question about goodput."""
        return {**self.stated, **self.taken}


class PublishedOverhead(Spec):
    """Share of the time that checkpoints take."""

    id: Id
    what: str
    published: Fraction
    interval: Seconds
    """From the start of one to the start of the next."""
    blocking: Seconds
    note: str = ""


class EveryStep(Spec):
    """Share of the speed that is kept with a checkpoint in every step."""

    id: Id
    what: str
    blocking: Seconds
    kept: Annotated[Fraction, Field(gt=0, lt=1)]
    note: str = ""


class Unjudged(Spec):
    """A published figure that nothing can be held against, and why."""

    id: Id
    says: str
    reason: str


class PublishedReliability(Spec):
    """One file."""

    version: Literal[1] = Field(alias="schema")
    source: PublishedSource
    clusters: tuple[PublishedCluster, ...] = ()
    mttf: tuple[PublishedMttf, ...] = ()
    runs: tuple[PublishedRun, ...] = ()
    overheads: tuple[PublishedOverhead, ...] = ()
    every_step: tuple[EveryStep, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()


FOLDER: Final = Path(str(resources.files("myriad"))) / "data" / "measurements" / "reliability"


def read_published(path: Path) -> PublishedReliability:
    """The figures of one file of a user. Raises SpecError with file and line for what is wrong."""
    return read_spec(path, PublishedReliability)


def shipped_reliability() -> tuple[PublishedReliability, ...]:
    """The published figures that come with the package, in the order of their files."""
    return tuple(read_published(path) for path in sorted(FOLDER.glob("*.yaml")))
