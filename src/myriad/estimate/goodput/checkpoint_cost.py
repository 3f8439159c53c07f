"""What a checkpoint costs: how long training stands still, until it can be read back, and how long reading takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from myriad.spec.recovery import CheckpointPlace

HOST_LINK_BYTES_PER_S: Final = 25e9
"""Copy from one accelerator to its host where the catalog does not know the link: PCIe 4.0 x16 as copies reach it."""
HOST_LINK_EFFICIENCY: Final = 0.8
"""Share of a known link that large copies to pinned memory reach. Assumed."""
FIXED_BLOCKING_S: Final = 1.0
"""Beside the copy: the barrier, planning and pinning. Assumed: published stalls of asynchronous checkpoints go from
0.04 s (ByteRobust) and 0.5 s (PyTorch DCP) over 1 s (Nemotron 3 Ultra) to several seconds (MegaScale)."""
NETWORK_EFFICIENCY: Final = 0.5
"""Share of the scale-out network that copies to peers and to storage get beside training. Assumed."""
NODE_DISK_WRITE_BYTES_PER_S: Final = 5e9
"""Of all NVMe disks of a node. Assumed."""
NODE_DISK_READ_BYTES_PER_S: Final = 10e9
STORAGE_BYTES_PER_S: Final = 100e9
"""Of a parallel file system that nobody described, each way. Production runs of 45 B to over 1 T parameters wrote at 50
to 200 GB/s (85,000 checkpoints of 40 runs on 18 clusters, VAST Data)."""


@dataclass(frozen=True)
class SavingMachines:
    """The machines that save a state, all in bytes/s, one way."""

    nodes: float
    accelerators_per_node: float
    host_link_bytes_per_s: float | None
    """Of one accelerator."""
    scale_out_bytes_per_s: float | None
    """Of one accelerator; `None` where a node has no network."""
    storage_write_bytes_per_s: float = STORAGE_BYTES_PER_S
    storage_read_bytes_per_s: float = STORAGE_BYTES_PER_S


@dataclass(frozen=True)
class CheckpointCost:
    """Of one checkpoint, in seconds."""

    blocking_s: float
    write_s: float
    """From its start until it can be read back, blocking included."""
    read_s: float


def checkpoint_cost(
    place: CheckpointPlace, state_bytes: float, machines: SavingMachines, asynchronous: bool = True
) -> CheckpointCost:
    """What a checkpoint of so many bytes in one place costs.

    All ranks save equal parts at once (a sharded checkpoint). First each part is copied to its host; then it goes to a
    peer over the network, to the node's disks, or to storage as fast as the slower of storage and all nodes' network
    takes it. An asynchronous checkpoint stops training for the first, a synchronous one for both. Reading is the way
    back. Left out: congestion with other jobs, and slow tails of single writers.
    """
    per_rank = state_bytes / (machines.nodes * machines.accelerators_per_node)
    per_node = state_bytes / machines.nodes
    link = machines.host_link_bytes_per_s
    copy_s = per_rank / (HOST_LINK_BYTES_PER_S if link is None else link * HOST_LINK_EFFICIENCY)
    network = machines.scale_out_bytes_per_s
    out_s = 0.0 if network is None else per_rank / (network * NETWORK_EFFICIENCY)
    if place == "peer-memory":
        beyond_write_s, beyond_read_s = out_s, out_s
    elif place == "node-disk":
        beyond_write_s, beyond_read_s = per_node / NODE_DISK_WRITE_BYTES_PER_S, per_node / NODE_DISK_READ_BYTES_PER_S
    else:
        beyond_write_s = max(state_bytes / machines.storage_write_bytes_per_s, out_s)
        beyond_read_s = max(state_bytes / machines.storage_read_bytes_per_s, out_s)
    stopped_s = FIXED_BLOCKING_S + copy_s
    write_s = stopped_s + beyond_write_s
    return CheckpointCost(stopped_s if asynchronous else write_s, write_s, copy_s + beyond_read_s)
