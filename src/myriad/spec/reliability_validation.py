"""How simulated failures and goodput hold against published clusters."""

from __future__ import annotations

from typing import Literal

from myriad.spec.base import Spec

Claim = Literal["exact", "at-least", "projected"]
"""What a published figure is: measured; a bound (`above 90 %`); or the source's own expectation."""
Part = Literal["interruptions by cause", "interruptions of clusters", "MTTF by job size", "ETTR", "checkpoint overhead"]


class ReliabilityRow(Spec):
    """One published figure beside what follows from its source."""

    id: str
    part: Part
    what: str
    source: str
    unit: Literal["interruptions", "seconds", "share", "per 1,000 node-days"]
    claim: Claim
    published: float | None
    """`None` where the row holds a law against its own draws."""
    formula: float | None
    """By the closed form."""
    simulated: float | None
    low: float | None
    """Of the 95 % interval that judges the row, or of the mean that was simulated."""
    high: float | None
    error: float
    """Predicted / published - 1; of shares of time the difference."""
    allowed: float | None
    """Largest error that holds; `None` where the interval judges."""
    holds: bool
    taken: tuple[str, ...] = ()
    """What the source does not state, and what was taken."""
    note: str = ""


class PartJudgement(Spec):
    """How many rows of a part hold."""

    rows: int
    hold: int
    bounds: int
    """Of those that hold: rows of which only a bound is published."""


class ReliabilityValidation(Spec):
    """The judgement; within each part of `per_row` those that do not hold come first, then by their error."""

    runs: int
    """Lives that were simulated of each row."""
    seed: int
    parts: dict[str, PartJudgement]
    unjudged: dict[str, str]
    """Id -> what it says, and why it is not judged."""
    per_row: tuple[ReliabilityRow, ...]
