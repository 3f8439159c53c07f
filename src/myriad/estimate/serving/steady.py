"""The steady state of one replica under continuous batching, at a concurrency: TTFT, TPOT, throughput, what binds.

Requests of one kind keep coming so that `concurrency` of them are always in the replica. On average as many prompts are
prefilled as sequences end; between iterations that hold prefill, decoding goes on alone. From that follow how many
sequences decode at once, and with them every time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myriad.estimate.serving.load import Limits, Load, as_seen
from myriad.estimate.serving.machine import Array, Cut, Machine
from myriad.estimate.serving.parts import Parts
from myriad.estimate.serving.turn import room_of, turn_of
from myriad.spec.model import Model

ROUNDS = 5
"""Rounds of the fixed point of the batch; the last changes it by less than a percent."""

WAITS = 0.1
"""A replica is saturated where requests wait for a place longer than this share of the time that they are worked on."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Steady:
    """The steady state, arrays (U,)."""

    ttft_s: Array
    """Until a client sees the first token."""
    tpot_s: Array
    """Between the first token that a client sees and the last, per token after the first."""
    requests_per_s: Array
    """Of the whole replica."""
    batch: Array
    """Sequences that decode at once on one copy."""
    queued: Array
    """Requests that wait for a place, on one copy."""
    prefill_share: Array
    """Share of iterations that hold prefill."""
    most_sequences: Array
    """Sequences that fit in the memory of one copy, and that the engine allows."""
    fits: BoolArray
    """Whether weights fit and leave room for one request."""
    saturated: BoolArray
    """Whether requests wait for a place rather than for an iteration."""
    decode_s: Array
    """Time of an iteration without prefill."""
    prefill_s: Array
    """Time of one with prefill."""
    decode: Parts
    prefill: Parts
    wait_s: Array
    """Of the time to the first token, the mean queue for prefill."""
    wait_share: Array
    """Load of that queue."""
    tpot_deviation_s: Array
    """Standard deviation of the TPOT of one answer, since prefill meets some more often than others; no other cause."""


def steady_state(model: Model, cut: Cut, machine: Machine, load: Load, limits: Limits) -> Steady:
    """The steady state of replicas cut as `cut` under `load`; all arrays broadcast to (U,).

        decode_s, prefill_s = time of an iteration without and with prefill
        rate  = batch / passes                              prompts per iteration, as many as sequences end
        share = rate / group * pieces                       iterations that hold prefill
        mean  = decode_s + share (prefill_s - decode_s)     `mixed` engines; else decode_s + share prefill_s
        TPOT  = mean / accepted tokens
        TTFT  = residual of an iteration + queue for prefill (M/D/1) + prefill + request, and what waits for a place
        batch = allowed * passes * mean / (passes * mean + TTFT without request)

    Of copies of attention that iterate together, all wait while one prefills.
    """
    room = room_of(model, cut, machine, load, limits)
    # Batches of a pipeline's stages take turns: each holds its share of the sequences.
    in_turn = load.concurrency / cut.dp / cut.pp
    allowed = np.minimum(in_turn, room.most / cut.pp)
    batch = np.minimum(allowed, room.full)
    at_once = load.equal and machine.engine.mixing != "mixed"
    for _ in range(ROUNDS):
        turn = turn_of(model, cut, machine, load, limits, room, batch, allowed)
        batch = allowed if at_once else np.minimum(allowed * (1.0 - turn.ready_s / turn.worked_s), room.full)
    rate_per_copy = cut.pp * (allowed / turn.worked_s if at_once else batch / (room.passes * turn.mean_s))
    finite = np.isfinite(in_turn)
    queued_s = np.where(finite, np.where(finite, in_turn, 0.0) * cut.pp / rate_per_copy - turn.worked_s, 0.0)
    queued_s = np.maximum(queued_s, 0.0)
    first_s = first_round_s(
        np.where(finite, allowed, 1.0), room.prompt, turn.room_tokens, turn.prefill_s, turn.prefilled
    )
    ttft_s = turn.ready_s + np.maximum(first_s - turn.ready_s, 0.0) / load.rounds + queued_s
    seen_s, each_s = as_seen(ttft_s, turn.mean_s / limits.tokens_per_pass, load, limits, machine.engine)
    _, deviation_s = as_seen(ttft_s, turn.deviation_s / limits.tokens_per_pass, load, limits, machine.engine)
    return Steady(
        ttft_s=seen_s,
        tpot_s=each_s,
        requests_per_s=rate_per_copy * cut.dp,
        batch=batch * cut.pp,
        queued=rate_per_copy * queued_s,
        prefill_share=np.minimum(turn.share, 1.0),
        most_sequences=room.most,
        fits=room.fits,
        saturated=~finite | (queued_s > WAITS * turn.worked_s),
        decode_s=turn.decode_s,
        prefill_s=turn.prefill_s,
        decode=turn.decode,
        prefill=turn.prefill,
        wait_s=turn.wait_s,
        wait_share=turn.wait_share,
        tpot_deviation_s=deviation_s,
    )


def first_round_s(places: Array, prompt: Array, room_tokens: Array, prefill_s: Array, prefilled: Array) -> Array:
    """Mean time to prefill when all places are asked for at once, full iterations one after the other, in seconds."""
    full_s = prefill_s * np.maximum(np.minimum(places * prompt, room_tokens) / prefilled, 1.0)
    iterations = np.maximum(places * prompt / room_tokens, 1.0)
    mean_s: Array = full_s * (iterations + 1.0) / 2.0
    return mean_s
