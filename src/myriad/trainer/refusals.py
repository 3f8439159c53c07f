"""What the trainer cannot run, said before ranks meet."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from myriad.errors import InfeasibleError
from myriad.estimate.placement import chunk_layers, predicts_apart
from myriad.spec.trainer import TrainerConfig
from myriad.trainer import pipeline, recompute, tensor
from myriad.trainer.data import BYTE_VALUES
from myriad.trainer.model import unbuildable


def refuse(config: TrainerConfig) -> None:
    """Raises InfeasibleError, in one line, for the first thing that cannot run."""
    for reason in _reasons(config):
        raise InfeasibleError(reason)
    layout = config.layout
    chunk_layers(config.model, layout.pp * layout.vpp, split=layout.split)


def _reasons(config: TrainerConfig) -> Iterator[str]:
    model, layout = config.model, config.layout
    if lacks := unbuildable(model):
        yield f"model {model.name!r}: the reference trainer does not build {'; '.join(lacks)}"
    if model.vocab < BYTE_VALUES:
        yield f"model.vocab: {model.vocab} is fewer than the {BYTE_VALUES} values of a byte"
    if model.learned_positions and config.seq_len > model.learned_positions:
        yield f"seq_len: {config.seq_len} tokens, but the model has {model.learned_positions} positions"
    if config.device == "cuda" and not torch.cuda.is_available():
        yield "device: cuda, but this PyTorch sees no GPU; expected cpu"
    if layout.cp > 1:
        yield f"layout.cp: {layout.cp}, but the reference trainer does not cut sequences over ranks; expected 1"
    if layout.ep > 1:
        yield f"layout.ep: {layout.ep}, but the reference trainer has all experts on every rank; expected 1"
    expected = layout.tp if model.routed_experts() else 1
    if layout.etp != expected:
        found = f"layout.etp: {layout.etp}, but the reference trainer cuts experts over tp like all else"
        yield f"{found}; expected {expected}"
    if layout.zero and layout.shard not in (0, layout.dp):
        yield f"layout.shard: {layout.shard}, but the reference trainer shards over all replicas; expected 0"
    if layout.offload_optimizer:
        yield "layout.offload_optimizer: states stay beside the weights in the reference trainer; expected false"
    if predicts_apart(model, layout.split):
        yield "layout.split: the reference trainer has prediction depths in the last chunk, beside the head"
    for module in layout.recompute:
        if module not in recompute.KNOWN:
            known = ", ".join(recompute.KNOWN)
            yield f"layout.recompute: the reference trainer does not know {module}; allowed: {known}"
    micro_batches = layout.num_micro_batches(config.global_batch)
    for reason in (tensor.refusal(config), pipeline.refusal(layout, micro_batches)):
        if reason:
            yield f"layout: {reason}"
