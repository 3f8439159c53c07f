"""One formula, one description."""

from __future__ import annotations

from pathlib import Path

from myriad.catalog import read_spec
from myriad.spec.system import System
from myriad.units import parse_quantity

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_parse_quantity(benchmark) -> None:
    assert benchmark(parse_quantity, "400 Gb/s", "bytes_per_s") == 50e9


def test_read_system_file(benchmark) -> None:
    assert benchmark(read_spec, EXAMPLES / "human-car-home.yaml", System).jobs
