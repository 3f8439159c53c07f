"""What a pipeline stage of one layout takes and holds by the layers on it: what splits are searched with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from myriad.estimate.layers import ModelCosts
from myriad.estimate.operations import Array
from myriad.estimate.pipeline import DUALPIPE, ZB_V, in_flight
from myriad.estimate.setting import Setting
from myriad.estimate.stage_memory import StageMemory, lasting, passing
from myriad.estimate.stages import stage_table
from myriad.spec.layout import IntArray, LayoutTable


@dataclass(frozen=True)
class StageCosts:
    """One layout, a table of one row, neither of the DualPipe nor of the ZB-V schedule; K kinds of layers.

    With `apart`, costs have prediction depths as their last kind, and a layer of that kind stands for all depths.
    Otherwise the depths count to the end after the last layer.
    """

    setting: Setting
    layout: LayoutTable
    costs: ModelCosts
    apart: bool

    def __post_init__(self) -> None:
        assert len(self.layout) == 1
        assert self.layout.schedule[0] not in (DUALPIPE, ZB_V)

    @property
    def num_micro_batches(self) -> int:
        """Micro-batches per step."""
        return int(self.layout.num_micro_batches(self.setting.work.global_batch)[0])

    def of(self, name: str) -> tuple[Array, tuple[float, float]]:
        """A figure of `Costs` by kind (K,), and of what lies on the first and on the last stage."""
        model, costs = self.setting.model, self.costs
        kinds = getattr(costs.blocks, name)[:, 0].copy()
        first, last = float(getattr(costs.first, name)[0, 0]), float(getattr(costs.last, name)[0, 0])
        if self.apart:
            kinds[-1] *= model.mtp_depths
        elif model.mtp_depths and model.mtp_block is not None:
            last += model.mtp_depths * float(kinds[costs.kinds.index(model.mtp_block)])
        return kinds, (first, last)

    def seconds(self) -> tuple[Array, tuple[float, float]]:
        """Forward and backward pass of one micro-batch by kind (K,), and at both ends."""
        forward, backward = self.of("forward_s"), self.of("backward_s")
        return forward[0] + backward[0], (forward[1][0] + backward[1][0], forward[1][1] + backward[1][1])

    def dense_parameters(self) -> tuple[Array, tuple[float, float]]:
        """Dense parameters by kind (K,), and at both ends; depths that lie with the head have an embedding there."""
        kinds, (first, last) = self.of("dense_parameters")
        model = self.setting.model
        if model.mtp_depths and not self.apart and self.layout.pp[0] > 1:
            last += model.vocab * model.hidden / float(self.layout.tp[0])
        return kinds, (first, last)

    def parameters(self) -> tuple[Array, tuple[float, float]]:
        """All parameters of a rank by kind (K,), and at both ends."""
        dense, expert = self.dense_parameters(), self.of("expert_parameters")
        return dense[0] + expert[0], (dense[1][0] + expert[1][0], dense[1][1] + expert[1][1])

    def memory_bytes(self, layers: IntArray) -> Array:
        """Memory of every stage, (M, P), by the layers of each kind on it, (M, P, K): as `TrainingTable` has it."""
        setting, size = self.setting, len(layers)
        rows, cut = self.layout.take(np.zeros(size, dtype=np.int64)), np.zeros(size, dtype=np.int64)
        stages = stage_table(setting, self.layout, merged=False).of(self.layout)

        def staged(figure: tuple[Array, tuple[float, float]]) -> Array:
            kinds, (first, last) = figure
            return np.asarray((layers @ kinds).T + stages.is_first * first + stages.is_last * last)

        dense, expert = staged(self.dense_parameters()), staged(self.of("expert_parameters"))
        micro_batches = np.full(size, self.num_micro_batches, dtype=np.int64)
        lasts = lasting(setting, rows, stages, self.costs, cut, dense, expert, np.ones(size))
        passes = passing(
            setting, rows, stages, staged(self.of("activation_bytes")),
            self.costs.blocks.working_bytes.max(axis=0)[cut], self.costs.last.working_bytes[0, cut],
            in_flight(rows.schedule, stages.number, rows.pp, rows.vpp, micro_batches), micro_batches,
        )  # fmt: skip
        own = np.arange(size)
        return np.asarray(StageMemory(setting, lasts, own, passes, own).total.T)
