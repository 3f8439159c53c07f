"""Quantities: text with a unit in, base units inside, readable text out.

Base units are byte, FLOP, second, watt, joule, token, US dollar and their quotients. Bits become
bytes on reading. Prefixes are decimal (k M G T P E) or binary (Ki Mi Gi Ti); `GB` is 1e9 bytes
and `GiB` 2**30. Nothing else in Myriad multiplies by 1024 or 1e9.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from myriad.errors import SpecError, nearest

HOUR_S: Final = 3600.0
DAY_S: Final = 86400.0
YEAR_S: Final = 365.25 * DAY_S
THOUSAND_DAYS_S: Final = 1000.0 * DAY_S
"""What published failures are counted by: 1,000 node-days, and those of other units."""
GB: Final = 1e9
KIB: Final = float(2**10)
MIB: Final = float(2**20)
GIB: Final = float(2**30)

_DECIMAL: Final = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY: Final = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50}
_COUNT: Final = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12, "万": 1e4, "亿": 1e8}


def _prefixed(symbols: tuple[str, ...], scale: float, prefixes: Mapping[str, float]) -> dict[str, float]:
    return {p + s: f * scale for p, f in prefixes.items() for s in symbols}


def _per_second(table: Mapping[str, float]) -> dict[str, float]:
    return {u + end: f for u, f in table.items() for end in ("/s", "ps") if u}


_BYTES: Final = _prefixed(("B",), 1.0, {**_DECIMAL, **_BINARY}) | _prefixed(("b", "bit"), 0.125, _DECIMAL)
_FLOPS: Final = _prefixed(("FLOP",), 1.0, _DECIMAL)
_OPS: Final = _prefixed(("OP",), 1.0, _DECIMAL)
_SECONDS: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "min": 60.0,
    "h": HOUR_S, "hour": HOUR_S, "hours": HOUR_S, "d": DAY_S, "day": DAY_S, "days": DAY_S,
    "week": 7 * DAY_S, "weeks": 7 * DAY_S, "year": YEAR_S, "years": YEAR_S,
}  # fmt: skip
_WATTS: Final = _prefixed(("W",), 1.0, _DECIMAL)
_JOULES: Final = _prefixed(("J",), 1.0, _DECIMAL) | _prefixed(("Wh",), HOUR_S, _DECIMAL)

#: Dimension -> unit text -> factor to the base unit. An empty unit text means that a bare number is fine.
DIMENSIONS: Final[dict[str, dict[str, float]]] = {
    "bytes": {"": 1.0, **_BYTES},
    "bytes_per_s": {"": 1.0, **_per_second(_BYTES)},
    "flops": {"": 1.0, **_FLOPS},
    "flops_per_s": {"": 1.0, **_per_second(_FLOPS), **_prefixed(("FLOPS",), 1.0, _DECIMAL),
                    **_per_second(_OPS), **_prefixed(("OPS",), 1.0, _DECIMAL)},
    "seconds": {"": 1.0, **_SECONDS},
    "watts": {"": 1.0, **_WATTS},
    "joules": {"": 1.0, **_JOULES},
    "tokens": {p + sep + s: f for p, f in _COUNT.items() for sep in ("", " ") for s in ("", "tokens", "token")},
    "count": dict(_COUNT),
    "fraction": {"": 1.0, "%": 0.01},
    "metres": {"": 1.0, "m": 1.0, "km": 1e3},
}  # fmt: skip

#: Denominator of a price -> (what it is per, how many base units of that).
MONEY_DENOMINATORS: Final[dict[str, tuple[str, float]]] = {
    "": ("", 1.0),
    "kWh": ("joule", 1000.0 * HOUR_S), "MWh": ("joule", 1e6 * HOUR_S), "J": ("joule", 1.0),
    "GPU-h": ("gpu_s", HOUR_S), "GPU-hour": ("gpu_s", HOUR_S),
    "GPU-day": ("gpu_s", DAY_S), "GPU-year": ("gpu_s", YEAR_S),
    "year": ("s", YEAR_S), "month": ("s", YEAR_S / 12), "hour": ("s", HOUR_S), "h": ("s", HOUR_S),
    "GPU": ("gpu", 1.0), "W": ("watt", 1.0), "kW": ("watt", 1e3),
    "M tokens": ("token", 1e6), "million tokens": ("token", 1e6), "GB": ("byte", 1e9),
}  # fmt: skip

CURRENCIES: Final = ("USD", "CNY", "EUR", "HKD", "JPY", "GBP", "KRW", "TWD")

_NUMBER: Final = re.compile(r"^\s*([+-]?(?:\d[\d_,]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*$")


def _split(text: str) -> tuple[float, str]:
    match = _NUMBER.match(text)
    if match is None:
        raise SpecError(f"{text!r} is not a number with a unit")
    return float(match[1].replace(",", "").replace("_", "")), " ".join(match[2].split())


def parse_quantity(value: object, dimension: str) -> float:
    """The quantity in base units of its dimension (a key of `DIMENSIONS`).

    Takes a number (already in base units) or text with a unit. Raises SpecError for anything that
    is not finite, has a unit of another dimension, or is a boolean.

    >>> parse_quantity("80 GB", "bytes"), parse_quantity("400 Gb/s", "bytes_per_s")
    (80000000000.0, 50000000000.0)
    >>> parse_quantity("15 T tokens", "tokens"), parse_quantity("90 days", "seconds")
    (15000000000000.0, 7776000.0)
    """
    units = DIMENSIONS[dimension]
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise SpecError(f"expected a quantity ({dimension.replace('_per_', '/')}), found {type(value).__name__}")
    if isinstance(value, str):
        number, unit = _split(value)
        if unit not in units:
            examples = [u for u in units if u][:8]
            hint = nearest(unit, units) or "; allowed: " + ", ".join(examples) + ", ..."
            raise SpecError(f"unknown unit {unit!r} for {dimension.replace('_per_', '/')} in {value!r}{hint}")
        number *= units[unit]
    else:
        number = float(value)
    if not math.isfinite(number):
        raise SpecError(f"expected a finite number, found {value!r}")
    return number


def parse_money(text: object) -> tuple[float, str, str]:
    """A price as (amount per base unit, currency, what it is per).

    The text is an amount, a currency of `CURRENCIES` and an optional denominator of
    `MONEY_DENOMINATORS`. Raises SpecError for a bare number: money needs its currency.

    >>> parse_money("3.6 USD/GPU-h")
    (0.001, 'USD', 'gpu_s')
    >>> parse_money("10 B CNY")
    (10000000000.0, 'CNY', '')
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        raise SpecError(f"an amount of money needs its currency, for example '{text} USD'")
    if not isinstance(text, str):
        raise SpecError(f"expected an amount of money, found {type(text).__name__}")
    number, unit = _split(text)
    left, _, denominator = (part.strip() for part in unit.partition("/"))
    scale, _, currency = left.rpartition(" ")
    if scale not in _COUNT or currency not in CURRENCIES:
        hint = nearest(left, CURRENCIES)
        raise SpecError(f"unknown currency {left!r} in {text!r}{hint or '; allowed: ' + ', '.join(CURRENCIES)}")
    if denominator not in MONEY_DENOMINATORS:
        hint = nearest(denominator, MONEY_DENOMINATORS)
        raise SpecError(f"unknown denominator {denominator!r} in {text!r}{hint}")
    per, base_units = MONEY_DENOMINATORS[denominator]
    amount = number * _COUNT[scale] / base_units
    if not math.isfinite(amount):
        raise SpecError(f"expected a finite amount, found {text!r}")
    return amount, currency, per


def format_si(value: float, unit: str = "", digits: int = 3) -> str:
    """The value with a decimal prefix and `digits` significant digits.

    >>> format_si(1.234e12, "FLOP/s")
    '1.23 TFLOP/s'
    >>> format_si(0.0, "B")
    '0 B'
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}".strip()
    prefixes = ["n", "µ", "m", "", "k", "M", "G", "T", "P", "E", "Z", "Y"]
    index = min(max(math.floor(math.log10(abs(value)) / 3) + 3, 0), len(prefixes) - 1)
    return f"{value / 10.0 ** (3 * (index - 3)):.{digits}g} {prefixes[index]}{unit}".strip()


def format_bytes(value: float) -> str:
    """The size in GiB (or MiB when small), as frameworks and `nvidia-smi` print it.

    >>> format_bytes(80e9)
    '74.5 GiB'
    """
    return f"{value / GIB:.1f} GiB" if abs(value) >= GIB / 10 else f"{value / MIB:.1f} MiB"


def format_seconds(value: float) -> str:
    """The duration in the unit a person would choose.

    >>> format_seconds(0.0123), format_seconds(93.0), format_seconds(200000.0)
    ('12.3 ms', '93 s', '2.31 days')
    """
    for limit, factor, unit in ((1e-3, 1e-6, "µs"), (1.0, 1e-3, "ms"), (600.0, 1.0, "s"), (2 * HOUR_S, 60.0, "min"),
                                (2 * DAY_S, HOUR_S, "h"), (math.inf, DAY_S, "days")):  # fmt: skip
        if float(f"{abs(value):.3g}") < limit:  # as it is shown: 999.7 ms are 1 s
            return f"{value / factor:.3g} {unit}"
    return f"{value:g} s"
