"""What a training job of a system file keeps of its time, by the closed form: used by plans, and beside simulations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from myriad.api.checkpoints import Protected, protected, saving_machines
from myriad.api.interruptions import interruptions_of
from myriad.estimate.goodput.checkpoint_cost import checkpoint_cost
from myriad.estimate.goodput.expected import Expected, Gang, expected
from myriad.estimate.goodput.interruptions import Interruption
from myriad.estimate.goodput.state import state_bytes
from myriad.sim.failures import Breakable
from myriad.spec.cluster import Cluster, Node
from myriad.spec.layout import Layout
from myriad.spec.model import Model
from myriad.spec.system import Pool, TrainingJob
from myriad.units import YEAR_S


@dataclass(frozen=True)
class JobGoodput:
    """A job with its checkpoints, what interrupts it, and what it keeps."""

    protected: Protected
    causes: tuple[Interruption, ...]
    expected: Expected

    @property
    def ettr(self) -> float:
        return float(self.expected.ettr)


def goodput_of_job(
    job: TrainingJob,
    model: Model,
    pool: Pool,
    cluster: Cluster,
    node: Node,
    layout: Layout,
    step_s: float,
    breakable: Breakable,
    seconds: float = YEAR_S,
) -> JobGoodput:
    """What a job with so long a step keeps on a pool that breaks, for so many seconds from the start of the plan.

    All nodes of the pool beyond those of the layout stand by for it. Checkpoint times and intervals that its recovery
    leaves open come from the model's state, the pool's storage and network, and the failures.
    """
    nodes = math.ceil(layout.world_size / node.num_accelerators)
    causes = interruptions_of(breakable, nodes, 0.0, seconds)
    state = state_bytes(model, job.optimizer, job.recovery.state_bytes_per_parameter)
    machines = saving_machines(cluster, layout.world_size, node.num_accelerators, pool.storage)
    heal_s = checkpoint_cost("peer-memory", state, machines).read_s
    gang = Gang(
        nodes=nodes,
        spare_nodes=breakable.num_nodes - nodes,
        levels=(),
        restart_s=job.recovery.restart.seconds(nodes),
        swap_s=job.recovery.swap,
        mode=job.recovery.mode,
        replica_nodes=replica_nodes(layout, node.num_accelerators),
        replica_stall_s=job.recovery.replica_stall,
        heal_s=heal_s,
        step_s=step_s,
        repair_crews=pool.repair_crews,
    )
    return judged(protected(job.recovery, state, machines, gang, causes, pool.storage is not None), causes)


def judged(saved: Protected, causes: Sequence[Interruption]) -> JobGoodput:
    """A job with its checkpoints, and what it keeps."""
    return JobGoodput(saved, tuple(causes), expected(saved.gang, causes))


def replica_nodes(layout: Layout, accelerators_per_node: int) -> int:
    """Whole nodes of one data-parallel replica."""
    return max(1, math.ceil(layout.tp * layout.pp * layout.cp / accelerators_per_node))
