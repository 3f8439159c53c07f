"""Numbers as people of each language write them. Values come in as base units; rounding happens here only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from myriad.report.language import Language
from myriad.units import GIB, HOUR_S, format_seconds, format_si

_SCALES: Final = {
    "en": ((1e12, "T"), (1e9, "B"), (1e6, "M")),
    "zh": ((1e12, "万亿"), (1e8, "亿"), (1e4, "万")),
}
_KWH_J: Final = 1e3 * HOUR_S
_SPACE_BEFORE_PERCENT: Final = {"en": " ", "zh": ""}


def significant(value: float, digits: int = 3) -> str:
    """The value with so many significant digits, never in powers of ten, thousands set apart.

    >>> significant(12.345), significant(42.0), significant(123456.0)
    ('12.3', '42', '123,000')
    """
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    text = f"{round(value, decimals):,.{max(decimals, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True)
class Unit:
    """The unit of a column: its name stands in the head once, and values are divided by its scale."""

    name: str
    scale: float


@dataclass(frozen=True)
class Numbers:
    """Numbers in one language; amounts of money in one currency."""

    language: Language
    currency: str = "USD"
    usd_per_currency: float = 1.0

    def integer(self, value: float) -> str:
        """A whole number, all digits."""
        return f"{value:,.0f}"

    def plain(self, value: float, like: float | None = None) -> str:
        """A bare number for a column: as many decimals as `like` (itself unless given) has at three digits."""
        model = abs(value if like is None else like)
        decimals = 0 if model == 0 else max(0, 2 - math.floor(math.log10(model)))
        return f"{value:,.{decimals}f}"

    def signed(self, value: float, like: float | None = None) -> str:
        """A bare difference with its sign, with the decimals of `plain`."""
        return f"{'−' if value < 0 else '+'}{self.plain(abs(value), abs(value) if like is None else like)}"

    def large(self, value: float) -> str:
        """A count with the scale word of the language: `1.02 T`, `1.02 万亿`."""
        return self._with(value, self._scaled(value, "", 1.0, ""))

    def percent(self, fraction: float, signed: bool = False) -> str:
        """A share with one decimal."""
        text = f"{100 * fraction:+.1f}" if signed else f"{100 * fraction:.1f}"
        return text.replace("-", "−") + _SPACE_BEFORE_PERCENT[self.language.code] + "%"

    def change(self, fraction: float, signed: bool = False) -> str:
        """A chosen change, such as 10 %: no more digits than it has."""
        sign = ("−" if fraction < 0 else "+") if signed else ""
        return sign + significant(abs(100 * fraction)) + _SPACE_BEFORE_PERCENT[self.language.code] + "%"

    def seconds(self, value: float) -> str:
        """A duration in the unit that suits it."""
        number, unit = format_seconds(value).rsplit(" ", 1)
        return f"{number} {self.language('unit.' + unit) if unit in ('min', 'h', 'days') else unit}"

    def days(self, value: float) -> str:
        """A duration given in days, in hours when short."""
        if value < 2:
            return f"{significant(value * 24)} {self.language('unit.h')}"
        return f"{significant(value) if value < 1000 else self.integer(value)} {self.language('unit.days')}"

    def gib(self, value: float, digits: int = 1) -> str:
        """The number of GiB, without the unit."""
        return f"{value / GIB:,.{digits}f}"

    def signed_gib(self, value: float) -> str:
        """A difference in GiB with its sign, without the unit."""
        return f"{'−' if value < 0 else '+'}{self.gib(abs(value))}"

    def memory(self, value: float) -> str:
        """A size in GiB, with the unit."""
        return f"{self.gib(value)} GiB"

    def flops_per_s(self, value: float) -> str:
        """A rate of operations."""
        return format_si(value, "FLOP/s")

    def gpus(self, value: int) -> str:
        """So many accelerators."""
        key = "unit.gpu" if value == 1 else "unit.gpus"
        return self.language(key, count=self.integer(value))

    def listed(self, items: list[str]) -> str:
        """Several things in a sentence: `a, b and c`."""
        head, last = items[:-1], items[-1]
        if not head:
            return last
        # Chinese has no spaces between words, but one between a character and a digit or Latin letter.
        space = " " if self.language.code == "zh" and last[0].isascii() else ""
        return self.language("words.comma").join(head) + self.language("words.and") + space + last

    def gpu_hours_unit(self, value: float) -> Unit:
        """The unit that suits so many accelerator-hours: `M GPU-hours`, `万卡时`."""
        joint = "" if self.language.code == "zh" else " "
        return self._scaled(value, self.language("unit.gpu_hours"), 1.0, joint)

    def gpu_hours(self, value: float) -> str:
        """Accelerator-hours."""
        return self._with(value, self.gpu_hours_unit(value))

    def energy_unit(self, joules: float) -> Unit:
        """The unit that suits so much energy: kWh, MWh or GWh, in Chinese 千瓦时, 万千瓦时 or 亿千瓦时."""
        kilowatt_hours = joules / _KWH_J
        if self.language.code == "zh":
            return self._scaled(kilowatt_hours, self.language("unit.kwh"), _KWH_J, "")
        return next(
            (Unit(unit, scale * _KWH_J) for scale, unit in ((1e6, "GWh"), (1e3, "MWh")) if kilowatt_hours >= scale),
            Unit(self.language("unit.kwh"), _KWH_J),
        )

    def energy(self, joules: float) -> str:
        """An amount of energy with its unit."""
        return self._with(joules, self.energy_unit(joules))

    def money_unit(self, usd: float) -> Unit:
        """The unit that suits so much money, in the currency of the report: `M CNY`, `亿元`."""
        # In Chinese the scale word and the unit of money are one word: 1.2 亿元.
        joint = "" if self.language.code == "zh" else " "
        name = self.language(f"currency.{self.currency}")
        return self._scaled(usd / self.usd_per_currency, name, self.usd_per_currency, joint)

    def money(self, usd: float) -> str:
        """An amount given in US dollars, in the currency of the report."""
        return self._with(usd, self.money_unit(usd))

    def _scaled(self, amount: float, name: str, base: float, joint: str) -> Unit:
        """The base unit with the largest scale word that the amount reaches when rounded to three digits."""
        rounded = float(f"{abs(amount):.3g}")
        for scale, word in _SCALES[self.language.code]:
            if rounded >= scale:
                return Unit(f"{word}{joint}{name}".strip(), scale * base)
        return Unit(name, base)

    def _with(self, value: float, unit: Unit) -> str:
        return f"{significant(value / unit.scale)} {unit.name}".strip()
