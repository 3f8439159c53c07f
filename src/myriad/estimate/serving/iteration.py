"""One iteration of an engine on one replica: decoding sequences, and chunks of prompts beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from myriad.estimate.serving.attention import chunk_parts, decode_parts
from myriad.estimate.serving.machine import Array, Cut, Machine
from myriad.estimate.serving.parts import Parts, add, whole_s
from myriad.estimate.serving.tokens import Tokens, block_token_parts, token_parts
from myriad.spec.model import Model
from myriad.spec.serving import Speculation

HIDING_PARTS = frozenset({"gemm", "expert_gemm", "attention", "recurrent", "memory_bound"})
"""What one half of an iteration computes in its layers while the other's tokens travel to experts and back."""


@dataclass(frozen=True)
class Iteration:
    """What one copy of attention does in one pass, arrays (U,); means over passes of the same kind."""

    sequences: Array
    """Sequences that decode."""
    keys: Array
    """Cached tokens of each of them, the mean."""
    chunks: Array
    """Prompts, or chunks of prompts, that are prefilled beside them."""
    chunk_tokens: Array
    """New tokens of each chunk."""
    past: Array
    """Cached tokens before each chunk, the mean."""
    met_share: Array
    """Tokens of the mean copy over those of this one."""


def iteration_parts(
    model: Model, cut: Cut, work: Iteration, machine: Machine, speculation: Speculation | None = None
) -> Parts:
    """Seconds of one iteration by kind, through all stages of the replica; every array (U,)."""
    if machine.two_batches:
        found = _two_halves(model, cut, work, machine, speculation)
    else:
        found = _device_parts(model, cut, work, machine, speculation)
    engine = machine.engine
    host = engine.iteration_s + engine.sequence_s * (work.sequences + work.chunks)
    launching = engine.prefill_s + engine.prefill_layer_s * model.num_layers
    add(found, {"host": host + launching * (work.chunks > 0.0)})
    return found


def _device_parts(model: Model, cut: Cut, work: Iteration, machine: Machine, speculation: Speculation | None) -> Parts:
    drafted = float(speculation.draft_tokens) if speculation is not None else 0.0
    decoding = work.sequences * (1.0 + drafted)
    prefilled = work.chunks * work.chunk_tokens
    tokens = np.maximum(decoding + prefilled, 1e-9)
    new = Tokens(tokens, np.maximum(tokens * cut.dp * work.met_share, 1e-9), np.maximum(decoding + work.chunks, 1e-9))
    found = token_parts(model, cut, new, machine)
    decodes, prefills = work.sequences > 0.0, work.chunks > 0.0
    if decodes.any():
        add(found, decode_parts(model, cut, work.sequences, work.keys, machine), decodes)
    if prefills.any():
        chunk = np.maximum(work.chunk_tokens, 1e-9)
        add(found, chunk_parts(model, cut, chunk, work.past, work.chunks, machine), prefills)
    if speculation is not None:
        add(found, _drafting(model, cut, work, machine, speculation))
    return found


def _two_halves(model: Model, cut: Cut, work: Iteration, machine: Machine, speculation: Speculation | None) -> Parts:
    """Two halves of an iteration, each one's exchange with experts hidden behind what the other computes.

    While one half computes a layer the other exchanges: what is left to see of the exchange is what takes longer than
    all that runs beside it. Weights are read once per half. Left out: the units that exchange takes from compute, and
    layers in which the two differ in length.
    """
    half = replace(work, sequences=work.sequences / 2.0, chunks=work.chunks / 2.0)
    found: Parts = {}
    add(found, _device_parts(model, cut, half, machine, speculation), 2.0)
    beside = whole_s({part: seconds for part, seconds in found.items() if part in HIDING_PARTS})
    if "ep_comm" in found:
        found["ep_comm"] = np.maximum(found["ep_comm"] - beside, 0.0)
    return found


def _drafting(model: Model, cut: Cut, work: Iteration, machine: Machine, speculation: Speculation) -> Parts:
    """Drafting by the model's own prediction depths, or by a block like its last (EAGLE), one after the other."""
    block = model.blocks[model.mtp_block or model.layer_kinds()[-1]]
    sequences = np.maximum(work.sequences, 1e-9)
    new = Tokens(sequences, sequences * cut.dp, sequences)
    drafted: Parts = {}
    add(drafted, block_token_parts(block, model, cut, new, machine), float(speculation.draft_tokens))
    return drafted
