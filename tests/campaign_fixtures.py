"""A simulated plan written from `spec.campaign_result` with seeded numbers: reports must not need a simulation.

The figures are plausible, not computed.
"""

from __future__ import annotations

import numpy as np

from myriad.spec.campaign_result import (
    CampaignResult,
    CauseLine,
    CheckpointLine,
    DoubtedEnd,
    Improvement,
    LifeEvent,
    Share,
    SimulatedPlan,
    Spread,
)

DAY_S = 86400.0
LEDGER_SHARES = {
    "productive": 0.874, "checkpoint": 0.021, "lost_work": 0.043, "detection": 0.008, "diagnosis": 0.006,
    "restart": 0.031, "waiting": 0.009, "degraded": 0.005, "maintenance": 0.003,
}  # fmt: skip
CAUSES = {
    "gpu-fault": ("gpu", 0.301), "hbm-ecc": ("hbm", 0.172), "software-bug": ("software", 0.129),
    "switch-or-cable": ("optics", 0.084), "host-maintenance": ("host", 0.076), "nic-down": ("nic", 0.07),
    "nvlink-error": ("nvlink", 0.05), "node-power": ("power", 0.04), "slow-node": ("gpu", 0.03),
    "silent-corruption": ("gpu", 0.014), "storage-stall": ("storage", 0.014), "cooling-loop": ("cooling", 0.01),
    "unknown": ("unknown", 0.01),
}  # fmt: skip
_BETTER = (
    ("hot_spares", "swap of 10 min to none", 1.9), ("detection_half", "half of every detection time", 1.2),
    ("restart_half", "restart of 6.2 min to 3.1 min", 1.1), ("one_spare", "8 spare nodes to 9", 0.42),
    ("best_interval", "interval of 30 min to 21.4 min", 0.15), ("replica", "replicas of 4 nodes go on alone", -0.3),
)  # fmt: skip


def spread(mean: float, wide: float = 0.03) -> Spread:
    return Spread(
        mean=mean, low=mean - abs(mean) * wide, high=mean + abs(mean) * wide, p10=mean * 0.9, p50=mean, p90=mean * 1.1
    )


def life(events: int, wall_s: float, seed: int = 7) -> tuple[LifeEvent, ...]:
    """So many interruptions of one life: failure, detected, (waiting,) restart, running."""
    rng = np.random.default_rng(seed)
    names, weights = list(CAUSES), np.array([share for _, share in CAUSES.values()])
    starts = np.sort(rng.uniform(0.0, wall_s, events))
    room_s = np.diff(np.append(starts, wall_s))
    told: list[LifeEvent] = []
    for start_s, gap_s, cause in zip(starts, room_s, rng.choice(names, events, p=weights / weights.sum()), strict=True):
        node, lost_s = int(rng.integers(0, 1024)), float(min(rng.uniform(0, 1800), 0.2 * gap_s))
        down_s = np.minimum(np.cumsum(rng.uniform(30, 400, 3)), gap_s * np.array([0.2, 0.4, 0.7]))
        told.append(LifeEvent(time_s=start_s, kind="failure", cause=str(cause), node=node, lost_s=lost_s))
        kinds = ("detected", "waiting" if rng.uniform() < 0.1 else "restart", "running")
        told += [LifeEvent(time_s=start_s + float(by), kind=kind) for by, kind in zip(down_s, kinds, strict=True)]
    return (*told, LifeEvent(time_s=wall_s, kind="finished"))


def campaign(incidents: int = 400, name: str = "flagship-1t", money: bool = True) -> CampaignResult:
    wall_s, mtti_s = 95.2 * DAY_S, 95.2 * DAY_S / incidents
    ends_s = np.sort(np.random.default_rng(3).gamma(20.0, 0.35, 200) + 89.0) * DAY_S
    return CampaignResult(
        job=name, pool="own", num_accelerators=8192, num_nodes=1024, spare_nodes=8, mode="restart",
        reliability="production-2024", runs=200, seed=0, ideal_s=0.874 * wall_s,
        finished=Share(value=1.0, low=0.981, high=1.0), horizon_s=2 * wall_s, wall_s=spread(wall_s, 0.004),
        finish_quantiles_s=tuple(float(np.quantile(ends_s, percent / 100)) for percent in range(1, 100)),
        deadline_s=100 * DAY_S, in_time=Share(value=0.93, low=0.886, high=0.958),
        doubted=DoubtedEnd(
            band_share=0.8, low_step_s=6.4, high_step_s=10.1, in_time=0.61,
            finish_quantiles_s=(*((70 + 0.6 * percent) * DAY_S for percent in range(1, 99)), None),
        ), ettr=spread(0.874, 0.002),
        expected_ettr=0.881, expected_range=(0.71, 0.95),
        ledger_s={name: spread(share * wall_s) for name, share in LEDGER_SHARES.items()},
        mean_time_to_interruption_s=mtti_s,
        causes=tuple(
            CauseLine(name=cause, component=component, interruptions=spread(share * incidents, 0.05),
                      wall_s=spread(share * 0.1 * wall_s, 0.05))
            for cause, (component, share) in CAUSES.items()
        ),
        checkpoints=(
            CheckpointLine(to="peer-memory", interval_s=1284.0, chosen=True, blocking_s=1.8, write_s=14.0, read_s=9.0,
                           young_s=1250.0, daly_s=1249.0, state_bytes=1.43e13),
            CheckpointLine(to="storage", interval_s=10800.0, chosen=False, blocking_s=3.6, write_s=240.0, read_s=310.0,
                           young_s=5100.0, daly_s=5080.0, state_bytes=1.43e13),
        ),
        usd_per_day=4.2e5 if money else None,
        improvements=tuple(
            Improvement(name=key, detail=detail, days_saved=spread(days, 0.2),
                        usd_saved=spread(days * 4.2e5, 0.2) if money else None,
                        usd_cost=2.9e5 if key == "one_spare" else None)
            for key, detail, days in _BETTER
        ),
        life=life(incidents, wall_s), life_ledger_s={key: share * wall_s for key, share in LEDGER_SHARES.items()},
        assumed=("pools.own.repair_crews is not given: no limit",),
    )  # fmt: skip


def unfinished() -> CampaignResult:
    """A campaign that no life finishes, without failures that interrupt it, money or improvements."""
    whole = campaign(1, "endless", money=False)
    nothing = {key: spread(0.0) for key in LEDGER_SHARES}
    return whole.model_copy(update={
        "finished": Share(value=0.0, low=0.0, high=0.019), "finish_quantiles_s": (None,) * 99, "deadline_s": None,
        "in_time": None, "wall_s": spread(whole.horizon_s, 0.0), "mean_time_to_interruption_s": None, "causes": (),
        "ledger_s": nothing | {"productive": spread(whole.horizon_s, 0.0)}, "improvements": (), "life": (),
        "life_ledger_s": {}, "expected_ettr": None, "expected_range": None, "assumed": (),
    })  # fmt: skip


def simulated(incidents: int = 400) -> SimulatedPlan:
    return SimulatedPlan(
        system="Human, car, home", version="0.1.0", currency="CNY", usd_per_currency=0.14,
        campaigns=(campaign(incidents), unfinished()), missing={"driving": "no pool can run it"}, simulate_s=12.4,
    )  # fmt: skip
