"""Fits to logs that were drawn from known profiles: intervals of 95 % cover the truth about that often."""

from __future__ import annotations

from pathlib import Path

import pytest

from myriad import api, catalog
from myriad.spec.reliability import Reliability
from myriad.spec.reliability_fit import ReliabilityFit
from myriad.units import DAY_S
from reliability_logs import drawn_log, profile

CASES = 20
LEAST = 16
"""Of 20 cases at 95 % fewer than 16 come up once in 400 times. benchmarks/reliability_fits.py counts 200."""
NODES, DAYS = 400, 90.0


def fits(tmp_path: Path, known: Reliability, days: float = DAYS) -> list[ReliabilityFit]:
    found = []
    for seed in range(CASES):
        path = tmp_path / f"{seed}.csv"
        path.write_text(drawn_log(known, NODES, days, seed), "utf-8")
        found.append(api.fit_reliability(path, NODES, days=days))
    return found


def covered(intervals, truth: float) -> int:
    return sum(one.low <= truth <= one.high for one in intervals)


def test_constant_rates_and_repairs(tmp_path):
    lognormal = {"law": "lognormal", "mean": 7200.0, "variation": 1.5}
    rare = {"rate": {"per_1000_unit_days": 0.3}, "repair": {"mean": 3600.0, "law": "exponential"}}
    known = profile({"alpha": {"rate": {"per_1000_unit_days": 2.0}, "repair": lognormal}, "beta": rare})
    found = fits(tmp_path, known)
    for name, cause in known.causes.items():
        mine = [next(one for one in fit.causes if one.name == name) for fit in found]
        assert covered((one.per_1000_node_days for one in mine), cause.rate.per_1000_unit_days) >= LEAST
        assert covered((one.repair.mean_s for one in mine), cause.repair.mean) >= LEAST
        assert sum(one.shape_used != 1.0 for one in mine) <= CASES - LEAST
    assert covered((fit.per_1000_node_days for fit in found), 2.3) >= LEAST
    assert sum(fit.lemons is not None for fit in found) <= 3


@pytest.mark.parametrize(("shape", "days"), [(0.5, 90.0), (2.0, 250.0)])
def test_shapes(tmp_path, shape, days):
    known = profile({"alpha": {"rate": {"per_1000_unit_days": 2.0}, "shape": shape}})
    mine = [fit.causes[0] for fit in fits(tmp_path, known, days)]
    assert covered((one.shape for one in mine), shape) >= LEAST
    assert covered((one.per_1000_node_days for one in mine), 2.0) >= LEAST
    assert all(one.shape_used != 1.0 and one.exponential_p < 0.05 for one in mine)


def test_bursts(tmp_path):
    known = profile(
        {"alpha": {"rate": {"per_1000_unit_days": 3.0}, "burst": 3.0, "burst_within": 120.0, "repaired": 0.0}}
    )
    mine = [fit.causes[0] for fit in fits(tmp_path, known)]
    assert covered((one.per_1000_node_days for one in mine), 3.0) >= LEAST
    assert sum(one.burst for one in mine) / CASES == pytest.approx(3.0, rel=0.1)
    assert sum(one.burst_within_s for one in mine) / CASES == pytest.approx(120.0, rel=0.1)


def test_lemons(tmp_path):
    known = profile({"alpha": {"rate": {"per_1000_unit_days": 4.0}}}, {"share": 0.02, "times": 15.0})
    found = fits(tmp_path, known)
    assert all(fit.lemons is not None for fit in found)
    assert covered((fit.lemons.share for fit in found), 0.02) >= LEAST
    assert covered((fit.per_1000_node_days for fit in found), 4.0) >= LEAST
    assert sum(fit.lemons.times for fit in found) / CASES == pytest.approx(15.0, rel=0.15)


def test_what_is_written_breaks_as_what_was_logged(tmp_path):
    """A fitted entry, read back and drawn from, gives a log whose fit agrees with the first."""
    known = profile(
        {
            "xid 79": {"rate": {"per_1000_unit_days": 3.0}, "repair": {"mean": 4 * 3600.0, "law": "exponential"}},
            "link flap": {"component": "optics", "rate": {"per_1000_unit_days": 2.0}, "repaired": 0.0},
        }
    )
    log = tmp_path / "log.csv"
    log.write_text(drawn_log(known, NODES, DAYS, 7), "utf-8")
    first = api.fit_reliability(log, NODES, days=DAYS, name="mine")
    entry = tmp_path / "mine.yaml"
    entry.write_text(api.reliability_entry_text(first), "utf-8")
    read = catalog.reliability(str(entry))
    assert list(read.causes) == ["gpu-lost", "link-flap"]
    assert read.causes["gpu-lost"].repair.law == "exponential"
    assert (read.causes["link-flap"].reach, read.causes["link-flap"].repaired) == ("none", 0.0)
    log.write_text(drawn_log(read, NODES, DAYS, 8), "utf-8")
    second = api.fit_reliability(log, NODES, days=DAYS)
    for before, after in zip(first.causes, second.causes, strict=True):
        assert after.name == before.name
        assert after.per_1000_node_days.low < before.per_1000_node_days.high
        assert before.per_1000_node_days.low < after.per_1000_node_days.high
    assert read.causes["gpu-lost"].detection.mean == 60.0
    assert read.causes["gpu-lost"].repair.mean < DAY_S
