"""The decoder of the reference trainer, from `spec.model.Model`: what estimates count, as modules that run.

`build` makes it, whole or one pipeline stage of it; `token_loss` is its loss. Parameters are to the last the number
that `estimate.parameters` counts, matrix products the FLOPs that `estimate.operations` counts; see `counts`. What a
description does not say (activation functions, how a router's scores become weights, the base of rotary embedding)
has one fixed answer, said in the module that needs it. What is not built is in `refusals`.

Modules for parallelism: projections are plain `nn.Linear`, `q`, `k`, `v`, `gate`, `up`, `q_up`, `kv_up` to be cut by
columns and `o`, `down` by rows; all shapes within are read off the tensors at hand.
"""

from myriad.trainer.model.decoder import Decoder, Layer, PredictionDepth, build, first_weights
from myriad.trainer.model.losses import token_loss
from myriad.trainer.model.refusals import unbuildable

__all__ = ["Decoder", "Layer", "PredictionDepth", "build", "first_weights", "token_loss", "unbuildable"]
