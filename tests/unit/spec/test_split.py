"""Splits as text, as lists, and in layouts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from myriad.spec.layout import Layout
from myriad.spec.split import parse_split, split_text

splits = st.lists(st.integers(0, 200), min_size=1, max_size=80).map(tuple)


@given(splits)
def test_text_and_numbers_are_the_same_split(split):
    assert parse_split(split_text(split)) == split
    assert parse_split(list(split)) == split


@pytest.mark.parametrize(
    ("text", "split"),
    [("7,8,8,7", (7, 8, 8, 7)), ("7, 8*2 ,7", (7, 8, 8, 7)), (["3", "2*2", 0], (3, 2, 2, 0)), ("12", (12,))],
)
def test_forms_of_a_split(text, split):
    assert parse_split(text) == split


@pytest.mark.parametrize(
    "wrong", ["", "7,,8", "7;8", "-1,8", "1.5,2", "8*", "8*999999", [1.5], [True], 7, None, "²,3", "9" * 9]
)
def test_what_is_no_split(wrong):
    with pytest.raises(ValueError, match=r"expected layers per chunk|at most 10,000 chunks"):
        parse_split(wrong)


def test_a_layout_keeps_its_split():
    layout = Layout(tp=2, pp=2, vpp=2, split="3,4*2,0")
    assert layout.split == (3, 4, 4, 0)
    assert layout.text() == "TP2 PP2x2 split(3,4*2,0) DP1 ZeRO-1 mb1"
    assert Layout.model_validate_json(layout.model_dump_json()) == layout
    assert layout.without_split() == Layout(tp=2, pp=2, vpp=2)
    assert layout.without_split().without_split() is not layout


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"pp": 4, "split": "7,8"}, "split has length 2; pp 4 has 4 chunks"),
        ({"pp": 2, "vpp": 3, "split": "7,8"}, "split has length 2; pp 2 x vpp 3 has 6 chunks"),
        ({"pp": 4, "split": "7,0,8,8"}, "only the first and the last chunk without layers"),
    ],
)
def test_a_split_fits_its_layout(values, problem):
    with pytest.raises(ValidationError, match=problem):
        Layout(**values)
