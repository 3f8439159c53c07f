"""The steady state of replicas that prefill and others that decode, with the cache sent from one to the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from myriad.estimate.collectives import send_recv_s
from myriad.estimate.serving.cache import cache_room_bytes, sequence_bytes
from myriad.estimate.serving.iteration import Iteration, iteration_parts
from myriad.estimate.serving.machine import Array, Cut, Machine
from myriad.estimate.serving.parts import whole_s
from myriad.estimate.serving.steady import ROUNDS, WAITS, Limits, Load, Steady, as_seen, first_round_s
from myriad.spec.model import Model

__all__ = ["Side", "disaggregated_state", "prefill_s"]


@dataclass(frozen=True)
class Side:
    """Replicas that prefill, or replicas that decode; arrays (U,)."""

    cut: Cut
    replicas: Array
    machine: Machine
    limits: Limits


def disaggregated_state(model: Model, prefill: Side, decode: Side, load: Load) -> Steady:
    """The steady state of the whole deployment under `load`, whose concurrency counts all requests in it.

    Prompts queue for copies of attention of the prefill side, which take several at once where they are short; their
    caches travel over the slower of the links between, all ranks of a copy at once, and sequences then decode without
    pause. TTFT holds the queue (M/D/1 per copy), the prefill and the transfer. Per-copy figures are the decode side's.
    """
    per_pass = 1.0 if decode.limits.speculation is None else decode.limits.speculation.accepted_tokens
    prompt = np.maximum(load.input_tokens - load.cached_tokens, 1.0)
    passes = np.maximum(load.output_tokens - 1.0, 1e-9) / per_pass
    keys = load.input_tokens + load.output_tokens / 2.0
    none, one = np.zeros_like(prompt), np.ones_like(prompt)

    room = cache_room_bytes(model, decode.cut, none, decode.limits.memory_fraction, decode.machine)
    whole = sequence_bytes(model, decode.cut, load.input_tokens + load.output_tokens, decode.machine)
    prefill_room = cache_room_bytes(
        model, prefill.cut, prefill.limits.batched_tokens, prefill.limits.memory_fraction, prefill.machine
    )
    fits = (room >= whole) & (prefill_room >= sequence_bytes(model, prefill.cut, load.input_tokens, prefill.machine))
    most = np.maximum(room, 0.0) / sequence_bytes(model, decode.cut, keys, decode.machine)
    most = np.maximum(np.minimum(most, decode.limits.sequences), 1.0)

    copies, prefill_copies = decode.replicas * decode.cut.dp, prefill.replicas * prefill.cut.dp
    in_turn = load.concurrency / copies / decode.cut.pp
    allowed = np.minimum(in_turn, most / decode.cut.pp)
    together = np.maximum(np.floor(prefill.limits.batched_tokens / prompt), 1.0)
    alone = prefill_s(model, prefill, prompt, load.cached_tokens, one)
    full_s = prefill_s(model, prefill, prompt, load.cached_tokens, together)
    # Stages of a pipeline prefill different prompts at once.
    most_per_s = prefill_copies * prefill.cut.pp * together / full_s
    sent_s = _sent_s(model, prefill, load.input_tokens)

    batch = allowed
    for _ in range(ROUNDS):
        parts = iteration_parts(
            model, decode.cut, Iteration(batch, keys, none, none, none, one), decode.machine, decode.limits.speculation
        )
        mean_s = whole_s(parts)
        decoding_s = passes * mean_s
        rate = np.minimum(copies * decode.cut.pp * batch / decoding_s, most_per_s)
        busy = np.minimum(rate / most_per_s, 0.95)
        ready_s = alone * (1.0 + 0.5 * busy / (1.0 - busy)) + sent_s
        prefilled = most_per_s * decoding_s / copies / decode.cut.pp
        batch = np.minimum(allowed * decoding_s / (decoding_s + ready_s), prefilled)
    worked_s = decoding_s + ready_s
    rate = copies * decode.cut.pp * batch / decoding_s
    finite = np.isfinite(load.concurrency)
    queued_s = np.maximum(np.where(finite, np.where(finite, load.concurrency, 0.0) / rate - worked_s, 0.0), 0.0)
    in_prefill_copy = np.where(finite, load.concurrency, 1.0) / prefill_copies
    first_s = first_round_s(in_prefill_copy, prompt, prefill.limits.batched_tokens, full_s, prompt * together) + sent_s
    ttft_s = ready_s + np.maximum(first_s - ready_s, 0.0) / load.rounds + queued_s
    seen_s, each_s = as_seen(ttft_s, mean_s / per_pass, load, decode.limits, decode.machine)
    return Steady(
        ttft_s=seen_s,
        tpot_s=each_s,
        requests_per_s=rate,
        batch=batch * decode.cut.pp,
        queued=rate * queued_s / copies,
        prefill_share=rate / most_per_s,
        most_sequences=most,
        fits=fits,
        saturated=~finite | (queued_s > WAITS * worked_s),
        decode_s=mean_s,
        prefill_s=alone,
        decode=parts,
        prefill=_prefill_parts(model, prefill, prompt, load.cached_tokens, one),
    )


def _prefill_parts(model: Model, side: Side, prompt: Array, cached: Array, together: Array) -> dict[str, Array]:
    none = np.zeros_like(prompt)
    work = Iteration(none, none + 1.0, together, prompt, cached, np.ones_like(prompt))
    return iteration_parts(model, side.cut, work, side.machine)


def prefill_s(model: Model, side: Side, prompt: Array, cached: Array, together: Array) -> Array:
    """Time to prefill `together` prompts at once, in as many full iterations as they need, in seconds."""
    pieces = np.maximum(np.ceil(together * prompt / side.limits.batched_tokens), 1.0)
    chunk = prompt / pieces
    past = cached + (prompt - chunk) / 2.0
    return pieces * whole_s(_prefill_parts(model, side, chunk, past, together))


def _sent_s(model: Model, side: Side, tokens: Array) -> Array:
    """Time to send the cache of one prompt of `tokens` to a decoding replica, every rank its own, in seconds."""
    per_rank = sequence_bytes(model, side.cut, tokens, side.machine)
    return send_recv_s(per_rank, side.cut.gpus, side.machine.cluster.links)
