"""The parts of the model that a rank has, cut as the layout says."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

from myriad.estimate.placement import chunk_layers, places_of
from myriad.spec.layout import Layout
from myriad.spec.trainer import TrainerConfig
from myriad.trainer.model import Decoder, build
from myriad.trainer.parallel import Place


def chunks_of(layout: Layout, stage: int) -> list[int]:
    """The chunks of the model that a pipeline stage has, first to last."""
    found: list[int] = np.flatnonzero(places_of(layout) == stage).tolist()
    return found


def own_parts(config: TrainerConfig, place: Place) -> list[Decoder]:
    """The chunks of this rank's stage, without memory yet."""
    layout, model = config.layout, config.model
    chunks = layout.pp * layout.vpp
    sizes = chunk_layers(model, chunks, split=layout.split)
    edges = np.cumsum([0, *sizes]).tolist()
    return [
        build(
            model,
            layers=range(edges[chunk], edges[chunk + 1]),
            first=chunk == 0,
            last=chunk == chunks - 1,
            device="meta",
        )
        for chunk in chunks_of(layout, place.index("pp"))
    ]


def shard(part: Decoder, config: TrainerConfig, place: Place) -> None:
    """Spreads what data parallelism shards over replicas: FSDP2 by layers, the rest as one."""
    layout = config.layout
    if not layout.zero:
        return
    precision = MixedPrecisionPolicy()
    if config.precision == "bf16":
        precision = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    layers: list[nn.Module] = [*part.layers.values(), *part.predictions.values()]
    for module in (*layers, part):
        fully_shard(
            module,
            mesh=place.mesh["dp"],
            reshard_after_forward=layout.zero == 3 and module is not part,
            mp_policy=precision,
        )
        assert isinstance(module, FSDPModule)
        # Gradients are summed; an average over gloo would need PREMUL_SUM, which gloo has not.
        module.set_gradient_divide_factor(1.0)
        module.set_force_sum_reduction_for_comms(True)
