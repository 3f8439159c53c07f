"""Fitted factors over assumed figures."""

from __future__ import annotations

import pytest

from myriad import catalog
from myriad.catalog.fitted import factors_of, training_fit, with_factors
from myriad.errors import SpecError
from myriad.spec.calibration import Stack
from myriad.spec.fitted import Factor


def factor(value: float, *figures: str) -> Factor:
    return Factor(figures=figures, meaning="any", factor=value, spread=0.1, uncertainty=0.1, rows=1)


def nemo(*factors: Factor) -> Stack:
    assumed = catalog.assumed("stacks", "nemo").spec
    assert isinstance(assumed, Stack)
    return with_factors(assumed, factors_of("stacks", "nemo", factors))


def test_factors_multiply_the_assumed_figure_of_their_entries():
    before = nemo()
    after = nemo(
        factor(2.0, "stacks/*/stream_passes"), factor(1.5, "stacks/nemo/stream_passes", "stacks/nemo/gemm_share")
    )
    assert after.stream_passes == pytest.approx(3.0 * before.stream_passes)
    assert after.gemm_share == pytest.approx(1.5)
    assert nemo(factor(2.0, "stacks/fsdp/stream_passes"), factor(2.0, "kernels/nemo/stream_passes")) == before


def test_shares_inside_groups_start_from_one_and_fractions_stop_there():
    after = nemo(factor(1.4, "stacks/*/stretch/tp"), factor(9.0, "stacks/*/expert_overlap"))
    assert after.stretch_of("tp") == pytest.approx(1.4)
    assert after.stretch_of("dp") == 1.0
    assert after.expert_overlap == 1.0


def test_a_release_differs_from_its_software_and_unknown_ones_are_refused():
    assert nemo(factor(0.9, "stacks/nemo/releases/25.02/gemm_share")).at_release("25.02").gemm_share == 0.9
    assert catalog.stack("nemo@25.02").name == catalog.stack("nemo").name
    with pytest.raises(SpecError, match=r"25\.02"):
        catalog.stack("nemo@25.03")


def test_shipped_entries_carry_their_fitted_figures_with_the_assumed_ones():
    entry = catalog.entry("stacks", "nemo")
    figure = entry.figures["stream_passes"]
    assert figure.kind == "fitted"
    assert "assumed" in figure.conflict
    assert entry.sources[figure.source].title == training_fit().title
    assumed = catalog.assumed("stacks", "nemo")
    assert assumed.figures["stream_passes"].kind == "assumed"


def test_every_factor_names_figures_that_exist():
    for one in training_fit().factors:
        for path in one.figures:
            kind, name, *keys = path.split("/")
            names = catalog.names(kind) if name == "*" else [name]
            assert set(names) <= set(catalog.names(kind)), path
            spec = type(catalog.assumed(kind, names[0]).spec)
            assert keys[0] in spec.model_fields, path
