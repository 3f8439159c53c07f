"""Many runs of a campaign as a result: what users read, from columns of outcomes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from myriad.api.campaigns import PlannedCampaign
from myriad.sim.campaign import CATEGORIES, EVENT_KINDS, CampaignRun
from myriad.sim.campaign.chunks import Runs, simulated_run
from myriad.sim.campaign.statistics import (
    doubted_ends,
    doubted_quantiles_s,
    finish_quantiles_s,
    nearest_to_median,
    share_of,
    spread_of,
)
from myriad.spec.campaign_result import CampaignResult, CauseLine, DoubtedEnd, Improvement, LifeEvent

FloatArray = npt.NDArray[np.float64]


def result_of(
    planned: PlannedCampaign, runs: Runs, seed: int, improvements: tuple[Improvement, ...], notes: tuple[str, ...]
) -> CampaignResult:
    """The result of a campaign from its runs. The run that is shown is simulated once more, for its events."""
    campaign, causes = planned.question.campaign, planned.question.breakable.causes
    number = len(runs.wall_s)
    shown = nearest_to_median(np.where(runs.finished, runs.wall_s, np.inf))
    life = simulated_run(planned.question, planned.number, seed, shown)
    deadline_s = planned.planned.job.deadline
    in_time = None
    if deadline_s is not None:
        in_time = share_of(int((runs.finished & (runs.wall_s <= deadline_s)).sum()), number)
    lines = [
        CauseLine(
            name=name,
            component=cause.component,
            effect=cause.effect,
            interruptions=spread_of(runs.interruptions[:, index].astype(np.float64)),
            wall_s=spread_of(runs.cost_s[:, index]),
        )
        for index, (name, cause) in enumerate(causes)
    ]
    return CampaignResult(
        job=planned.name,
        pool=planned.planned.pool_name,
        num_accelerators=planned.planned.layout.world_size,
        num_nodes=campaign.nodes,
        spare_nodes=planned.spare_nodes,
        mode=campaign.mode,
        reliability=planned.reliability,
        runs=number,
        seed=seed,
        ideal_s=campaign.work_s,
        finished=share_of(int(runs.finished.sum()), number),
        horizon_s=campaign.horizon_s,
        wall_s=spread_of(runs.wall_s),
        finish_quantiles_s=finish_quantiles_s(runs.wall_s, runs.finished),
        deadline_s=deadline_s,
        in_time=in_time,
        doubted=_doubted(planned, runs),
        ettr=spread_of(runs.ledger_s[:, CATEGORIES.index("productive")] / runs.wall_s),
        expected_ettr=planned.expected_ettr,
        expected_range=planned.expected_range,
        ledger_s={name: spread_of(runs.ledger_s[:, column]) for column, name in enumerate(CATEGORIES)},
        mean_time_to_interruption_s=_between_s(runs, planned),
        causes=tuple(sorted(lines, key=lambda line: -line.wall_s.mean)),
        checkpoints=planned.checkpoints,
        usd_per_day=planned.usd_per_day,
        improvements=improvements,
        life=life_of(life, planned),
        life_run=shown,
        life_ledger_s=dict(zip(CATEGORIES, (float(value) for value in life.ledger_s), strict=True)),
        assumed=(*planned.assumed, *notes),
    )


def _doubted(planned: PlannedCampaign, runs: Runs) -> DoubtedEnd | None:
    band, step_s = planned.planned.band, planned.planned.step_s
    if band is None:
        return None
    low, high = band.low_step_s / step_s, band.high_step_s / step_s
    by = doubted_ends(runs.wall_s, runs.finished, low, high, band.share)
    widest = (high / low) ** 4  # beyond any of the quantiles
    deadline_s = planned.planned.job.deadline
    return DoubtedEnd(
        band_share=band.share,
        low_step_s=band.low_step_s,
        high_step_s=band.high_step_s,
        finish_quantiles_s=doubted_quantiles_s(
            by, float(runs.wall_s.min()) / widest, float(runs.wall_s.max()) * widest
        ),
        in_time=None if deadline_s is None else by(deadline_s),
    )


def life_of(run: CampaignRun, planned: PlannedCampaign) -> tuple[LifeEvent, ...]:
    """The events of one run, named."""
    names = [name for name, _ in planned.question.breakable.causes]
    columns = (run.event_s, run.event_kind, run.event_cause, run.event_node, run.event_lost_s)
    return tuple(
        LifeEvent(
            time_s=time_s,
            kind=EVENT_KINDS[kind],
            cause=names[cause] if cause >= 0 else "",
            node=node if node >= 0 else None,
            lost_s=lost_s,
        )
        for time_s, kind, cause, node, lost_s in zip(*(column.tolist() for column in columns), strict=True)
    )


def _between_s(runs: Runs, planned: PlannedCampaign) -> float | None:
    """Mean time between events that stopped or corrupted the job: all wall time over their number."""
    stops = [cause.effect != "slow" for _, cause in planned.question.breakable.causes]
    number = int(runs.interruptions[:, stops].sum())
    return float(runs.wall_s.sum()) / number if number else None
