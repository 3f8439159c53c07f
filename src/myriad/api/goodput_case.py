"""A question about goodput with all names looked up, and all that it leaves open filled in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from myriad import catalog
from myriad.api.checkpoints import Protected, protected, saving_machines
from myriad.api.failures import breakable_of
from myriad.api.interruptions import interruptions_of
from myriad.api.named import at_key
from myriad.errors import SpecError
from myriad.estimate.goodput.checkpoint_cost import STORAGE_BYTES_PER_S, SavingMachines, checkpoint_cost
from myriad.estimate.goodput.expected import Gang, spares_for
from myriad.estimate.goodput.interruptions import Interruption
from myriad.estimate.goodput.state import state_bytes
from myriad.sim.failures import Breakable
from myriad.spec.goodput import GoodputQuestion
from myriad.spec.job import Optimizer
from myriad.spec.life import Life
from myriad.spec.recovery import Checkpoint, Recovery, Restart, Storage
from myriad.spec.reliability import Duration, FailureCause, Rate
from myriad.units import DAY_S, THOUSAND_DAYS_S, format_bytes, format_seconds

NODE: Final = 8
"""Accelerators of a node that nobody named."""
DETECTION_S: Final = 180.0
"""Until it is known what to take out, where nothing is known: between a minute with inspections and the ten of a
communication timeout (ByteRobust)."""
REPAIR_S: Final = DAY_S
"""Of a node, where nothing is known."""
WRITE_S: Final = 60.0
"""Of a state of unknown size, and as much to read it."""
PERIOD_S: Final = 30 * DAY_S
"""Over which failures that change with age are averaged, where nothing says for how long the job runs."""
AGE_S: Final = 180 * DAY_S
"""Of machines of which nobody said it: past the failures of the first weeks."""
STEP_S: Final = 10.0
"""Of training, lost by a replica: too little to matter."""
MOST_ACCELERATORS: Final = 10_000_000
IDLE: Final = 1e-3
"""Share of the time that a job may wait for machines and still count as having enough spares."""
NEVER: Final = 1e-6
"""And where nobody counted the spares."""


@dataclass(frozen=True)
class Case:
    """One job on one cluster, as it is judged and simulated."""

    accelerators: int
    breakable: Breakable
    causes: tuple[Interruption, ...]
    protected: Protected
    enough_spares: int | None
    """With which it would wait less than `IDLE` of the time; `None` where nothing is repaired."""
    assumed: tuple[str, ...]

    @property
    def gang(self) -> Gang:
        return self.protected.gang


@dataclass(frozen=True)
class _Machines:
    name: str | None
    accelerators: int
    per_node: int
    saving: SavingMachines

    @property
    def nodes(self) -> int:
        return math.ceil(self.accelerators / self.per_node)


def case_of(question: GoodputQuestion, accelerators: int | None = None) -> Case:
    """The case of a question, or of the same job on another number of accelerators with the same machines.

    Raises SpecError or MissingDataError for names that the catalog lacks, and SpecError for parts of replicas.
    """
    asked = _machines(question, None)
    if asked.accelerators + (question.spares or 0) > MOST_ACCELERATORS:
        raise SpecError(f"accelerators: at most {MOST_ACCELERATORS:,} with their spares, found {asked.accelerators:,}")
    machines = asked if accelerators is None else _machines(question, accelerators)
    recovery, assumed = _recovery(question, machines)
    state = _state_bytes(question, recovery)
    spares = (
        None if question.spares is None else math.ceil(question.spares * machines.nodes / asked.nodes / asked.per_node)
    )
    breakable = _breakable(question, asked, machines, spares or 0)
    causes = interruptions_of(breakable, machines.nodes, 0.0, question.duration or PERIOD_S)
    replicas = question.replicas or machines.nodes
    if machines.nodes % replicas:
        raise SpecError(f"replicas: {machines.nodes} nodes are no whole number of nodes for each of {replicas}")
    gang = Gang(
        nodes=machines.nodes,
        spare_nodes=spares or 0,
        levels=(),
        restart_s=recovery.restart.seconds(machines.nodes),
        swap_s=recovery.swap,
        mode=recovery.mode,
        replica_nodes=machines.nodes // replicas,
        replica_stall_s=recovery.replica_stall,
        heal_s=checkpoint_cost("peer-memory", state or 0.0, machines.saving).read_s,
        step_s=STEP_S if question.mode == "replica" else 0.0,
        repair_crews=question.repair_crews,
    )
    if spares is None:
        many = spares_for(gang, causes, NEVER) or 0
        gang = replace(gang, spare_nodes=many)
        breakable = _breakable(question, asked, machines, many)
    saved = protected(recovery, state, machines.saving, gang, causes, question.storage_bandwidth is not None)
    return Case(
        accelerators=machines.accelerators,
        breakable=breakable,
        causes=causes,
        protected=saved,
        enough_spares=spares_for(gang, causes, IDLE),
        assumed=(*_sizes_assumed(question, machines, state), *assumed, *saved.assumed, *_repairs_assumed(question)),
    )


def rate_per_s(question: GoodputQuestion, nodes: int) -> float | None:
    """Interruptions of the job per second, where the question states them."""
    if question.mtti is not None:
        return 1.0 / question.mtti
    if question.failures_per_1000_node_days is not None:
        return question.failures_per_1000_node_days * nodes / THOUSAND_DAYS_S
    if question.interruptions is not None and question.duration is not None:
        return question.interruptions / question.duration
    return None


def _machines(question: GoodputQuestion, accelerators: int | None) -> _Machines:
    storage = None
    if question.storage_bandwidth is not None:
        storage = Storage(write=question.storage_bandwidth, read=question.storage_bandwidth)
    if question.cluster is None:
        count = accelerators or question.accelerators
        assert count is not None
        per_node = question.accelerators_per_node or NODE
        bandwidth = STORAGE_BYTES_PER_S if storage is None else storage.write
        saving = SavingMachines(max(1.0, count / per_node), min(per_node, count), None, None, bandwidth, bandwidth)
        return _Machines(None, count, per_node, saving)
    node, count = catalog.counted_node(question.cluster)
    name = question.cluster.rpartition(":")[0]
    cluster = catalog.cluster(question.cluster)
    if accelerators is not None:
        count = accelerators
        cluster = catalog.cluster(f"{name}:{count}")
    return _Machines(
        name, count, node.num_accelerators, saving_machines(cluster, count, min(count, node.num_accelerators), storage)
    )


def _state_bytes(question: GoodputQuestion, recovery: Recovery) -> float | None:
    if question.checkpoint_size is not None:
        return question.checkpoint_size
    if question.model is None:
        return None
    with at_key("model"):
        model = catalog.model(question.model)
    return state_bytes(model, Optimizer(), recovery.state_bytes_per_parameter)


def _recovery(question: GoodputQuestion, machines: _Machines) -> tuple[Recovery, list[str]]:
    """What the job does about failures, and what of it was assumed."""
    assumed: list[str] = []
    restart, read = question.restart, question.read
    if question.downtime is not None:
        restart, read = question.downtime, 0.0
    elif restart is not None and read is None:
        read = 0.0
        assumed.append("reading a checkpoint is part of the restart")
    unknown = question.model is None and question.checkpoint_size is None
    write = question.write
    if unknown and write is None:
        write = WRITE_S if question.blocking is None else question.blocking
        said = "checkpoints are written when training goes on"
        assumed.append(f"checkpoints of unknown size, written in {format_seconds(write)}" if write == WRITE_S else said)
    if unknown and read is None:
        read = WRITE_S if question.write is None else question.write
        assumed.append(f"checkpoints are read in {format_seconds(read)}")
    if question.blocking is None and not question.synchronous:
        assumed.append("checkpoints are written beside training, after a stop of about 1 s")
    if question.checkpoint_interval is None:
        assumed.append("the checkpoint interval is the best for these figures")
    if restart is None:
        whole = Restart().seconds(machines.nodes)
        assumed.append(f"restart {format_seconds(whole)} without reading, growing by 30 s per 1,000 nodes")
    fixed = {"schedule": restart, "launch": 0, "connect": 0, "connect_per_1000_nodes": 0, "compile": 0}
    values: dict[str, object] = {"mode": question.mode, "asynchronous": not question.synchronous}
    if question.swap is not None:
        values["swap"] = question.swap
    if question.replica_stall is not None:
        values["replica_stall"] = question.replica_stall
    if restart is not None:
        values["restart"] = Restart.model_validate(fixed)
    copies = Checkpoint(
        to=question.checkpoint_to,
        interval=question.checkpoint_interval,
        blocking=question.blocking,
        write=write,
        read=read,
    )
    return Recovery.model_validate({**values, "checkpoints": (copies,)}), assumed


def _breakable(question: GoodputQuestion, asked: _Machines, machines: _Machines, spare_nodes: int) -> Breakable:
    """What breaks: as the catalog says, or one cause at the rate per node that the question states at its own size."""
    nodes = machines.nodes + spare_nodes
    if question.reliability is not None:
        assert question.cluster is not None
        life = Life(age=AGE_S if question.age is None else question.age)
        with at_key("reliability"):
            return breakable_of(question.reliability, catalog.counted_node(question.cluster)[0], nodes, life)
    rate = rate_per_s(question, asked.nodes)
    assert rate is not None
    cause = FailureCause(
        component="unknown",
        unit="node",
        rate=Rate(per_1000_unit_days=rate / asked.nodes * THOUSAND_DAYS_S),
        detection=Duration(mean=detection_s(question)),
        diagnosis=Duration(mean=question.diagnosis or 0.0),
        repair=Duration(mean=_repair_s(question), law="exponential"),
    )
    return Breakable(
        num_nodes=nodes,
        accelerators_per_node=machines.per_node,
        links_per_node=machines.per_node,
        switches=0.0,
        causes=(("interruptions", cause),),
        nodes_per_leaf=1,
        nodes_per_rack=1,
        nodes_per_power_domain=1,
        lemon_share=0.0,
        lemon_times=1.0,
        joined_s=np.zeros(nodes),
        age_s=np.zeros(nodes),
    )


def detection_s(question: GoodputQuestion) -> float:
    """Given; 0 where the restart or another part is given, which then holds it; else `DETECTION_S`."""
    if question.detection is not None:
        return question.detection
    held = (question.downtime, question.restart, question.diagnosis)
    return DETECTION_S if all(one is None for one in held) else 0.0


def _repair_s(question: GoodputQuestion) -> float:
    return REPAIR_S if question.repair is None else question.repair


def _sizes_assumed(question: GoodputQuestion, machines: _Machines, state: float | None) -> Sequence[str]:
    said = []
    if question.cluster is None and question.accelerators_per_node is None:
        said.append(f"nodes of {machines.per_node} accelerators")
    if state is not None and question.checkpoint_size is None:
        said.append(
            f"checkpoints of {format_bytes(state)}: weights, master copy and moments of Adam, 14 B per parameter"
        )
    return said


def _repairs_assumed(question: GoodputQuestion) -> Sequence[str]:
    said = []
    if question.reliability is None and question.detection is None and question.downtime is None:
        if detection_s(question):
            said.append(f"detection and diagnosis {format_seconds(DETECTION_S)}")
        elif question.diagnosis is None:
            said.append("detection and diagnosis are part of the restart")
    if question.spares is None:
        said.append("spares enough that nothing waits for a repair")
    if question.reliability is not None and question.age is None:
        said.append(f"machines {format_seconds(AGE_S)} old")
    if question.repair is None and question.reliability is None:
        said.append(f"repair {format_seconds(REPAIR_S)}")
    return said
