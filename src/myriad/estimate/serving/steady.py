"""The steady state of one replica under continuous batching, at a concurrency: TTFT, TPOT, throughput, what binds.

Requests of one kind keep coming so that `concurrency` of them are always in the replica. On average as many prompts are
prefilled as sequences end; between iterations that hold prefill, decoding goes on alone. From that follow how many
sequences decode at once, and with them every time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myriad.estimate.serving.cache import cache_room_bytes, sequence_bytes
from myriad.estimate.serving.iteration import Iteration, iteration_parts
from myriad.estimate.serving.machine import Array, Cut, Machine
from myriad.estimate.serving.parts import Parts, whole_s
from myriad.spec.model import Model
from myriad.spec.serving import Speculation

ROUNDS = 5
"""Rounds of the fixed point of the batch; the last changes it by less than a percent."""

WAITS = 0.1
"""A replica is saturated where requests wait for a place longer than this share of the time that they are worked on."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Load:
    """What one replica is asked for, arrays (U,)."""

    concurrency: Array
    """Requests in the replica at once; infinite where as many are queued as fit."""
    input_tokens: Array
    output_tokens: Array
    cached_tokens: Array
    """Of the input, found in the prefix cache."""
    rounds: float = np.inf
    """Requests per place of the concurrency that are measured: in the first round all of them come at once."""
    equal: bool = False
    """Whether all requests are of equal lengths, so that those that begin to decode together also end together."""


@dataclass(frozen=True)
class Limits:
    """What bounds a batch on one copy of attention, arrays (U,)."""

    batched_tokens: Array
    sequences: Array
    memory_fraction: float
    speculation: Speculation | None = None
    stream_interval: float = 1.0


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
    engine, drafts = machine.engine, limits.speculation
    per_pass = 1.0 if drafts is None else drafts.accepted_tokens
    per_sequence = 1.0 if drafts is None else drafts.draft_tokens + 1.0
    mixed = engine.mixing == "mixed"
    prompt = np.maximum(load.input_tokens - load.cached_tokens, 1.0)
    passes = np.maximum(load.output_tokens - 1.0, 1e-9) / per_pass
    mean_keys = load.input_tokens + load.output_tokens / 2.0

    room = cache_room_bytes(model, cut, limits.batched_tokens, limits.memory_fraction, machine)
    fits = room >= sequence_bytes(model, cut, load.input_tokens + load.output_tokens, machine)
    most = np.minimum(np.maximum(room, 0.0) / sequence_bytes(model, cut, mean_keys, machine), limits.sequences)
    most = np.maximum(most, 1.0)

    # Batches of a pipeline's stages take turns: each holds its share of the sequences.
    in_turn = load.concurrency / cut.dp / cut.pp
    allowed = np.minimum(in_turn, most / cut.pp)
    # Where every iteration is full of prefill, sequences end as fast as prompts are prefilled.
    full = passes * limits.batched_tokens / (prompt + passes * per_sequence) if mixed else np.full_like(prompt, np.inf)
    batch = np.minimum(allowed, full)
    for _ in range(ROUNDS):
        rate = batch / passes
        room_tokens = limits.batched_tokens - (batch * per_sequence if mixed else 0.0)
        room_tokens = np.maximum(room_tokens, 1.0)
        most_together = np.maximum(room_tokens / prompt, 1.0)
        group = np.minimum(most_together, np.maximum(allowed, 1.0)) if load.equal else np.clip(rate, 1.0, most_together)
        pieces = (
            np.maximum(np.ceil(group * prompt / room_tokens), 1.0) if engine.splits_prompts else np.ones_like(group)
        )
        share = np.minimum(rate / group * pieces, 1.0) if mixed else rate / group * pieces
        together = 1.0 - (1.0 - np.minimum(share, 1.0 - 1e-9)) ** cut.dp
        alone, beside = _iterations(batch, mean_keys, group * prompt / pieces, prompt, load.cached_tokens, mixed)
        spread = np.minimum(share / np.maximum(together, 1e-9), 1.0)
        beside_met = _with_met(beside, batch, per_sequence, spread, mixed)
        decode = iteration_parts(model, cut, alone, machine, drafts)
        prefill = iteration_parts(model, cut, beside_met, machine, drafts if mixed else None)
        decode_s, prefill_s = whole_s(decode), whole_s(prefill)
        several = cut.dp > 1.0
        busy = np.where(several, together, share)
        mean_s = decode_s + (busy * (prefill_s - decode_s) if mixed else busy * prefill_s)
        service_s = pieces * prefill_s
        if load.equal and not mixed:
            # All begin together and prefill first: the first of them wait for the last before they decode.
            all_s = service_s * np.maximum(allowed / group, 1.0)
            ready_s = 0.5 * (all_s + service_s)
            mean_s = decode_s + (all_s - ready_s) / passes
            worked_s = passes * mean_s + ready_s
            batch = allowed
            continue
        load_share = np.minimum(rate / group * service_s / mean_s, 0.95)
        ready_s = 0.5 * mean_s + service_s * (1.0 + 0.5 * load_share / (1.0 - load_share))
        worked_s = passes * mean_s + ready_s
        batch = np.minimum(allowed * (1.0 - ready_s / worked_s), full)
    rate_per_copy = cut.pp * (allowed / worked_s if load.equal and not mixed else batch / (passes * mean_s))
    finite = np.isfinite(in_turn)
    queued_s = np.where(finite, np.where(finite, in_turn, 0.0) * cut.pp / rate_per_copy - worked_s, 0.0)
    queued_s = np.maximum(queued_s, 0.0)
    first_s = first_round_s(np.where(finite, allowed, 1.0), prompt, room_tokens, prefill_s, group * prompt / pieces)
    ttft_s = ready_s + np.maximum(first_s - ready_s, 0.0) / load.rounds + queued_s
    seen_s, each_s = as_seen(ttft_s, mean_s / per_pass, load, limits, machine)
    return Steady(
        ttft_s=seen_s,
        tpot_s=each_s,
        requests_per_s=rate_per_copy * cut.dp,
        batch=batch * cut.pp,
        queued=rate_per_copy * queued_s,
        prefill_share=np.minimum(share, 1.0),
        most_sequences=most,
        fits=fits,
        saturated=~finite | (queued_s > WAITS * worked_s),
        decode_s=decode_s,
        prefill_s=prefill_s,
        decode=decode,
        prefill=prefill,
    )


def as_seen(ready_s: Array, token_s: Array, load: Load, limits: Limits, machine: Machine) -> tuple[Array, Array]:
    """TTFT and TPOT in seconds as a client sees them: with the way to and from the engine, tokens sent in groups."""
    engine = machine.engine
    gathered = np.minimum(limits.stream_interval, load.output_tokens) - 1.0
    ttft_s = ready_s + gathered * token_s + engine.request_s + engine.request_token_s * load.input_tokens
    after = np.maximum(load.output_tokens - 1.0, 1e-9)
    return ttft_s, token_s * np.maximum(after - gathered, 1e-9) / after


def first_round_s(places: Array, prompt: Array, room_tokens: Array, prefill_s: Array, prefilled: Array) -> Array:
    """Mean time to prefill when all places are asked for at once, full iterations one after the other, in seconds."""
    full_s = prefill_s * np.maximum(np.minimum(places * prompt, room_tokens) / prefilled, 1.0)
    iterations = np.maximum(places * prompt / room_tokens, 1.0)
    mean_s: Array = full_s * (iterations + 1.0) / 2.0
    return mean_s


def _iterations(
    batch: Array, keys: Array, prefilled: Array, prompt: Array, cached: Array, mixed: bool
) -> tuple[Iteration, Iteration]:
    """An iteration that decodes alone, and one that prefills `prefilled` tokens."""
    none, one = np.zeros_like(batch), np.ones_like(batch)
    chunk = np.minimum(prompt, prefilled)
    past = cached + (prompt - chunk) / 2.0
    alone = Iteration(batch, keys, none, none, none, one)
    return alone, Iteration(batch if mixed else none, keys, prefilled / chunk, chunk, past, one)


def _with_met(work: Iteration, batch: Array, per_sequence: float, spread: Array, mixed: bool) -> Iteration:
    """The iteration, where only a share `spread` of the copies prefills at the same time."""
    decoding = batch * per_sequence if mixed else np.zeros_like(batch)
    prefilled = work.chunks * work.chunk_tokens
    met = (decoding + prefilled * spread) / np.maximum(decoding + prefilled, 1e-9)
    return Iteration(work.sequences, work.keys, work.chunks, work.chunk_tokens, work.past, met)
