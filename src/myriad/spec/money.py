"""Prices: an amount, its currency and what it is per; lines of a cost.

Exchange rates come later, from the system file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, model_validator

from myriad.errors import SpecError, nearest
from myriad.spec.base import Spec
from myriad.units import parse_money


class Money(Spec):
    """A price; written in files as text such as `2.1 USD/GPU-h` or `9.1 B CNY`."""

    amount: float
    """Amount per base unit (GPU-second, joule, second, watt, token) of what it is per."""
    currency: str
    per: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, (dict, Money)):
            return value
        amount, currency, per = parse_money(value)
        return {"amount": amount, "currency": currency, "per": per}

    def usd(self, usd_per_unit: Mapping[str, float]) -> float:
        """The amount in US dollars. Raises SpecError if the rate of its currency is not given."""
        if self.currency not in usd_per_unit:
            raise SpecError(f"no exchange rate for {self.currency}{nearest(self.currency, usd_per_unit)}")
        return self.amount * usd_per_unit[self.currency]


def _per(*allowed: str) -> AfterValidator:
    def check(value: Money) -> Money:
        if value.per not in allowed:
            wanted = " or ".join(a or "nothing" for a in allowed)
            raise SpecError(f"expected a price per {wanted}, found one per {value.per or 'nothing'}")
        if value.amount < 0:
            raise SpecError("a price cannot be negative")
        return value

    return AfterValidator(check)


Amount = Annotated[Money, _per("")]
PerGpuSecond = Annotated[Money, _per("gpu_s")]
PerGpu = Annotated[Money, _per("gpu")]
PerJoule = Annotated[Money, _per("joule")]
PerSecond = Annotated[Money, _per("s")]
PerToken = Annotated[Money, _per("token")]


class CostLine(Spec):
    """One line of a cost."""

    name: Literal["rent", "hardware", "electricity", "operations"]
    amount_usd: float
    basis: str
    """How it was computed, in words and numbers."""
    pool: str = ""
    """Whose terms these are, where several pools do the job together."""
