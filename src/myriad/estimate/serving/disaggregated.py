"""The steady state of replicas that prefill and others that decode, with the cache sent from one to the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from myriad.estimate.collectives import send_recv_s
from myriad.estimate.serving.cache import cache_room_bytes, sequence_bytes
from myriad.estimate.serving.iteration import Iteration, iteration_parts
from myriad.estimate.serving.load import Limits, Load, as_seen
from myriad.estimate.serving.machine import Array, Cut, Machine
from myriad.estimate.serving.parts import Parts, whole_s
from myriad.estimate.serving.queue import MOST_BUSY, wait_s
from myriad.estimate.serving.steady import ROUNDS, WAITS, Steady, first_round_s
from myriad.estimate.serving.turn import Room, room_of
from myriad.spec.model import Model

BoolArray = npt.NDArray[np.bool_]


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
    prompts, room = prefilling(model, prefill, load), decode_room(model, decode, load)
    most_per_s = prefill.replicas * prompts.per_s
    copies, prefill_copies = decode.replicas * decode.cut.dp, prefill.replicas * prefill.cut.dp
    allowed = np.minimum(load.concurrency / copies / decode.cut.pp, room.most / decode.cut.pp)

    batch = allowed
    for _ in range(ROUNDS):
        parts = decoding_parts(model, decode, room, batch)
        mean_s = whole_s(parts)
        decoding_s = room.passes * mean_s
        rate = np.minimum(copies * decode.cut.pp * batch / decoding_s, most_per_s)
        ready_s = prompts.ready_s(rate / most_per_s)
        prefilled = most_per_s * decoding_s / copies / decode.cut.pp
        batch = np.minimum(allowed * decoding_s / (decoding_s + ready_s), prefilled)
    worked_s = decoding_s + ready_s
    rate = copies * decode.cut.pp * batch / decoding_s
    finite = np.isfinite(load.concurrency)
    queued_s = np.maximum(np.where(finite, np.where(finite, load.concurrency, 0.0) / rate - worked_s, 0.0), 0.0)
    in_prefill_copy = np.where(finite, load.concurrency, 1.0) / prefill_copies
    first_s = prompts.sent_s + first_round_s(
        in_prefill_copy, room.prompt, prefill.limits.batched_tokens, prompts.full_s, room.prompt * prompts.together
    )
    ttft_s = ready_s + np.maximum(first_s - ready_s, 0.0) / load.rounds + queued_s
    token_s = mean_s / decode.limits.tokens_per_pass
    seen_s, each_s = as_seen(ttft_s, token_s, load, decode.limits, decode.machine.engine)
    return Steady(
        ttft_s=seen_s,
        tpot_s=each_s,
        requests_per_s=rate,
        batch=batch * decode.cut.pp,
        queued=rate * queued_s / copies,
        prefill_share=rate / most_per_s,
        most_sequences=room.most,
        fits=room.fits & prompts.fits,
        saturated=~finite | (queued_s > WAITS * worked_s),
        decode_s=mean_s,
        prefill_s=prompts.alone_s,
        decode=parts,
        prefill=prompts.parts,
        wait_s=wait_s(prompts.alone_s, rate / most_per_s),
        wait_share=np.minimum(rate / most_per_s, MOST_BUSY),
        tpot_deviation_s=np.zeros_like(mean_s),
    )


@dataclass(frozen=True)
class Prefilling:
    """What one replica of the prefill side does with prompts, arrays (U,)."""

    alone_s: Array
    """Time of one prompt alone."""
    parts: Parts
    """Of its last iteration."""
    together: Array
    """Prompts that a full iteration takes."""
    full_s: Array
    """Time of so many."""
    per_s: Array
    """Prompts per second at most. Stages of a pipeline prefill different prompts at once."""
    sent_s: Array
    fits: BoolArray

    def ready_s(self, busy: Array) -> Array:
        """From a request's arrival until it decodes, where a share `busy` of the prompts per second comes."""
        return self.alone_s + wait_s(self.alone_s, busy) + self.sent_s


def prefilling(model: Model, side: Side, load: Load) -> Prefilling:
    """What one replica of the prefill side does, whatever decodes."""
    prompt = np.maximum(load.input_tokens - load.cached_tokens, 1.0)
    one = np.ones_like(prompt)
    room = cache_room_bytes(model, side.cut, side.limits.batched_tokens, side.limits.memory_fraction, side.machine)
    together = np.maximum(np.floor(side.limits.batched_tokens / prompt), 1.0)
    full_s = prefill_s(model, side, prompt, load.cached_tokens, together)
    return Prefilling(
        alone_s=prefill_s(model, side, prompt, load.cached_tokens, one),
        parts=_prefill_parts(model, side, prompt, load.cached_tokens, one),
        together=together,
        full_s=full_s,
        per_s=side.cut.dp * side.cut.pp * together / full_s,
        sent_s=_sent_s(model, side, load.input_tokens),
        fits=room >= sequence_bytes(model, side.cut, load.input_tokens, side.machine),
    )


def decode_room(model: Model, side: Side, load: Load) -> Room:
    """What bounds a batch on one copy of a replica that only decodes, arrays (U,); it needs no room for prompts."""
    none = np.zeros_like(load.input_tokens)
    alone = replace(side.limits, batched_tokens=none)
    return replace(room_of(model, side.cut, side.machine, load, alone), full=none + np.inf)


def decoding_parts(model: Model, side: Side, room: Room, batch: Array) -> Parts:
    """Seconds by kind of an iteration of `batch` sequences in one stage's turn, which only decodes."""
    none = np.zeros_like(batch)
    # Where less than one sequence decodes in the mean, stages stand idle between passes of one.
    work = Iteration(np.maximum(batch, 1.0), room.keys, none, none, none, none + 1.0)
    return iteration_parts(model, side.cut, work, side.machine, side.limits.speculation)


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
