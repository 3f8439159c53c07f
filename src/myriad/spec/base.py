"""What all descriptions share: frozen values, no unknown keys, quantities that may carry a unit."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from myriad.units import parse_quantity


class Spec(BaseModel):
    """A frozen description. Unknown keys, NaN and infinities are refused; equal specs are equal values."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


def _quantity(dimension: str) -> BeforeValidator:
    def parse(value: Any) -> Any:
        return parse_quantity(value, dimension)

    return BeforeValidator(parse)


def _count(value: Any) -> Any:
    """Whole numbers may be written `10 k` or `1.5 M`; anything with a fraction left over is refused later."""
    if isinstance(value, str):
        number = parse_quantity(value, "tokens")
        return int(number) if number == int(number) else number
    return value


LARGEST_COUNT = 10**12
"""No count is larger, so that columns of counts hold them in 64 bits."""

Bytes = Annotated[float, _quantity("bytes"), Field(ge=0)]
BytesPerS = Annotated[float, _quantity("bytes_per_s"), Field(gt=0)]
Flops = Annotated[float, _quantity("flops"), Field(ge=0)]
FlopsPerS = Annotated[float, _quantity("flops_per_s"), Field(gt=0)]
Seconds = Annotated[float, _quantity("seconds"), Field(ge=0)]
Watts = Annotated[float, _quantity("watts"), Field(ge=0)]
Joules = Annotated[float, _quantity("joules"), Field(ge=0)]
Tokens = Annotated[float, _quantity("tokens"), Field(gt=0)]
Fraction = Annotated[float, _quantity("fraction"), Field(ge=0, le=1)]
Metres = Annotated[float, _quantity("metres"), Field(ge=0)]
Count = Annotated[int, BeforeValidator(_count), Field(ge=1, le=LARGEST_COUNT, strict=True)]
CountOrZero = Annotated[int, BeforeValidator(_count), Field(ge=0, le=LARGEST_COUNT, strict=True)]
