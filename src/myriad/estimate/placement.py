"""Where layers lie: by the software's own rule or by a split, with prediction depths at the head or apart from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.operations import Array
from myriad.estimate.pipeline import chunk_places, chunk_sizes
from myriad.spec.layout import IntArray, Layout
from myriad.spec.model import Model
from myriad.spec.result import StageLoad


def split_problem(model: Model, split: Sequence[int]) -> str:
    """Why the layers of a model cannot lie so, or empty.

    >>> from myriad.spec.model import Block, DenseFeedForward
    >>> block = Block(feed_forward=DenseFeedForward(width=8))
    >>> model = Model(name="two", hidden=8, vocab=8, blocks={"a": block}, layers=(("a", 2),))
    >>> split_problem(model, (1, 2)), split_problem(model, (2, 0))
    ('split places 3 layers; the model has 2', '')
    """
    layers, depths, placed = model.num_layers, model.mtp_depths, sum(split)
    if not split or placed == layers:
        return ""
    with_depths = f", {layers + depths} with its prediction depths" if depths else ""
    if not depths or placed != layers + depths:
        return f"split places {placed} layers; the model has {layers}{with_depths}"
    filled = [size for size in split if size]
    if split[-1] < depths and (filled[-1] < depths or split[-1] > 0):
        return "split parts the prediction depths; they lie in one chunk"
    return ""


def predicts_apart(model: Model, split: Sequence[int]) -> bool:
    """Whether the split places prediction depths on another chunk than the head's."""
    return bool(split) and sum(split) > model.num_layers and split[-1] < model.mtp_depths


def prediction_chunk(model: Model, split: Sequence[int]) -> int:
    """The chunk on which the split places the prediction depths; -1 for the last, with the head."""
    return max(c for c, size in enumerate(split) if size) if predicts_apart(model, split) else -1


def chunk_layers(
    model: Model, num_chunks: int, end_layers: int = 1, in_turn: bool = False, split: Sequence[int] = ()
) -> tuple[int, ...]:
    """Layers per chunk, first to last, without prediction depths. Raises InfeasibleError if they cannot lie so."""
    if not split:
        return chunk_sizes(model.num_layers, num_chunks, end_layers, in_turn)
    if problem := split_problem(model, split):
        raise InfeasibleError(problem)
    sizes = list(split)
    if sum(split) > model.num_layers:
        sizes[prediction_chunk(model, split)] -= model.mtp_depths
    return tuple(sizes)


def places_of(layout: Layout) -> IntArray:
    """The stage of each chunk of a layout."""
    return chunk_places(layout.pp, layout.vpp, in_a_v=layout.schedule == "zb-v")


def layer_counts(layer_kinds: Sequence[str], kinds: Sequence[str], places: IntArray, sizes: Sequence[int]) -> Array:
    """Layers of each kind on each stage, array (K, P), for chunks of these sizes on these stages."""
    counts = np.zeros((len(kinds), int(places.max()) + 1))
    np.add.at(counts, (np.array([kinds.index(kind) for kind in layer_kinds]), np.repeat(places, sizes)), 1)
    return counts


def stage_layers(
    model: Model, places: IntArray, end_layers: int = 1, in_turn: bool = False, split: Sequence[int] = ()
) -> Array:
    """Layers and prediction depths of each kind on each stage, array (K, P), for chunks on these stages.

    Depths that lie apart from the head are one more kind, the last, which holds what is the head's elsewhere (see
    `estimate.layers.model_costs`); `estimate.pipeline.chunk_places` has the places. Raises InfeasibleError if the
    layers cannot lie so.
    """
    kinds, apart = model.block_kinds(), predicts_apart(model, split)
    sizes = chunk_layers(model, len(places), end_layers, in_turn, split)
    counts = layer_counts(model.layer_kinds(), kinds, places, sizes)
    if apart:
        counts = np.vstack([counts, np.zeros(counts.shape[1])])
    if model.mtp_depths and model.mtp_block is not None:
        kind = len(kinds) if apart else kinds.index(model.mtp_block)
        counts[kind, places[prediction_chunk(model, split)]] += model.mtp_depths
    return counts


def stage_loads(
    model: Model, layout: Layout, end_layers: int, in_turn: bool, micro_batch_s: Array
) -> tuple[StageLoad, ...]:
    """What lies on each stage, given how long one micro-batch takes there, array (P,)."""
    places = places_of(layout)
    sizes = chunk_layers(model, len(places), end_layers, in_turn, layout.split)
    edges, kinds = np.cumsum([0, *sizes]).tolist(), model.layer_kinds()
    depths_at = int(places[prediction_chunk(model, layout.split)])
    found = []
    for stage in range(layout.pp):
        chunks = np.flatnonzero(places == stage).tolist()
        held = Counter(kind for chunk in chunks for kind in kinds[edges[chunk] : edges[chunk + 1]])
        found.append(
            StageLoad(
                stage=stage,
                chunks=tuple(sizes[chunk] for chunk in chunks),
                layers=dict(held),
                prediction_depths=model.mtp_depths if stage == depths_at else 0,
                micro_batch_s=float(micro_batch_s[stage]),
            )
        )
    return tuple(found)
