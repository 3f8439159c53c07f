"""Traffic that a fabric is asked to carry: collectives, how ranks are placed, and what runs side by side."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from myriad.errors import unknown_name
from myriad.spec.base import Bytes, Count, CountOrZero, Fraction, Spec
from myriad.spec.fabric import Damage, Routing

CollectiveName = Literal["all-reduce", "all-gather", "reduce-scatter", "all-to-all", "broadcast", "send-recv"]
PlacementName = Literal["packed", "spread", "random", "near"]
"""`packed`: ranks fill free hosts in the fabric's order. `spread`: one host of each leaf in turn. `random`: in any
order. `near`: hosts that a group spans lie under one leaf or in one pod where that is possible."""

TrafficKind = Literal["cp", "ep", "pp", "dp"]
"""Of a training step, by the parallelism that sends it."""
TrafficName = Literal[
    "dispatch", "keys_values", "keys_values_gradients", "heads", "activations", "activation_gradients", "gradients",
    "gradients_of_copies", "parameters", "expert_gradients", "expert_gradients_of_copies", "expert_parameters",
]  # fmt: skip
"""What a training step sends; `dispatch` is dispatch and combine, `heads` the turn from sequence to heads and back."""
Operation = Literal["all-reduce", "all-gather", "reduce-scatter", "all-to-all", "send"]

ALGORITHMS: Final[dict[str, tuple[str, ...]]] = {
    "all-reduce": ("double-binary-tree", "hierarchical", "ring", "tree", "halving-doubling", "in-switch"),
    "all-gather": ("hierarchical", "ring", "doubling"),
    "reduce-scatter": ("hierarchical", "ring", "halving"),
    "all-to-all": ("direct", "pairwise", "hierarchical"),
    "broadcast": ("chain", "tree", "double-binary-tree"),
    "send-recv": ("direct",),
}
"""Ways to run each collective; the first is the usual one."""


class CollectiveTraffic(Spec):
    """One collective, run at once by all groups of equal size that the ranks form."""

    collective: CollectiveName
    algorithm: str = ""
    """One of `ALGORITHMS`; empty for the usual one."""
    size: Annotated[Bytes, Field(gt=0)]
    """As nccl-tests count it: the buffer that is reduced or broadcast, the whole gathered result, what a rank sends."""
    group: Count | None = None
    """Ranks per group; `None`: all of a job."""
    stride: Count = 1
    """Distance of a group's neighbours in rank order."""
    jobs: Count = 1
    """Equal jobs side by side, each on its own hosts, each with these groups."""

    @model_validator(mode="after")
    def _algorithm_exists(self) -> CollectiveTraffic:
        if self.algorithm and self.algorithm not in ALGORITHMS[self.collective]:
            known = ALGORITHMS[self.collective]
            raise ValueError(f"algorithm: {unknown_name(f'{self.collective} algorithm', self.algorithm, known)}")
        return self

    @property
    def way(self) -> str:
        """The algorithm that runs."""
        return self.algorithm or ALGORITHMS[self.collective][0]


class Conditions(Spec):
    """How traffic meets the fabric: where ranks lie, how flows find their way, what is broken."""

    placement: PlacementName = "packed"
    free: Annotated[Fraction, Field(gt=0)] = 1.0
    """Share of the hosts that are free, drawn by `seed`; below 1 a job lies scattered."""
    routing: Routing | None = None
    """`None`: the fabric's."""
    flows_per_pair: Count | None = None
    """For ECMP: flows that a message is parted into, each with a hash of its own; `None`: the fabric's."""
    damage: Damage = Damage()
    """On top of the fabric's own."""
    efficiency: Annotated[Fraction, Field(gt=0)] | None = None
    """Share of the line rate that long messages reach: headers, incast, congestion; `None`: the node's."""
    seed: CountOrZero = 0
    """Of hashes, random placements and hosts that are free."""
