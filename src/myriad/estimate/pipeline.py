"""Pipeline schedules in closed form: layers per stage, bubble, micro-batches in flight.

Operation by operation they are in `estimate.schedule`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from myriad.errors import InfeasibleError
from myriad.spec.layout import PIPELINE_SCHEDULES

Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ONE_F_ONE_B, GPIPE, ZERO_BUBBLE, DUALPIPE, ZB_V = range(len(PIPELINE_SCHEDULES))


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


def chunk_places(pp: int, vpp: int, in_a_v: bool = False) -> IntArray:
    """The stage of each chunk of the model: round and round, or in a V every second time backwards.

    >>> chunk_places(3, 2).tolist(), chunk_places(3, 2, in_a_v=True).tolist()
    ([0, 1, 2, 0, 1, 2], [0, 1, 2, 2, 1, 0])
    """
    there = np.arange(pp)
    return np.concatenate([there[::-1] if in_a_v and turn % 2 else there for turn in range(vpp)])


def bubble_s(
    schedule: IntArray, pp: IntArray, vpp: IntArray, forward_s: Array, backward_s: Array, weight_grad_s: Array
) -> Array:
    """Idle time of the slowest stage per step, in seconds; arrays (C,).

    The times are of one micro-batch, summed over all stages but the slowest. With p equal stages of v chunks, each
    of which takes F, I and W (gradients of inputs and of weights; B = I + W), n = p - 1 and h = p/2 - 1:

        1F1B, GPipe   n (F + B)
        zero-bubble   n max(F + I - W, F, I)
        ZB-V          max(n I, (2n - 1) F - (n - 1) I, F + (n - 1) W, I + (n - 1) W, 2n (I - W), 2n F - n I - W,
                          (2n - 1) F + I - 2n W, 2n F - (2n + 1) W)
        DualPipe      max(2h F, h (2F + I - W), (h - 1) F + h (2I - W), (h - 1) F + h I)

    For equal chunks and without transfers, this is what the timelines of `estimate.schedule` give wherever
    `bubble_is_exact`; for fewer micro-batches they are longer. Published are n (F + B), its interleaved form,
    n (F + I - W) for zero-bubble, none for ZB-V, and h (F + 2I - W) for DualPipe, all with F = I = W in mind; the
    other terms are other chains of operations, which are longer where the times differ more, read off timelines.
    With unequal stages no closed form is exact, nor a bound: stages behind the slowest cost nothing while it has
    other micro-batches to work on, and more than their own time where it waits.
    Sources: Narayanan et al., arXiv 2104.04473; Qi et al., arXiv 2401.10241; DeepSeek-V3, arXiv
    2412.19437, table 2.
    """
    bubble: Array = (forward_s + backward_s) / vpp
    if schedule.any():
        chunks = np.maximum(pp - 1, 1) * vpp
        each = (forward_s / chunks, (backward_s - weight_grad_s) / chunks, weight_grad_s / chunks)
        for code, closed_form_s in ((ZERO_BUBBLE, _zero_bubble_s), (ZB_V, _zb_v_s), (DUALPIPE, _dualpipe_s)):
            if (chosen := schedule == code).any():
                bubble = np.where(chosen, closed_form_s(pp, *each), bubble)
    return bubble


def _zero_bubble_s(p: IntArray, forward: Array, inputs: Array, weight: Array) -> Array:
    return (p - 1) * _longest(forward + inputs - weight, forward, inputs)


def _zb_v_s(p: IntArray, forward: Array, inputs: Array, weight: Array) -> Array:
    n = p - 1
    return _longest(
        n * inputs,
        (2 * n - 1) * forward - (n - 1) * inputs,
        forward + (n - 1) * weight,
        inputs + (n - 1) * weight,
        2 * n * (inputs - weight),
        2 * n * forward - n * inputs - weight,
        (2 * n - 1) * forward + inputs - 2 * n * weight,
        2 * n * forward - (2 * n + 1) * weight,
    )


def _dualpipe_s(p: IntArray, forward: Array, inputs: Array, weight: Array) -> Array:
    h = np.maximum(p / 2 - 1, 0.0)
    return _longest(
        2 * h * forward,
        h * (2 * forward + inputs - weight),
        (h - 1) * forward + h * (2 * inputs - weight),
        (h - 1) * forward + h * inputs,
    )


def _longest(*chains_s: Array) -> Array:
    return np.asarray(np.max(chains_s, axis=0))


def bubble_is_exact(
    schedule: IntArray, pp: IntArray, vpp: IntArray, num_micro_batches: IntArray
) -> npt.NDArray[np.bool_]:
    """Whether `bubble_s` is the bubble of equal chunks without transfers, array (C,).

    Plain 1F1B and GPipe: always. With chunks, and for zero-bubble: from as many micro-batches as stages, and, but
    for GPipe, if they go through the chunks in equal rounds of that many or more. ZB-V: from 2 p - 1 on. DualPipe:
    an even number, from 2 p on, and an even number of stages. With fewer micro-batches the bubble is longer, for ZB-V
    longer or shorter; where rounds are not equal there is no such schedule.
    """
    m, plain = num_micro_batches, vpp == 1
    enough, whole = m >= pp, plain | (m % np.maximum(m // pp, 1) == 0)
    exact: npt.NDArray[np.bool_] = np.select(
        [schedule == ONE_F_ONE_B, schedule == GPIPE, schedule == ZERO_BUBBLE, schedule == ZB_V],
        [plain | (enough & whole), plain | enough, enough & whole, (vpp == 2) & (m >= 2 * pp - 1)],
        plain & (pp % 2 == 0) & (m % 2 == 0) & (m >= 2 * pp),
    )
    return exact


def in_flight(schedule: IntArray, stage: Array, pp: IntArray, vpp: IntArray, num_micro_batches: IntArray) -> Array:
    """Micro-batches whose activations a stage holds at its peak, in units of whole stages, array (S, C).

    `stage` is the place of the stage in its pipeline, (S, C). 1F1B keeps p - s; interleaved 1F1B warms up
    2 (p - s - 1) + (v - 1) r chunks, where r micro-batches make a round (p if that divides them), and holds one more,
    each 1/v of a stage; GPipe keeps all. Zero-bubble schedules hold activations until the gradients of weights: p on
    every stage, with chunks (p + (v - 1) r) / v; DualPipe p + 1. None needs more the later a stage is. This is what
    timelines show, but that ZB-V holds less with fewer than 2 p - 1 micro-batches.
    Sources: Narayanan et al., arXiv 2104.04473 and Megatron-Core's schedules; Qi et al., arXiv 2401.10241, table 1;
    DeepSeek-V3 table 2.
    """
    m = num_micro_batches
    rounds = (vpp - 1) * (m / np.maximum(m // pp, 1))
    chunks = np.where(vpp == 1, pp - stage, 2 * (pp - stage - 1) + rounds + 1)
    held: Array = np.minimum(chunks / vpp, m)
    if schedule.any():
        late_weights = np.minimum((pp + rounds) / vpp, m)
        held = np.where(schedule == GPIPE, m, held)
        held = np.where(schedule == ZERO_BUBBLE, late_weights, held)
        held = np.where(schedule == ZB_V, np.minimum(pp, m), held)
        held = np.where(schedule == DUALPIPE, np.minimum(pp + 1.0, m), held)
    return held
