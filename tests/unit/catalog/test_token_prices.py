"""Prices of tokens in the catalog: each named once, of known models or in plain words, in any order of size but one."""

from collections import Counter

import pytest

from myriad import catalog
from myriad.errors import SpecError


def test_names_are_unique_over_all_lists():
    counted = Counter(name for one in catalog.entries("prices") for name in one.spec.token_prices)
    assert len(counted) >= 30
    assert set(counted.values()) == {1}


def test_prices_name_models_of_the_catalog_or_plain_words():
    known = set(catalog.names("models"))
    assert {price.item for price in catalog.token_prices().values() if " " not in price.item} <= known


@pytest.mark.parametrize("name", sorted(catalog.token_prices()))
def test_cached_input_is_cheapest_and_output_dearest(name):
    price = catalog.token_price(name)
    assert 0 < price.of_cached.amount <= price.input.amount <= price.output.amount
    assert price.date
    assert price.provider


def test_prices_of_one_model():
    assert set(catalog.token_prices("mimo-v2-flash")) == {
        "mimo-v2-flash-2025", "mimo-v2-flash-novita", "mimo-v2-flash-chutes",
    }  # fmt: skip
    assert catalog.token_price("mimo-v2-flash-2025").input.amount == pytest.approx(0.1e-6)


def test_unknown_prices_name_the_nearest():
    with pytest.raises(SpecError, match="mimo-v2-flash-2025"):
        catalog.token_price("mimo-v2-flash-2026")
