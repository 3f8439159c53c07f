"""What price checks show and no result holds as such: shares of a request, rows under one model, names."""

from __future__ import annotations

from typing import Final, Literal

from myriad.spec.serving_money import PriceCheck, PriceRow, TokenFigures

Kind = Literal["input", "cached", "output"]

KINDS: Final[tuple[Kind, ...]] = ("input", "cached", "output")
"""Kinds of tokens, in the order of reports."""


def by_model(check: PriceCheck) -> dict[str, list[PriceRow]]:
    """The rows of each model, in the order asked for."""
    found: dict[str, list[PriceRow]] = {}
    for row in check.rows:
        found.setdefault(row.model, []).append(row)
    return found


def parts_of(figures: TokenFigures, check: PriceCheck) -> dict[Kind, float]:
    """What each kind of token adds to the mean token of a request; the parts sum to `blended`."""
    total = check.input_tokens + check.output_tokens
    cached = check.cached_fraction * check.input_tokens if figures.cached is not None else 0.0
    shares = {"input": check.input_tokens - cached, "cached": cached, "output": float(check.output_tokens)}
    return {kind: (value_of(figures, kind) or 0.0) * shares[kind] / total for kind in KINDS}


def value_of(figures: TokenFigures, kind: Kind) -> float | None:
    """The figure of one kind."""
    return {"input": figures.input, "cached": figures.cached, "output": figures.output}[kind]
