"""Who holds which parameters of a pipeline, what is sent of them, and what their update takes.

Axes S (stages, see `estimate.stages`) and C (shardings: layouts that differ in neither ranks, stages nor ZeRO).
"""

from __future__ import annotations

import numpy as np

from myriad.estimate.data_parallel import optimizer_s, traffic
from myriad.estimate.layers import Costs, ModelCosts
from myriad.estimate.operations import Array
from myriad.estimate.pipeline import DUALPIPE
from myriad.estimate.setting import Setting
from myriad.estimate.stage_memory import lasting
from myriad.estimate.stages import Stages
from myriad.spec.layout import IntArray, LayoutTable


def sharding_columns(x: LayoutTable) -> list[IntArray]:
    """What a sharding depends on."""
    return [x.tp, x.cp, x.ep, x.etp, x.pp, x.vpp, x.schedule, x.dp, x.order, x.zero, x.shard, x.offload_optimizer]


class Shardings:
    """Columns (C,) of shardings, each cut as `cut` says."""

    def __init__(
        self,
        setting: Setting,
        layouts: LayoutTable,
        stages: Stages,
        costs: ModelCosts,
        stage_costs: Costs,
        cut: IntArray,
    ) -> None:
        work, columns = setting.work, np.arange(len(layouts))
        dense, expert = _parameters(setting, layouts, stages, costs, stage_costs, cut)
        largest = np.argmax(dense + expert, axis=0)
        own_dense, own_expert = dense[largest, columns], expert[largest, columns]
        self.parameters = own_dense, own_expert
        """Dense and expert parameters of one rank of the stage that has most."""
        self.sent = traffic(
            layouts, own_dense, own_expert, work.optimizer, setting.stack, setting.cluster.links,
            setting.shard_copies_s,
        )  # fmt: skip
        self.optimizer_s = optimizer_s(
            layouts, own_dense, own_expert, work.optimizer, setting.device.memory_bytes_per_s,
            setting.cluster.accelerator.host_link_bytes_per_s_one_way, setting.eager_optimizer,
        )  # fmt: skip
        # The two copies of a stage that DualPipe keeps share one set of optimizer states.
        share = np.where(layouts.schedule == DUALPIPE, 0.5, 1.0)
        self.lasting = lasting(setting, layouts, stages, costs, cut, dense, expert, share)


def _parameters(
    setting: Setting, layouts: LayoutTable, stages: Stages, costs: ModelCosts, stage_costs: Costs, cut: IntArray
) -> tuple[Array, Array]:
    """Dense and expert parameters that each rank of each stage computes with, each (S, C)."""
    model = setting.model
    dense, expert = stage_costs.dense_parameters[stages.kind, cut], stage_costs.expert_parameters[stages.kind, cut]
    vocabulary = model.vocab * model.hidden / layouts.tp
    if model.tied_embeddings:
        dense -= stages.is_first * stages.is_last * vocabulary
    if model.mtp_depths and len(costs.kinds) == len(model.block_kinds()):
        # Prediction depths embed tokens where they are: here with the head; apart from it, their costs count that.
        dense += stages.is_last * (1.0 - stages.is_first) * vocabulary
    dual = layouts.schedule == DUALPIPE
    if dual.any():  # run from both ends, stage s also holds stage p - 1 - s
        dense, expert = (np.where(dual, stages.mirrored(x), x) for x in (dense, expert))
    return dense, expert
