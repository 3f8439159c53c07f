"""Compact ranges: `4096..65536 x2` or `{from: 1, to: 8, steps: 4, scale: log}` -> the values that they stand for."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from myriad.errors import SpecError, unknown_name

MOST_VALUES: Final = 10_000
"""Values of one range at most, so that a slip of a digit does not fill the memory."""

WANTED: Final = "a list, a range such as 4096..65536 x2 or 1..4 +0.5, or {from, to, steps, scale}"

_RANGE: Final = re.compile(r"(?P<low>[^x+]+?)\s*\.\.\s*(?P<high>[^x+]+?)\s*(?P<by>[x+])\s*(?P<step>[^x+]+?)")
_QUANTITY: Final = re.compile(r"\s*([+-]?(?:\d[\d_,]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*")
_KEYS: Final = ("from", "to", "steps", "scale")


def values_of(value: Any, whole: bool = False) -> Any:
    """The values of an axis: of a range those that it stands for, of a list itself. Raises SpecError for anything else.

    Both ends belong to a range, in the text form the upper one only where a step meets it. The unit stands at
    the upper end, or at both and is the same; values keep it. `whole` rounds numbers without a unit.

    >>> values_of("4096..32768 x2")
    [4096, 8192, 16384, 32768]
    >>> values_of("1.5..3 USD/GPU-h +0.5")
    ['1.5 USD/GPU-h', '2 USD/GPU-h', '2.5 USD/GPU-h', '3 USD/GPU-h']
    >>> values_of({"from": 100, "to": "400 Gb/s", "steps": 3, "scale": "log"})
    ['100 Gb/s', '200 Gb/s', '400 Gb/s']
    """
    match value:
        case str():
            return _of_text(value, whole)
        case dict():
            return _of_mapping(value, whole)
        case list() | tuple():
            return value
    raise SpecError(f"expected {WANTED}, found {'nothing' if value is None else value}")


def _of_text(text: str, whole: bool) -> list[Any]:
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise SpecError(f"expected {WANTED}, found text {text!r}")
    low, high, unit = _ends(match["low"], match["high"])
    step, step_unit = _quantity(match["step"])
    if match["by"] == "x":
        if low <= 0 or step <= 1 or step_unit:
            raise SpecError(f"range {text!r}: a range by factors begins above 0 and has a plain factor above 1")
        number = _count(math.log(high / low) / math.log(step), text)
        return _values([low * step**i for i in range(number)], unit, whole, text)
    if step <= 0 or step_unit not in ("", unit):
        raise SpecError(f"range {text!r}: the step must be above 0, in the unit of the upper end")
    number = _count((high - low) / step, text)
    return _values([low + step * i for i in range(number)], unit, whole, text)


def _of_mapping(range_: dict[str, Any], whole: bool) -> list[Any]:
    for key in range_:
        if key not in _KEYS:
            raise SpecError(unknown_name("key of a range", str(key), _KEYS))
    for key in _KEYS[:3]:
        if key not in range_:
            raise SpecError(f"a range needs the key {key!r}, as in {{from: 1, to: 8, steps: 4, scale: log}}")
    steps, scale = range_["steps"], range_.get("scale", "linear")
    if isinstance(steps, bool) or not isinstance(steps, int) or not 2 <= steps <= MOST_VALUES:
        raise SpecError(f"steps: expected a whole number from 2 to {MOST_VALUES:,}, found {steps}")
    if scale not in ("linear", "log"):
        raise SpecError(f"scale: {unknown_name('scale', str(scale), ('linear', 'log'))}")
    low, high, unit = _ends(range_["from"], range_["to"])
    shares = [i / (steps - 1) for i in range(steps)]
    text = f"{range_['from']}..{range_['to']}"
    if scale == "linear":
        return _values([low + (high - low) * share for share in shares], unit, whole, text)
    if low <= 0:
        raise SpecError(f"range {text!r}: with scale log it must begin above 0")
    return _values([low * (high / low) ** share for share in shares], unit, whole, text)


def _ends(low: Any, high: Any) -> tuple[float, float, str]:
    """Both ends as numbers, and their unit."""
    first, first_unit = _quantity(low)
    last, unit = _quantity(high)
    if first_unit not in ("", unit):
        raise SpecError(f"range from {low} to {high}: both ends must have the same unit")
    if last <= first:
        raise SpecError(f"range from {low} to {high}: the upper end must be above the lower one")
    return first, last, unit


def _quantity(value: Any) -> tuple[float, str]:
    """A number and the unit behind it."""
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        number, unit = float(match[1].replace(",", "").replace("_", "")), match[2]
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        number, unit = float(value), ""
    else:
        raise SpecError(f"expected a number at each end of a range, found {value!r}")
    if not math.isfinite(number):
        raise SpecError(f"expected a finite number at each end of a range, found {value!r}")
    return number, unit


def _count(steps: float, text: str) -> int:
    if steps >= MOST_VALUES:
        raise SpecError(f"range {text!r} has more than {MOST_VALUES:,} values")
    return math.floor(steps + 1e-9) + 1


def _values(numbers: list[float], unit: str, whole: bool, text: str) -> list[Any]:
    """Values as they would be written one by one: twelve digits, so that no dust of floating point is left."""
    if unit:
        return [f"{number:.12g} {unit}" for number in numbers]
    clean = [float(f"{number:.12g}") for number in numbers]
    values = [round(number) if whole or number.is_integer() else number for number in clean]
    if len(set(values)) < len(values):
        raise SpecError(f"range {text!r}: some of its values are equal after rounding to whole numbers")
    return values
