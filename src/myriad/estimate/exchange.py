"""Communication inside a block, per micro-batch: tensor, context and expert parallel.

Times are totals of the forward and backward passes, arrays (U,) over `Cells`. What compute hides is
taken off later, by the stack's overlap fractions. Rank order is tensor, context, then data (experts:
expert-tensor, expert, then data), so group strides follow from the sizes before them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from myriad.estimate.collectives import all_gather_s, all_reduce_s, all_to_all_s, reduce_scatter_s
from myriad.estimate.device import OPERAND_BYTES
from myriad.estimate.operations import Array, Cells, expert_tokens
from myriad.estimate.tiers import Placement, domains, place
from myriad.spec.calibration import Stack
from myriad.spec.cluster import Link
from myriad.spec.job import TrainingWork
from myriad.spec.model import (
    Block,
    CompressedAttention,
    GatedDeltaNet,
    GroupedQueryAttention,
    Mamba2,
    MixtureOfExperts,
    Model,
    MultiLatentAttention,
)


@dataclass(frozen=True)
class Exchange:
    """Communication time of one block per micro-batch, forward and backward, before overlap; arrays (U,)."""

    tp_forward_s: Array
    tp_backward_s: Array
    cp_forward_s: Array
    cp_backward_s: Array
    ep_forward_s: Array
    ep_backward_s: Array

    def take(self, index: npt.NDArray[np.int64]) -> Exchange:
        return Exchange(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


def block_exchange(
    block: Block, model: Model, cells: Cells, work: TrainingWork, stack: Stack, links: tuple[Link, ...]
) -> Exchange:
    """What the ranks of one block send each other.

    Tensor parallel: an all-gather before and a reduce-scatter after each sharded part (mixer, dense
    feed-forward, shared experts), the same backward; all-reduces without sequence parallelism. What is gathered
    travels in the precision of the products, sums in bf16. The backward re-gather of inputs for the weight
    gradient runs beside the input gradient and is left out.
    Context parallel: keys and values of the whole sequence, gathered forward, gathered again and their
    gradients scattered backward (the ring form moves the same bytes).
    Expert parallel: token copies out and back, forward and backward, in bf16; expert-tensor ranks
    gather and scatter what arrives. Software that dispatches once sends a token once to each rank and domain
    that has experts for it, and sums what comes back before it returns.
    """
    zero = np.zeros_like(cells.tp)
    activation = cells.activation_bytes * cells.tokens * model.hidden
    tp_place = place(cells.tp, np.ones_like(cells.tp), links)
    moe = block.feed_forward if isinstance(block.feed_forward, MixtureOfExperts) else None
    sharded_parts = (
        (block.mixer is not None)
        + (block.feed_forward is not None and moe is None)
        + (moe is not None and moe.shared_width > 0)
        + (moe is not None and moe.dense_width > 0)
    )
    # Inputs of 8-bit products are quantised before they are gathered, but not per row, which the two products of an
    # input cut differently; sums travel in bf16.
    early = 1.0 if work.precision == "fp8-row" else min(OPERAND_BYTES[work.precision] / cells.activation_bytes, 1.0)
    gathered = activation * early
    scattered = all_gather_s(gathered, tp_place) + reduce_scatter_s(activation, tp_place)
    reduced = all_reduce_s(activation, tp_place)
    tp_one_way = sharded_parts * np.where(cells.sp > 0, scattered, reduced)

    cp_forward, cp_backward = _context(block, cells, work, links)
    ep_one_way = zero
    etp_one_way = zero
    if moe is not None:
        ep_place = place(cells.ep, cells.etp, links)
        sent, far_share = dispatched_bytes(moe, model, cells, work, stack, ep_place)
        ep_one_way = 2 * all_to_all_s(sent, ep_place, far_share)
        arrived = cells.activation_bytes * expert_tokens(moe, cells, work) * float(moe.latent_dim or model.hidden)
        etp_place = place(cells.etp, np.ones_like(cells.etp), links)
        etp_one_way = all_gather_s(arrived, etp_place) + reduce_scatter_s(arrived, etp_place)
    return Exchange(
        tp_forward_s=tp_one_way + etp_one_way,
        tp_backward_s=tp_one_way + etp_one_way,
        cp_forward_s=cp_forward,
        cp_backward_s=cp_backward,
        ep_forward_s=ep_one_way,
        ep_backward_s=ep_one_way,
    )


def dispatched_bytes(
    moe: MixtureOfExperts, model: Model, cells: Cells, work: TrainingWork, stack: Stack, ep_place: Placement
) -> tuple[Array, Array]:
    """Bytes that a rank sends to the experts of one layer per micro-batch, and the share of the far ones that travels.

    See `block_exchange`; as much comes back.
    """
    width = float(moe.latent_dim or model.hidden)
    copies = cells.tokens / cells.sequence_shard * moe.top_k * work.expert_imbalance
    sent = np.asarray(cells.activation_bytes * copies * width)
    if not stack.dispatch_once_per_domain:
        return sent, np.ones_like(sent)
    once_per_rank = distinct_share(moe, cells.ep)
    return sent * once_per_rank, distinct_share(moe, domains(ep_place)) / once_per_rank


def distinct_share(moe: MixtureOfExperts, places: Array) -> Array:
    """Distinct places (ranks or domains) with experts for one token, over its top_k copies: at most 1.

    A random choice of k among n places hits n (1 - (1 - 1/n)^k). Where the router first picks g of G groups of
    experts, only n (1 - (1 - g/G)^(G/n)) places can be hit, n g/G where a group spans whole places.

    >>> plain = MixtureOfExperts(experts=256, top_k=8, expert_width=1)
    >>> limited = plain.model_copy(update={"groups": 8, "top_groups": 4})
    >>> [float(8 * distinct_share(moe, np.array(8.0)).round(3)) for moe in (plain, limited)]
    [5.248, 3.6]
    """
    picked = 1.0 if moe.top_groups is None else moe.top_groups / moe.groups
    within = np.maximum(places * (1.0 - (1.0 - picked) ** np.maximum(moe.groups / places, 1.0)), 1.0)
    share: Array = within * (1.0 - (1.0 - 1.0 / within) ** moe.top_k) / moe.top_k
    return share


def key_value_elements(block: Block, cells: Cells) -> Array:
    """Elements of keys and values per token on one tensor-parallel rank; recurrent mixers pass their input."""
    match block.mixer:
        case GroupedQueryAttention() as a:
            heads = np.maximum(a.kv_heads / cells.tp, 1.0)
            return heads * (a.head_dim + (0 if a.shared_kv else (a.v_head_dim or a.head_dim)))
        case MultiLatentAttention() as a:
            return a.heads / cells.tp * float(a.qk_nope_head_dim + a.qk_rope_head_dim + a.v_head_dim)
        case CompressedAttention() as a:
            return np.full_like(cells.tp, 2.0 * a.head_dim)
        case Mamba2() as a:
            return (a.heads * a.head_dim * 2.0 + 2 * a.groups * a.state_dim) / cells.tp
        case GatedDeltaNet() as a:
            return (2.0 * a.key_heads * a.key_head_dim + 2.0 * a.value_heads * a.value_head_dim) / cells.tp
        case None:
            return np.zeros_like(cells.tp)


def key_value_bytes(block: Block, cells: Cells, work: TrainingWork) -> Array:
    """Keys and values of the whole sequence of one micro-batch on one tensor-parallel rank, in bytes."""
    return np.asarray(cells.activation_bytes * work.seq_len * cells.micro_batch * key_value_elements(block, cells))


def _context(block: Block, cells: Cells, work: TrainingWork, links: tuple[Link, ...]) -> tuple[Array, Array]:
    cp_place = place(cells.cp, cells.tp, links)
    per_token = key_value_elements(block, cells)
    if isinstance(block.mixer, (Mamba2, GatedDeltaNet)):
        # Scans switch from sequence to head shards and back: two all-to-alls each way.
        turned = all_to_all_s(cells.activation_bytes * cells.tokens * per_token, cp_place)
        return 2 * turned, 2 * turned
    whole = key_value_bytes(block, cells, work)
    gathered = all_gather_s(whole, cp_place)
    return gathered, gathered + reduce_scatter_s(whole, cp_place)


def gathered_logits_s(model: Model, cells: Cells, links: tuple[Link, ...]) -> Array:
    """Time of giving all logits to every rank of a tensor-parallel group, in seconds; its backward pass is a cut."""
    tp_place = place(cells.tp, np.ones_like(cells.tp), links)
    return all_gather_s(cells.activation_bytes * cells.tokens * model.vocab, tp_place)


def vocabulary_exchange_s(model: Model, cells: Cells, links: tuple[Link, ...]) -> Array:
    """Tensor-parallel time of the embedding or of the head, forward and backward, in seconds."""
    activation = cells.activation_bytes * cells.tokens * model.hidden
    tp_place = place(cells.tp, np.ones_like(cells.tp), links)
    return all_gather_s(activation, tp_place) + reduce_scatter_s(activation, tp_place)
