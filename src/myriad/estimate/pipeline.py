"""Pipeline schedules in closed form: layers per stage, bubble, micro-batches in flight."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from myriad.errors import InfeasibleError
from myriad.spec.layout import PIPELINE_SCHEDULES

Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ONE_F_ONE_B, GPIPE, ZERO_BUBBLE, DUALPIPE = range(len(PIPELINE_SCHEDULES))


@lru_cache(maxsize=4096)
def chunk_sizes(
    num_layers: int, num_chunks: int, end_layers: int = 1, in_turn: bool = False, first_layers: int = 1
) -> tuple[int, ...]:
    """Layers per chunk, first to last.

    Layers that divide are dealt out equally, as frameworks do unless told otherwise. If they do not, the
    embedding counts as one layer and what follows the last layer (multi-token prediction, loss) as
    `end_layers`, and chunks are filled to the same level (Megatron's
    `--account-for-embedding-in-pipeline-split` and custom pipeline layouts). With `in_turn` the ends count
    nothing and each chunk takes the rounded-up share while there is any (DeepSpeed's `partition_balanced`).
    Chunks of a part of the model without its embedding have no `first_layers`, those without its end no `end_layers`.

    >>> chunk_sizes(126, 16)[:2], chunk_sizes(126, 16)[-1], sum(chunk_sizes(126, 16))
    ((7, 8), 7, 126)
    >>> chunk_sizes(61, 16, end_layers=4)
    (4, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 0)
    >>> chunk_sizes(70, 12, in_turn=True)
    (6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 4)
    """
    if num_layers + 2 < num_chunks:
        raise InfeasibleError(f"{num_layers} layers cannot fill {num_chunks} pipeline chunks")
    if num_layers % num_chunks == 0:
        return (num_layers // num_chunks,) * num_chunks
    if in_turn:
        share = -(-num_layers // num_chunks)
        return tuple(min(share, max(0, num_layers - share * chunk)) for chunk in range(num_chunks))
    held = [first_layers] + [0] * (num_chunks - 2) + [end_layers]
    level = fill_level(num_layers, num_chunks, end_layers, first_layers)
    sizes = [max(0, level - h) for h in held]
    for index in reversed(range(num_chunks)):
        spare = sum(sizes) - num_layers
        if spare and sizes[index]:
            sizes[index] -= min(1, spare)
    return tuple(sizes)


def fill_level(num_layers: int, num_chunks: int, end_layers: int, first_layers: int = 1) -> int:
    """The fewest layers (embedding and end counted) per chunk at which all layers have a place."""
    level = 1
    while max(0, level - first_layers) + max(0, level - end_layers) + (num_chunks - 2) * level < num_layers:
        level += 1
    return level


def stage_counts(
    layer_kinds: Sequence[str], kinds: Sequence[str], pp: int, vpp: int, end_layers: int = 1, in_turn: bool = False
) -> Array:
    """Layers of each kind on each stage, array (K, P). Chunk c is on stage c mod pp."""
    counts = np.zeros((len(kinds), pp))
    position = 0
    for chunk, size in enumerate(chunk_sizes(len(layer_kinds), pp * vpp, end_layers, in_turn)):
        for kind in layer_kinds[position : position + size]:
            counts[kinds.index(kind), chunk % pp] += 1
        position += size
    return counts


def bubble_s(schedule: IntArray, pp: int, vpp: int, forward_s: Array, backward_s: Array, weight_grad_s: Array) -> Array:
    """Idle time of the slowest stage per step, in seconds.

    The times are of one micro-batch, summed over all stages but the slowest; with p equal stages of
    F, B and W (weight gradients, part of B) they are (p-1) F, (p-1) B, (p-1) W, and the bubble is

        1F1B, GPipe       (p - 1) (F + B) / v           v chunks per stage
        zero-bubble       (p - 1) (F + B - 2 W)
        DualPipe          (p/2 - 1) (F + B + B - 3 W)   forward and backward overlapped

    With unequal stages the 1F1B form stays exact when the slowest stage never waits between its first
    and last micro-batch; otherwise it is a lower bound.
    Sources: Narayanan et al., arXiv 2104.04473; Qi et al., arXiv 2401.10241; DeepSeek-V3, arXiv
    2412.19437, table 2.
    """
    both = forward_s + backward_s
    zero = np.maximum(both - 2 * weight_grad_s, 0.0)
    shorter = max(pp / 2 - 1, 0.0) / max(pp - 1, 1)
    dual = shorter * np.maximum(both + backward_s - 3 * weight_grad_s, 0.0)
    return np.select([schedule == ZERO_BUBBLE, schedule == DUALPIPE], [zero, dual], both / vpp)


def in_flight(schedule: IntArray, pp: int, vpp: int, num_micro_batches: IntArray) -> Array:
    """Micro-batches whose activations a stage holds at its peak, in units of whole stages, array (C, P).

    1F1B keeps p - s; interleaved 1F1B warms up 2 (p - s - 1) + (v - 1) p chunks and holds one more, each
    1/v of a stage; GPipe keeps all; DualPipe p + 1 on every stage. Source: Narayanan et al., arXiv
    2104.04473 and Megatron-Core's schedules; DeepSeek-V3 table 2.
    """
    stage = np.arange(pp, dtype=float)[None, :]
    total = num_micro_batches.astype(float)[:, None]
    if vpp == 1:
        plain = np.minimum(pp - stage, total)
    else:
        plain = np.minimum(2 * (pp - stage - 1) + (vpp - 1) * pp + 1, total * vpp) / vpp
    everything = np.broadcast_to(total, plain.shape)
    dual = np.minimum(pp + 1.0, total) + np.zeros_like(plain)
    code = schedule[:, None]
    return np.select([code == GPIPE, code == DUALPIPE], [everything, dual], plain)
