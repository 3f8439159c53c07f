"""What a job does about failures: checkpoints, restarts, spares, replicas that go on without each other."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from myriad.spec.base import BytesPerS, Seconds, Spec

CheckpointPlace = Literal["peer-memory", "node-disk", "storage"]
"""Where a copy of the state lies. One in the memory of a peer survives the loss of single nodes, one on the disk of
its own node only that of processes, one in the parallel file system everything."""


class Checkpoint(Spec):
    """Copies of the whole training state in one place."""

    to: CheckpointPlace = "storage"
    interval: Seconds | None = None
    """From the end of one to the start of the next; `None`: the interval with the least expected loss."""
    blocking: Seconds | None = None
    """Time for which training stands still; `None`: from the state's size, the fabric and the storage."""
    write: Seconds | None = None
    """From its start until it can be read back, blocking included; `None` as above."""
    read: Seconds | None = None
    """Into all ranks at a restart; `None` as above."""


class Restart(Spec):
    """From the decision to restart to the first step, without reading the checkpoint."""

    schedule: Seconds = 60.0
    """Until the scheduler has given out the nodes."""
    launch: Seconds = 60.0
    """Containers, processes, imports."""
    connect: Seconds = 10.0
    """Communicators, whatever the size."""
    connect_per_1000_nodes: Seconds = 30.0
    """And how that grows."""
    compile: Seconds = 60.0
    """Kernels, first step, data loader."""

    def seconds(self, num_nodes: float) -> float:
        """All of it on so many nodes, in seconds."""
        grown = self.connect + self.connect_per_1000_nodes * num_nodes / 1000.0
        return self.schedule + self.launch + grown + self.compile


class Recovery(Spec):
    """How a training job gets over failures."""

    mode: Literal["restart", "elastic", "replica"] = "restart"
    """`restart`: all ranks stop and restart on whole nodes. `elastic`: where no spare is left they restart on fewer
    data-parallel replicas, and grow again. `replica`: the other replicas go on within a step (torchft, HSDP), and the
    broken one comes back by copying the state of a peer."""
    checkpoints: tuple[Checkpoint, ...] = Field(default=(Checkpoint(),), min_length=1)
    asynchronous: bool = True
    """Whether only the copy out of device memory stops training, and the rest is written beside it."""
    swap: Seconds = 0.0
    """Until a spare stands in for a broken node, beyond the restart: 0 for hot spares, boot and checks for cold."""
    restart: Restart = Restart()
    replica_stall: Seconds = 10.0
    """Of the other replicas in mode `replica` when one of them is lost or comes back."""
    state_bytes_per_parameter: float | None = Field(default=None, gt=0)
    """Of a checkpoint; `None`: as optimizer and precision of the job say."""

    @model_validator(mode="after")
    def _each_place_once(self) -> Recovery:
        places = [one.to for one in self.checkpoints]
        if len(set(places)) < len(places):
            raise ValueError("checkpoints: give each place once")
        return self


class Storage(Spec):
    """A parallel file system, as its clients together see it."""

    write: BytesPerS
    read: BytesPerS
