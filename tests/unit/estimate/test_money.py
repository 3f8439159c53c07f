import pytest

from myriad.errors import SpecError
from myriad.estimate.money import cost_lines, energy_joules
from myriad.spec.system import Owned, Rented

RATES = {"USD": 1.0, "CNY": 0.14}
HOUR, YEAR = 3600.0, 365.25 * 86400


def lines(terms, num_gpus=100, seconds=10 * HOUR, watts=1000.0):
    return {line.name: line for line in cost_lines(terms, num_gpus, seconds, watts, RATES)}


def owned(**more):
    values = {"price_per_gpu": "40000 USD/GPU", "lifetime": "4 years", "electricity": "0.1 USD/kWh", "pue": 1.2}
    return Owned.model_validate(values | more)


def test_rent_is_hours_times_price():
    (rent,) = lines(Rented.model_validate({"price": "2.5 USD/GPU-h"})).values()
    assert rent.name == "rent"
    assert rent.amount_usd == pytest.approx(100 * 10 * 2.5)
    assert rent.basis == "1,000 GPU-h at 2.5 USD/GPU-h"


def test_other_currencies_are_converted_once():
    (rent,) = lines(Rented.model_validate({"price": "10 CNY/GPU-h"})).values()
    assert rent.amount_usd == pytest.approx(100 * 10 * 10 * 0.14)
    with pytest.raises(SpecError, match="no exchange rate for EUR"):
        lines(Rented.model_validate({"price": "10 EUR/GPU-h"}))


def test_owned_accelerators_are_written_off_and_powered():
    found = lines(owned(), seconds=YEAR)
    assert list(found) == ["hardware", "electricity"]
    assert found["hardware"].amount_usd == pytest.approx(100 * 40000 / 4)
    assert found["electricity"].amount_usd == pytest.approx(100 * 1.0 * 1.2 * 365.25 * 24 * 0.1)


def test_a_whole_life_costs_the_whole_price():
    assert lines(owned(), seconds=4 * YEAR)["hardware"].amount_usd == pytest.approx(100 * 40000)


def test_operations_are_a_yearly_share_of_the_price():
    found = lines(owned(operations_fraction_per_year="5 %"), seconds=YEAR / 2)
    assert found["operations"].amount_usd == pytest.approx(100 * 40000 * 0.05 / 2)


def test_without_power_there_is_no_electricity():
    assert list(lines(owned(), watts=None)) == ["hardware"]


def test_energy_is_power_times_time_times_pue():
    assert energy_joules(8, 3600.0, 1275.0) == pytest.approx(8 * 1.275 * 3.6e6)
    assert energy_joules(8, 3600.0, 1275.0, 1.5) == pytest.approx(1.5 * energy_joules(8, 3600.0, 1275.0))
