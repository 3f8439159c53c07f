"""Training jobs of a plan as campaigns that can be simulated: on which nodes, how much work, what breaks, what recovers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from myriad import catalog
from myriad.api.campaign_runs import Question
from myriad.api.checkpoints import levels_of
from myriad.api.clusters import cluster_of
from myriad.api.failures import breakable_of, windows_of
from myriad.api.named import at_key, models_of
from myriad.api.plan import setting_of_job
from myriad.api.spending import spending_on
from myriad.errors import MissingDataError
from myriad.estimate.setting import Setting
from myriad.sim.campaign import Campaign
from myriad.spec.campaign_result import CheckpointLine
from myriad.spec.cluster import Node
from myriad.spec.layout import Layout
from myriad.spec.recovery import Recovery
from myriad.spec.reliability import Reliability
from myriad.spec.result import JobPlan, Plan
from myriad.spec.system import Pool, System, TrainingJob
from myriad.units import DAY_S, format_seconds

HORIZON: Final = 1.5
"""Of the expected end: no run is followed further unless told otherwise."""
HORIZON_MORE_S: Final = 30 * DAY_S
"""And so much longer."""


@dataclass(frozen=True)
class PlannedCampaign:
    """One job of a plan, ready to be simulated, and what is said about it beside the simulation."""

    job: str
    number: int
    """Its place among the jobs of the file: which of them are simulated changes no draw."""
    pool: str
    question: Question
    num_accelerators: int
    spare_nodes: int
    reliability: str
    recovery: Recovery
    setting: Setting
    """Of the job on its pool."""
    described: Pool
    checkpoints: tuple[CheckpointLine, ...]
    expected_ettr: float | None
    deadline_s: float | None
    usd_per_day: float | None
    usd_per_node_day: float | None
    assumed: tuple[str, ...]
