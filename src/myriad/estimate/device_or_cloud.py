"""When an answer is quicker, cheaper or thriftier on the device than from the cloud."""

from __future__ import annotations

from myriad.spec.on_device import CloudOffer, DeviceOrCloud, DeviceSpeed
from myriad.units import HOUR_S

JOULES_PER_KWH = 1e3 * HOUR_S


def device_or_cloud(speed: DeviceSpeed, offer: CloudOffer, usd_per_kwh: float | None = None) -> DeviceOrCloud:
    """Seconds and US dollars of one answer from either.

    Device: TTFT + (output - 1) x time per token, and the energy of it at `usd_per_kwh`; without a price, or a power of
    the device, its cost is unknown. Cloud: one round trip + TTFT + (output - 1) x time per token, and the price of all
    tokens. They are equally quick at 1 + (cloud TTFT - device TTFT) / (device - cloud time per token) output tokens.
    Left out: the radio's energy, what the device itself cost, answers of different worth.
    """
    tokens = speed.output_tokens
    device_tpot_s = (speed.answer_s - speed.ttft_s) / max(tokens - 1, 1)
    cloud_ttft_s = offer.round_trip + offer.ttft
    cloud_s = cloud_ttft_s + (tokens - 1) * offer.tpot
    ahead_s, per_token_s = cloud_ttft_s - speed.ttft_s, device_tpot_s - offer.tpot
    equal = 1.0 + ahead_s / per_token_s if per_token_s else None
    device_usd = None
    if usd_per_kwh is not None and speed.answer_joules is not None:
        device_usd = speed.answer_joules / JOULES_PER_KWH * usd_per_kwh
    cloud_usd = (speed.prompt_tokens * offer.usd_per_input_token + tokens * offer.usd_per_output_token) * speed.batch
    return DeviceOrCloud(
        device_s=speed.answer_s,
        cloud_s=cloud_s,
        device_ttft_s=speed.ttft_s,
        cloud_ttft_s=cloud_ttft_s,
        device_joules=speed.answer_joules,
        device_usd=device_usd,
        cloud_usd=cloud_usd,
        faster="device" if speed.answer_s <= cloud_s else "cloud",
        cheaper=None if device_usd is None else "device" if device_usd <= cloud_usd else "cloud",
        break_even_output_tokens=equal if equal is not None and equal >= 1.0 else None,
        device_gains=per_token_s < 0,
    )
