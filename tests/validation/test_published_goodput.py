"""Effective training times, checkpoint sizes and overheads as others published them."""

import pytest

from myriad import api, catalog
from myriad.estimate.goodput.kokolis import expected_ettr
from myriad.estimate.goodput.lost import CheckpointTimes, blocked_fraction
from myriad.estimate.goodput.state import state_bytes
from myriad.spec.goodput import GoodputQuestion, GoodputResult
from myriad.spec.job import Optimizer
from myriad.units import DAY_S, HOUR_S

RSC_1 = 6.5
RSC_2 = 2.34
"""Failures per 1,000 node-days. Source: Kokolis et al., arXiv 2410.21680."""


def asked(**figures: object) -> GoodputResult:
    return api.goodput(GoodputQuestion.model_validate(figures))


def test_checkpoints_are_as_large_as_published():
    """BLOOM kept 2.3 TB (chronicles of BigScience), which are binary; MT-NLG 530B took 42 min at 20 Gb/s (GEMINI)."""
    adam = Optimizer()
    assert state_bytes(catalog.model("bloom-176b"), adam) / 2**40 == pytest.approx(2.3, rel=0.04)
    without_weights = Optimizer(weight_bytes=0.0)
    assert state_bytes(catalog.model("mt-nlg-530b"), without_weights) == pytest.approx(42 * 60 * 20e9 / 8, rel=0.02)
    bounds = (state_bytes(catalog.model("llama2-70b"), adam, each) for each in (11.0, 14.0))
    low, high = bounds
    assert low < 782e9 < high, "a 70 B checkpoint of 782 GB"


def test_blooms_checkpoints_cost_as_much_as_it_says():
    """40 s every three hours are 0.37 % (BigScience)."""
    level = CheckpointTimes("storage", 3 * HOUR_S, 40.0, 40.0, 0.0)
    assert float(blocked_fraction([level])) == pytest.approx(0.0037, abs=5e-5)
    result = asked(accelerators=384, mtti="5 days", checkpoint_interval="3 h", blocking="40 s")
    assert result.parts["checkpoint"] == pytest.approx(0.0037, abs=1e-4)


@pytest.mark.parametrize(("accelerators", "hours"), [(16384, 1.8), (131072, 0.23)])
def test_mean_time_to_failure_falls_with_the_size_of_the_job(accelerators, hours):
    """The law of Kokolis et al., 1 / (nodes r), as they project it for RSC-1."""
    result = asked(accelerators=accelerators, failures_per_1000_node_days=RSC_1, checkpoint_interval="1 h")
    assert result.mtti_s == pytest.approx(hours * HOUR_S, rel=0.03)


@pytest.mark.parametrize("accelerators", [2048, 4096])
@pytest.mark.parametrize("overhead", ["5 min", "10 min"])
def test_kokolis_ettr_of_large_jobs(accelerators, overhead):
    """Above 0.9 on 2,048 to 4,096 GPUs of RSC-1 with an hour between checkpoints that do not block."""
    result = asked(
        accelerators=accelerators,
        failures_per_1000_node_days=RSC_1,
        checkpoint_interval="1 h",
        blocking=0,
        downtime=overhead,
    )
    assert result.ettr > 0.9
    assert result.ettr == pytest.approx(result.kokolis_ettr, abs=0.005)


def test_kokolis_hypothetical_of_100_000():
    """ETTR 0.9 on 100,000 GPUs at the rate of RSC-2 needs about 2 minutes between checkpoints and to restart."""
    figures = {"accelerators": 100_000, "failures_per_1000_node_days": RSC_2, "blocking": 0}
    assert asked(**figures, checkpoint_interval="2 min", downtime="2 min").ettr > 0.9
    assert asked(**figures, checkpoint_interval="5 min", downtime="5 min").ettr < 0.9
    rate = RSC_2 * 12_500 / 1000 / DAY_S
    assert float(expected_ettr(rate, 120.0, 120.0)) == pytest.approx(0.94, abs=0.005)


def test_llama_3_kept_more_than_nine_tenths():
    """419 interruptions in 54 days on 16,384 GPUs, effective training time above 90 % (Llama 3, section 3.3.4)."""
    bare = asked(accelerators=16384, interruptions=419, duration="54 days", model="llama3.1-405b")
    assert bare.mtti_s == pytest.approx(3.09 * HOUR_S, rel=0.01)
    assert 0.9 < bare.ettr < 0.96
    profiled = asked(cluster="h100:16384", reliability="llama3-h100", model="llama3.1-405b")
    assert 0.9 < profiled.ettr < 0.96


def test_megascale_kept_more_than_nine_tenths():
    """Over 100 restarts in several weeks, found in under 10 minutes and caught up in under 15 (MegaScale, 6.3)."""
    result = asked(
        accelerators=12288, interruptions=100, duration="28 days", downtime="25 min", checkpoint_interval="10 min"
    )
    assert 0.9 < result.ettr < 0.95
