"""Dated price lists: what money was worth, and what machines, electricity and tokens cost, and when."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from myriad.spec.base import Count, Spec
from myriad.spec.money import Money, PerToken

PriceKind = Literal["exchange-rates", "rental", "hardware", "electricity", "tokens"]


class Price(Spec):
    """One published price or range."""

    item: str
    """Catalog id of the accelerator or node, or plain words for anything else."""
    low: Money
    high: Money | None = None
    """Upper end of a published range; `None` for a single figure."""
    date: str
    """Day, month or year that it held, as far as the source says."""
    accelerators: Count | None = None
    """That one piece holds, where it is not a node of the catalog but several: 72 of a rack."""
    terms: str = ""
    """What it covers: on demand, spot, three-year lease, tax included, landed."""


class TokenPrices(Spec):
    """What tokens are sold for."""

    input: PerToken
    """Input tokens that are not found in the provider's cache."""
    cached: PerToken | None = None
    """Input tokens that are; `None`: as any other input."""
    output: PerToken

    @property
    def of_cached(self) -> Money:
        """The price of cached input, named or not."""
        return self.cached if self.cached is not None else self.input


class TokenPrice(TokenPrices):
    """One published price of an interface to a model."""

    item: str
    """Catalog id of the model, or plain words for one that the catalog lacks."""
    provider: str
    date: str
    """Day, month or year that it held, as far as the source says."""
    terms: str = ""
    """What it covers: hours of the day, length of prompts."""


class PriceList(Spec):
    """Prices of one kind, each with its date."""

    list_kind: PriceKind
    date: str = ""
    """Date of the exchange rates."""
    usd_per_unit: dict[str, float] = Field(default_factory=dict)
    """US dollars per unit of each currency; for exchange rates only."""
    prices: dict[str, Price] = Field(default_factory=dict)
    token_prices: dict[str, TokenPrice] = Field(default_factory=dict)
    """Prices of tokens; for lists of kind tokens only."""

    @model_validator(mode="after")
    def _holds_its_kind(self) -> PriceList:
        if (self.list_kind == "exchange-rates") != bool(self.usd_per_unit):
            raise ValueError("usd_per_unit belongs to a list of kind exchange-rates, and only there")
        if (self.list_kind == "tokens") != bool(self.token_prices):
            raise ValueError("token_prices belongs to a list of kind tokens, and only there")
        if self.list_kind == "exchange-rates" and not self.date:
            raise ValueError("exchange rates need their date")
        return self
