"""The timeline of one step of a layout, from the same costs as its estimate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myriad.errors import InfeasibleError
from myriad.estimate.layers import cells_of
from myriad.estimate.memory import block_input_bytes
from myriad.estimate.placement import predicts_apart
from myriad.estimate.rounds import transfer_s
from myriad.estimate.schedule.orders import order_of
from myriad.estimate.schedule.timeline import ChunkTimes, Timeline, Transfers, timeline
from myriad.estimate.setting import Setting
from myriad.estimate.stages import stage_counts
from myriad.spec.layout import Layout, LayoutTable

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LayoutTimeline:
    """A timeline and what it was made from."""

    found: Timeline
    times: ChunkTimes
    transfers: Transfers
    activation_bytes: Array
    """That a chunk keeps of one micro-batch, (K,)."""

    @property
    def even(self) -> bool:
        """Whether all chunks take the same times."""
        return all(
            bool(np.allclose(seconds, seconds[0], rtol=1e-9, atol=0.0))
            for seconds in (self.times.forward_s, self.times.input_grad_s, self.times.weight_grad_s)
        )

    def without_transfers(self) -> Timeline:
        """The same order if nothing took time between stages."""
        return timeline(self.found.order, self.times)


def layout_timeline(setting: Setting, layout: Layout) -> LayoutTimeline:
    """All operations of the micro-batches of one step.

    Forward and backward of a chunk are those of the estimate: compute, host waits and exposed tensor-, context- and
    expert-parallel communication; recomputation belongs to the gradient of inputs. A transfer takes its whole time on
    the way and holds the sending stage for the share that its software does not overlap. Left out: what a step does
    before and after its micro-batches, and data-parallel communication beside them.
    Raises InfeasibleError if the schedule does not exist for these numbers, or if layers are too few or cannot lie as
    the split says.
    """
    micro_batches = layout.num_micro_batches(setting.work.global_batch)
    order = order_of(layout.schedule, layout.pp, layout.vpp, micro_batches)
    chunks = order.num_chunks
    if setting.model.num_layers + 2 < chunks:
        raise InfeasibleError(f"{setting.model.num_layers} layers cannot fill {chunks} pipeline chunks")
    layouts = LayoutTable.from_layouts([layout.without_split()])
    costs = setting.costs_of(layouts, predicts_apart(setting.model, layout.split))
    counts = stage_counts(setting, np.arange(chunks), layout.split)

    def by_chunk(name: str) -> Array:
        blocks, first, last = (getattr(part, name) for part in (costs.blocks, costs.first, costs.last))
        total = np.asarray(blocks[:, 0] @ counts)
        total[0] += first[0, 0]
        total[-1] += last[0, 0]
        return total

    weight = by_chunk("weight_grad_s")
    times = ChunkTimes(by_chunk("forward_s"), by_chunk("backward_s") - weight, weight)
    on_the_way = np.full(chunks - 1, float(transfer_s(setting, layouts, layout.pp)[0]))
    transfers = Transfers(on_the_way, 1.0 - setting.stack.pp_overlap)
    kept = by_chunk("activation_bytes")
    if setting.stack.stage_outputs != "freed":
        kept[:-1] += float(block_input_bytes(setting.model, cells_of(layouts, setting.work))[0])
    return LayoutTimeline(timeline(order, times, transfers), times, transfers, kept)
