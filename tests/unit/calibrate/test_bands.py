"""Bands hold what they claim on errors that they were not made from."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.calibrate.bands import SHARE, HeldOut, bands, coverage
from myriad.estimate.uncertainty import band, half_width
from myriad.spec.fitted import Bands

RNG = np.random.default_rng(2)
ROWS = 3000
FAMILIES = tuple(RNG.choice(["dense", "moe", "hybrid"], ROWS).tolist())
WIDTH = np.array([{"dense": 0.05, "moe": 0.15, "hybrid": 0.2}[family] for family in FAMILIES])
GROUPS = {kind: RNG.integers(0, 12, ROWS).astype(str).tolist() for kind in ("lineage", "stack", "accelerator")}


def held(stack_extra: float = 0.1) -> HeldOut:
    noise = {kind: np.abs(RNG.normal(size=ROWS)) for kind in GROUPS}
    extra = {"lineage": 0.0, "stack": stack_extra, "accelerator": 0.0}
    return HeldOut(FAMILIES, GROUPS, {kind: noise[kind] * np.hypot(WIDTH, extra[kind]) for kind in GROUPS})


def test_widths_are_the_quantiles_of_each_family():
    found = bands(held())
    assert found.families["dense"] == pytest.approx(1.28 * 0.05, rel=0.1)
    assert found.families["moe"] == pytest.approx(1.28 * 0.15, rel=0.1)
    assert found.unknown_stack == pytest.approx(1.28 * 0.1, rel=0.15)
    assert found.unknown_accelerator < 0.05


def test_bands_from_other_groups_hold_their_share():
    for share in coverage(held()).values():
        assert share == pytest.approx(SHARE, abs=0.03)


def test_bands_that_do_not_hold_for_other_groups_are_found_out():
    drawn = held()
    halves = np.array(["calm", "wild"])[RNG.integers(0, 2, ROWS)]
    errors = {**drawn.errors, "lineage": drawn.errors["lineage"] * np.where(halves == "wild", 10.0, 1.0)}
    shares = coverage(HeldOut(FAMILIES, {**GROUPS, "lineage": halves.tolist()}, errors))
    assert shares["lineage"] < SHARE - 0.1


def test_what_is_unknown_widens_the_band_in_squares():
    widths = Bands(
        share=0.8, families={"dense": 0.03, "moe": 0.1, "hybrid": 0.1}, unknown_stack=0.04, unknown_accelerator=0.12
    )
    assert half_width(widths, "dense", "known") == pytest.approx(0.03)
    assert half_width(widths, "dense", "unknown stack") == pytest.approx(0.05)
    assert half_width(widths, "dense", "unknown both") == pytest.approx(0.13)
    around = band(10.0, widths, "dense", "known")
    assert around.low_step_s * around.high_step_s == pytest.approx(100.0)
    assert around.low_step_s < 10.0 < around.high_step_s
