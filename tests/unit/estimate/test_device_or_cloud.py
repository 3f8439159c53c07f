"""Device against cloud, on paper."""

from __future__ import annotations

import pytest

from myriad.estimate.device_or_cloud import device_or_cloud
from myriad.spec.on_device import CloudOffer, DeviceSpeed

SPEED = DeviceSpeed(
    model="m", device="d", runtime="r", unit="npu", quantisation="q4_0", prompt_tokens=1000, output_tokens=101,
    ttft_s=0.2, prefill_tokens_per_s=5000, decode_tokens_per_s=20, answer_s=5.2, decode_within=1.2,
    prefill_within=1.3, calibrated=True, memory_bytes=1e9, usable_memory_bytes=None, fits=None, power_watts=10,
    power_from="given", answer_joules=52,
)  # fmt: skip
OFFER = CloudOffer(round_trip=0.1, ttft=0.4, tpot=0.02, usd_per_input_token=1e-6, usd_per_output_token=4e-6)


def test_a_slow_device_is_quicker_only_for_short_answers():
    found = device_or_cloud(SPEED, OFFER, usd_per_kwh=0.36)
    assert (found.device_s, found.cloud_s) == (5.2, pytest.approx(0.5 + 100 * 0.02))
    assert found.faster == "cloud"
    assert found.break_even_output_tokens == pytest.approx(1 + 0.3 / 0.03)
    assert not found.device_gains
    assert found.device_usd == pytest.approx(52 * 0.36 / 3.6e6)
    assert found.cloud_usd == pytest.approx(1e-3 + 101 * 4e-6)
    assert found.cheaper == "device"


def test_at_the_break_even_both_take_the_same_time():
    found = device_or_cloud(SPEED, OFFER)
    tokens = found.break_even_output_tokens
    assert tokens is not None
    assert SPEED.ttft_s + (tokens - 1) * 0.05 == pytest.approx(0.5 + (tokens - 1) * 0.02)


def test_a_device_that_is_quicker_in_all_has_no_break_even():
    found = device_or_cloud(SPEED.model_copy(update={"answer_s": 1.2}), OFFER)
    assert found.faster == "device"
    assert found.device_gains
    assert found.break_even_output_tokens is None


def test_a_long_prompt_is_caught_up_by_a_quick_device():
    late = SPEED.model_copy(update={"ttft_s": 1.5, "answer_s": 2.5})
    found = device_or_cloud(late, OFFER)
    assert found.device_gains
    assert found.break_even_output_tokens == pytest.approx(1 + 1.0 / 0.01)


def test_without_a_price_or_a_power_the_cost_is_unknown():
    assert device_or_cloud(SPEED, OFFER).cheaper is None
    unknown = SPEED.model_copy(update={"answer_joules": None})
    assert device_or_cloud(unknown, OFFER, usd_per_kwh=0.1).device_usd is None
