"""What a batch of given size makes of an engine's iterations: their times, how many prefill, what a request waits.

Both the steady state at a concurrency, which looks for its batch, and searches, which go through batches, ask here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from myriad.estimate.serving.cache import cache_room_bytes, sequence_bytes
from myriad.estimate.serving.iteration import Iteration, iteration_parts
from myriad.estimate.serving.load import Limits, Load
from myriad.estimate.serving.machine import Array, Cut, Machine
from myriad.estimate.serving.parts import Parts, whole_s
from myriad.estimate.serving.queue import MOST_BUSY, wait_s
from myriad.spec.model import Model

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Room:
    """What bounds a batch on one copy, and what one request asks for, arrays (U,)."""

    prompt: Array
    """New tokens of a prompt."""
    passes: Array
    """Passes that decode one answer."""
    keys: Array
    """Cached tokens of the mean sequence."""
    fits: BoolArray
    most: Array
    """Sequences that fit in memory, and that the engine allows."""
    full: Array
    """Sequences that decode in one stage's turn where every iteration is full of prefill."""

    def take(self, index: npt.NDArray[np.int64]) -> Room:
        return Room(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


def room_of(model: Model, cut: Cut, machine: Machine, load: Load, limits: Limits) -> Room:
    """What bounds a batch, whatever the concurrency."""
    prompt = np.maximum(load.input_tokens - load.cached_tokens, 1.0)
    passes = np.maximum(load.output_tokens - 1.0, 1e-9) / limits.tokens_per_pass
    keys = load.input_tokens + load.output_tokens / 2.0
    room = cache_room_bytes(model, cut, limits.batched_tokens, limits.memory_fraction, machine)
    fits = room >= sequence_bytes(model, cut, load.input_tokens + load.output_tokens, machine)
    held = load.input_tokens + load.output_tokens if machine.engine.admission == "whole" else keys
    most = np.minimum(np.maximum(room, 0.0) / sequence_bytes(model, cut, held, machine), limits.sequences)
    mixed = machine.engine.mixing == "mixed"
    # Where every iteration is full of prefill, sequences end as fast as prompts are prefilled.
    full = passes * limits.batched_tokens / (prompt + passes * limits.checked_per_pass)
    return Room(prompt, passes, keys, fits, np.maximum(most, 1.0), full if mixed else np.full_like(prompt, np.inf))


@dataclass(frozen=True)
class Turn:
    """The iterations of a batch of given size, and what a request waits for with them, arrays (U,)."""

    room_tokens: Array
    """Prompt tokens that one iteration has room for."""
    prefilled: Array
    """Prompt tokens of one that prefills."""
    share: Array
    """Iterations that hold prefill of this copy, over all or, where they stand apart, over those that decode."""
    decode: Parts
    prefill: Parts
    decode_s: Array
    prefill_s: Array
    mean_s: Array
    """Time between two tokens of a sequence."""
    wait_s: Array
    """Of `ready_s`, the queue for prefill."""
    wait_share: Array
    """Load of that queue."""
    ready_s: Array
    """From a request's place in the batch to its first token."""
    worked_s: Array
    """From there to its last."""
    deviation_s: Array
    """Standard deviation of the mean time between two tokens of one sequence: some meet prefill more often. Whether an
    iteration prefills counts as drawn for each anew; sequences' lengths and all else count as equal."""


def turn_of(
    model: Model, cut: Cut, machine: Machine, load: Load, limits: Limits, room: Room, batch: Array, allowed: Array
) -> Turn:
    """What `batch` sequences, decoding at once in one stage's turn on one copy, make of the iterations.

    `allowed` are those that may be there, with those that wait for prefill: where requests are of equal lengths, all of
    them begin together.
    """
    engine, drafts = machine.engine, limits.speculation
    mixed, per_sequence = engine.mixing == "mixed", limits.checked_per_pass
    rate = batch / room.passes
    room_tokens = limits.batched_tokens - (batch * per_sequence if mixed else 0.0)
    room_tokens = np.maximum(room_tokens, 1.0)
    most_together = np.maximum(room_tokens / room.prompt, 1.0)
    at_once = load.equal and not mixed
    cohort = np.minimum(most_together, np.maximum(allowed, 1.0))
    if not load.equal:
        group = np.clip(rate, 1.0, most_together)
    else:
        # Beside decoding, prompts that came at once part over iterations: cohorts between one and all of them.
        group = np.maximum(np.sqrt(cohort), np.clip(rate, 1.0, most_together)) if mixed else cohort
    pieces = (
        np.maximum(np.ceil(group * room.prompt / room_tokens), 1.0) if engine.splits_prompts else np.ones_like(group)
    )
    share = np.minimum(rate / group * pieces, 1.0) if mixed else rate / group * pieces
    # Copies that wait for each other prefill at once; else one or another does most of the time.
    balanced = limits.balance_iterations > 0.0
    together = share if balanced else 1.0 - (1.0 - np.minimum(share, 1.0 - 1e-9)) ** cut.dp
    prefilled = group * room.prompt / pieces
    alone, beside = _iterations(batch, room.keys, prefilled, room.prompt, load.cached_tokens, mixed)
    spread = np.minimum(share / np.maximum(together, 1e-9), 1.0)
    beside_met = _with_met(beside, batch, per_sequence, spread, mixed)
    decode = iteration_parts(model, cut, alone, machine, drafts)
    prefill = iteration_parts(model, cut, beside_met, machine, drafts if mixed else None)
    decode_s, prefill_s = whole_s(decode), whole_s(prefill)
    busy = np.where(cut.dp > 1.0, together, share)
    mean_s = decode_s + (busy * (prefill_s - decode_s) if mixed else busy * prefill_s)
    service_s = pieces * prefill_s
    wait_share = np.minimum(rate / group * service_s / mean_s, MOST_BUSY)
    waited_s = wait_s(service_s, wait_share)
    # A copy gets a prompt every 1 / rate iterations: by then all of them have one.
    waited = np.minimum(limits.balance_iterations, 1.0 / np.maximum(rate, 1e-9))
    aligned_s = np.where(cut.dp > 1.0, waited * mean_s, 0.0)
    ready_s = 0.5 * mean_s + service_s + waited_s + aligned_s
    if at_once:
        # All begin together and prefill first: the first of them wait for the last before they decode.
        all_s = service_s * np.maximum(allowed / group, 1.0)
        ready_s = 0.5 * (all_s + service_s)
        mean_s = decode_s + (all_s - ready_s) / room.passes
    # Prefills that stand apart come in any number between two tokens.
    drawn, longer_s = (busy * (1.0 - busy), np.abs(prefill_s - decode_s)) if mixed else (busy, prefill_s)
    return Turn(
        room_tokens=room_tokens,
        prefilled=prefilled,
        share=share,
        decode=decode,
        prefill=prefill,
        decode_s=decode_s,
        prefill_s=prefill_s,
        mean_s=mean_s,
        wait_s=waited_s,
        wait_share=wait_share,
        ready_s=ready_s,
        worked_s=room.passes * mean_s + ready_s,
        deviation_s=longer_s * np.sqrt(drawn / np.maximum(room.passes, 1.0)),
    )


def _iterations(
    batch: Array, keys: Array, prefilled: Array, prompt: Array, cached: Array, mixed: bool
) -> tuple[Iteration, Iteration]:
    """An iteration that decodes alone, and one that prefills `prefilled` tokens."""
    none, one = np.zeros_like(batch), np.ones_like(batch)
    chunk = np.minimum(prompt, prefilled)
    past = cached + (prompt - chunk) / 2.0
    # Where less than one sequence decodes in the mean, stages stand idle between passes of one.
    alone = Iteration(np.maximum(batch, 1.0), keys, none, none, none, one)
    return alone, Iteration(batch if mixed else none, keys, prefilled / chunk, chunk, past, one)


def _with_met(work: Iteration, batch: Array, per_sequence: float, spread: Array, mixed: bool) -> Iteration:
    """The iteration, where only a share `spread` of the copies prefills at the same time."""
    decoding = batch * per_sequence if mixed else np.zeros_like(batch)
    prefilled = work.chunks * work.chunk_tokens
    met = (decoding + prefilled * spread) / np.maximum(decoding + prefilled, 1e-9)
    return Iteration(work.sequences, work.keys, work.chunks, work.chunk_tokens, work.past, met)
