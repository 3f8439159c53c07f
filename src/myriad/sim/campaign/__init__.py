"""A training job that is interrupted and goes on, for months, in milliseconds."""

from __future__ import annotations

from myriad.sim.campaign.described import EVENT_KINDS, Campaign, CampaignRun, Level, Windows
from myriad.sim.campaign.run import run_campaign
from myriad.spec.ledger import CATEGORIES

__all__ = ["CATEGORIES", "EVENT_KINDS", "Campaign", "CampaignRun", "Level", "Windows", "run_campaign"]
