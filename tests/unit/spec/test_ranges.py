import pytest

from myriad.errors import SpecError
from myriad.spec.ranges import values_of


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("4096..65536 x2", [4096, 8192, 16384, 32768, 65536]),
        ("4096..10000x2", [4096, 8192]),
        ("1..2 +0.25", [1, 1.25, 1.5, 1.75, 2]),
        ("0.1..0.3 +0.1", [0.1, 0.2, 0.3]),
        ("100..800 Gb/s x2", ["100 Gb/s", "200 Gb/s", "400 Gb/s", "800 Gb/s"]),
        ("4 k..16 k x2", ["4 k", "8 k", "16 k"]),
        ("5..15% +5%", ["5 %", "10 %", "15 %"]),
        ({"from": 1000, "to": 10000, "steps": 4, "scale": "log"}, [1000, 2154, 4642, 10000]),
        ({"from": 0, "to": 4, "steps": 3}, [0, 2, 4]),
        ([3, "4 k"], [3, "4 k"]),
    ],
)
def test_a_range_stands_for_its_values(text, values):
    whole = isinstance(text, dict)
    assert values_of(text, whole) == values


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("5..1 x2", "the upper end must be above"),
        ("1..8", "a range such as"),
        ("a..b x2", "a number at each end"),
        ("0..8 x2", "begins above 0"),
        ("1..8 x1", "factor above 1"),
        ("1..8 +0", "above 0"),
        ("1 TB/s..8 Gb/s x2", "same unit"),
        ("1..8 Gb/s +1 TB/s", "unit of the upper end"),
        ("1..1e9 +1", "more than 10,000 values"),
        ("1..3 +0.1", "equal after rounding"),
        ("1..2 x2 x2", "a range such as"),
        (8, "a range such as"),
        (None, "found nothing"),
        ({"from": 1, "to": 2, "step": 3}, "did you mean 'steps'"),
        ({"from": 1, "to": 2}, "needs the key 'steps'"),
        ({"from": 1, "to": 2, "steps": 1}, "from 2 to"),
        ({"from": 1, "to": 2, "steps": True}, "from 2 to"),
        ({"from": 1, "to": 2, "steps": 2, "scale": "lg"}, "did you mean 'log'"),
        ({"from": 0, "to": 2, "steps": 2, "scale": "log"}, "begin above 0"),
        ({"from": [1], "to": 2, "steps": 2}, "a number at each end"),
    ],
)
def test_a_wrong_range_says_what_is_wrong(value, wanted):
    with pytest.raises(SpecError, match=wanted):
        values_of(value, whole=True)
