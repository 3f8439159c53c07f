"""What the section of a simulated campaign takes from here, under one name for its template."""

from __future__ import annotations

from myriad.report.campaign_life import costliest_stretch, life_trace
from myriad.report.campaign_svg import causes_svg, finish_svg, improvements_svg, waterfall_start, waterfall_svg
from myriad.report.campaign_views import (
    campaigns_of,
    finishes,
    interrupts,
    interval,
    long,
    money,
    number,
    quantile_s,
    time_unit,
)
from myriad.report.campaign_words import (
    campaign_facts,
    campaign_words,
    checkpoints_words,
    finish_words,
    improvement_name,
    place_key,
)
from myriad.report.life_svg import STATE_COLOURS, life_svg, states_present
from myriad.report.near_svg import clock, near_svg

__all__ = [
    "STATE_COLOURS", "campaign_facts", "campaign_words", "campaigns_of", "causes_svg", "checkpoints_words", "clock",
    "costliest_stretch", "finish_svg", "finish_words", "finishes", "improvement_name", "improvements_svg",
    "interrupts", "interval", "life_svg", "life_trace", "long", "money", "near_svg", "number", "place_key",
    "quantile_s", "states_present", "time_unit", "waterfall_start", "waterfall_svg",
]  # fmt: skip
