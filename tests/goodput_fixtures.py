"""The goodput of a job, written by hand: pages must not need the formulas."""

from __future__ import annotations

from myriad.spec.campaign_result import CheckpointLine
from myriad.spec.goodput import (
    GoodputCause,
    GoodputChange,
    GoodputQuestion,
    GoodputResult,
    IntervalPoint,
    SizePoint,
)

PARTS = {"productive": 0.8434, "checkpoint": 0.0005, "lost_work": 0.0907, "detection": 0.01, "diagnosis": 0.0262,
         "restart": 0.0292}  # fmt: skip


def goodput() -> GoodputResult:
    """16,384 accelerators that save too seldom."""
    return GoodputResult(
        version="0.1.0", question=GoodputQuestion(accelerators=16384, mtti="2.8h"), accelerators=16384, nodes=2048,
        spare_nodes=None, mtti_s=10008.0, ettr=0.8434, parts=PARTS,
        checkpoint=CheckpointLine(to="storage", interval_s=1800.0, chosen=False, blocking_s=1.0, write_s=57.8,
                                  read_s=56.8, young_s=142.0, daly_s=141.0, state_bytes=5.7e12),
        downtime_s=680.0, lost_s=970.0,
        intervals=tuple(
            IntervalPoint(name=name, interval_s=interval_s, ettr=ettr)
            for name, interval_s, ettr in (("given", 1800.0, 0.8434), ("best", 141.0, 0.9118), ("young", 142.0, 0.9118),
                                           ("daly", 141.0, 0.9118))
        ),
        curve=tuple(
            IntervalPoint(name="", interval_s=60.0 * 1.3**step, ettr=0.91 - 0.0008 * step**2) for step in range(30)
        ),
        changes=(GoodputChange(name="failures_half", ettr=0.9185, gain=0.0751),
                 GoodputChange(name="detection_half", ettr=0.8612, gain=0.0179)),
        sizes=tuple(
            SizePoint(accelerators=2**power, mtti_s=1.6e8 / 2**power, interval_s=1800.0, ettr=0.99 - 2**power / 1.3e5)
            for power in range(3, 17)
        ),
        causes=(GoodputCause(name="gpu", interruptions_per_day=2.74, lost=0.0505),
                GoodputCause(name="software", interruptions_per_day=1.0, lost=0.0184)),
        kokolis_ettr=0.85, waiting_spares=24, assumed=("repair 24 h",),
    )  # fmt: skip
