"""What a plan says of the fabric of a pool."""

from __future__ import annotations

from myriad.spec.base import Spec
from myriad.spec.bill import Bill
from myriad.spec.fabric_drawing import FabricDrawing
from myriad.spec.fabric_result import FabricDescription
from myriad.spec.traffic_result import StepOnFabric


class PoolFabric(Spec):
    """The fabric of a pool, of each site where there are several, and what planned jobs send over it."""

    description: FabricDescription
    drawing: FabricDrawing
    steps: tuple[StepOnFabric, ...] = ()
    """Of the jobs that were planned on this pool alone, with pictures; their `planned_step_s` is at line rate, and
    counts no fabric."""
    bill: Bill | None = None
    """What an owned pool would be bought as, by the usual rules; `None` for others, and for one of several sites."""
    stated_usd: float | None = None
    """What the file's terms count for all accelerators of an owned pool."""
    missing: tuple[str, ...] = ()
    """Jobs whose traffic was not simulated, and why."""
