"""On-device speeds on published rows: what the shipped calibration reaches, on rows that it saw and did not see."""

from __future__ import annotations

import pytest

from myriad import api, catalog
from myriad.spec.on_device import DeviceFactor


@pytest.fixture(scope="module")
def result():
    return api.validate_device()


def test_nearly_all_rows_are_judged(result):
    assert result.predicted >= 0.98 * result.rows
    assert sum(map(len, result.skipped.values())) + result.predicted == result.rows


def test_errors_stay_within_the_aims(result):
    assert result.overall.decode.median <= 0.06
    assert result.overall.prefill.median <= 0.11


def test_models_left_out_stay_within_the_aims(result):
    assert result.fitted["model"].decode.median <= 0.10
    assert result.fitted["model"].prefill.median <= 0.20


def test_the_stated_errors_are_those_of_the_shipped_figures(result):
    """The rows of runtimes that were not fitted are few."""
    for kind in ("decode", "prefill"):
        stated, found = getattr(result.fitted["fitted"], kind), getattr(result.overall, kind)
        assert found.median == pytest.approx(stated.median, abs=0.003)


def test_no_figure_belongs_to_a_model():
    assert set(DeviceFactor.model_fields) == {
        "rate", "quantisation", "accelerator", "method", "value", "prior", "spread", "rows",
    }  # fmt: skip
    for one in catalog.device_fit().runtimes:
        for factor in one.factors:
            assert factor.accelerator is None or factor.accelerator in catalog.names("accelerators")
            assert factor.quantisation is None or factor.quantisation in catalog.names("quantisations")


def test_a_pass_reads_no_faster_than_the_memory_can():
    """Weights are read at no more than 1.15 of the printed bandwidth, which rounds, on every chip that rows fix."""
    for one in catalog.device_fit().runtimes:
        base = next(f.value for f in one.factors if f.rate == "weights" and not f.accelerator and not f.quantisation)
        for chip, rows in one.accelerators.items():
            share = base * next(f.value for f in one.factors if f.rate == "weights" and f.accelerator == chip)
            for name in one.quantisations if rows >= 3 else ():
                own = [f.value for f in one.factors if f.rate == "weights" and f.quantisation == name]
                assert share * (own[0] if own else 1.0) <= 1.15, (one.runtime, chip, name)
