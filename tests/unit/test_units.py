import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myriad.errors import SpecError
from myriad.units import DIMENSIONS, format_bytes, format_seconds, format_si, parse_money, parse_quantity


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("80 GB", "bytes", 80e9),
        ("80GB", "bytes", 80e9),
        ("80 GiB", "bytes", 80 * 2**30),
        ("8 Gb", "bytes", 1e9),
        ("400 Gb/s", "bytes_per_s", 50e9),
        ("400Gbps", "bytes_per_s", 50e9),
        ("3.35 TB/s", "bytes_per_s", 3.35e12),
        ("989 TFLOP/s", "flops_per_s", 989e12),
        ("989 TFLOPS", "flops_per_s", 989e12),
        ("275 TOPS", "flops_per_s", 275e12),
        ("2 PFLOP/s", "flops_per_s", 2e15),
        ("5 us", "seconds", 5e-6),
        ("5 µs", "seconds", 5e-6),
        ("90 days", "seconds", 90 * 86400),
        ("10.2 kW", "watts", 10_200),
        ("1 kWh", "joules", 3.6e6),
        ("15 T tokens", "tokens", 15e12),
        ("15T", "tokens", 15e12),
        ("1万", "count", 1e4),
        ("16_384", "count", 16384),
        ("16,384", "count", 16384),
        ("85 %", "fraction", 0.85),
        ("20 km", "metres", 2e4),
        (7, "bytes", 7.0),
        ("-1.5e3 B", "bytes", -1500.0),
    ],
)
def test_reads_quantities(text, dimension, value):
    assert parse_quantity(text, dimension) == pytest.approx(value)


@pytest.mark.parametrize(
    ("value", "dimension", "said"),
    [
        ("80 GBB", "bytes", "unknown unit 'GBB' for bytes in '80 GBB'; did you mean "),
        ("80 W", "bytes", "unknown unit 'W' for bytes"),
        ("80 GB", "bytes_per_s", "for bytes/s"),
        ("80 gb", "bytes", "unknown unit 'gb'"),
        ("many", "bytes", "'many' is not a number with a unit"),
        ("", "bytes", "not a number"),
        ("1e999", "bytes", "finite"),
        (math.nan, "bytes", "finite"),
        (math.inf, "seconds", "finite"),
        (True, "bytes", "found bool"),
        (None, "bytes", "found NoneType"),
        ([1], "bytes", "found list"),
    ],
)
def test_refuses_what_is_no_quantity(value, dimension, said):
    with pytest.raises(SpecError) as caught:
        parse_quantity(value, dimension)
    assert said in str(caught.value)


@given(st.sampled_from(sorted(DIMENSIONS)), st.data(), st.integers(1, 10**6))
def test_every_unit_scales_linearly(dimension, data, number):
    unit = data.draw(st.sampled_from(sorted(DIMENSIONS[dimension])))
    assert parse_quantity(f"{number} {unit}", dimension) == number * DIMENSIONS[dimension][unit]


@pytest.mark.parametrize(
    ("text", "amount", "currency", "per"),
    [
        ("2 USD/GPU-h", 2 / 3600, "USD", "gpu_s"),
        ("0.6 CNY/kWh", 0.6 / 3.6e6, "CNY", "joule"),
        ("9.1 B CNY", 9.1e9, "CNY", ""),
        ("10 亿 CNY", 1e9, "CNY", ""),
        ("3 USD/M tokens", 3e-6, "USD", "token"),
        ("45810 USD/GPU", 45810, "USD", "gpu"),
    ],
)
def test_reads_money(text, amount, currency, per):
    found = parse_money(text)
    assert found[0] == pytest.approx(amount)
    assert found[1:] == (currency, per)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (2, "needs its currency, for example '2 USD'"),
        (2.5, "needs its currency"),
        (True, "expected an amount of money, found bool"),
        (None, "found NoneType"),
        ("2", "unknown currency ''"),
        ("2 USB", "unknown currency 'USB' in '2 USB'; did you mean 'USD'"),
        ("2 USD/GPU-hr", "unknown denominator 'GPU-hr' in '2 USD/GPU-hr'; did you mean 'GPU-h'"),
        ("two USD", "not a number"),
        ("1e999 USD", "finite"),
    ],
)
def test_refuses_what_is_no_money(value, said):
    with pytest.raises(SpecError) as caught:
        parse_money(value)
    assert said in str(caught.value)


def test_readable_text():
    assert format_si(989e12, "FLOP/s") == "989 TFLOP/s"
    assert format_si(-1500, "W") == "-1.5 kW"
    assert format_si(math.inf, "s") == "inf s"
    assert format_si(1e40, "B").endswith("YB")
    assert format_bytes(1e6) == "1.0 MiB"
    assert format_bytes(2**30) == "1.0 GiB"
    assert format_seconds(0) == "0 µs"
    assert format_seconds(700) == "11.7 min"
    assert [format_seconds(one) for one in (0.9994, 0.9997, 0.0009997, 599.9)] == ["999 ms", "1 s", "1 ms", "10 min"]
    assert format_seconds(math.inf) == "inf s"
