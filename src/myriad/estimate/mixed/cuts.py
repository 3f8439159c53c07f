"""Where the layers of a model can be cut between two pools."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.operations import Array
from myriad.estimate.pipeline import chunk_sizes
from myriad.estimate.placement import layer_counts
from myriad.spec.layout import IntArray
from myriad.spec.model import Model


@lru_cache(maxsize=256)
def cut_counts(
    layer_kinds: tuple[str, ...], kinds: tuple[str, ...], before: int, after: int, end_layers: int, in_turn: bool
) -> tuple[IntArray, Array]:
    """Every place to cut the layers (N,), and layers of each kind on each stage then, (N, K, P).

    Raises InfeasibleError if there are too few layers for the stages.
    """
    layers = len(layer_kinds)
    cuts, counts = [], []
    for cut in range(1, layers):
        try:
            sizes = (
                *chunk_sizes(cut, before, 0, in_turn),
                *chunk_sizes(layers - cut, after, end_layers, in_turn, first_layers=0),
            )
        except InfeasibleError:
            continue
        cuts.append(cut)
        counts.append(layer_counts(layer_kinds, kinds, np.arange(before + after), sizes))
    if not cuts:
        raise InfeasibleError(f"{layers} layers cannot fill {before} and {after} stages of two pools")
    return np.array(cuts, dtype=np.int64), np.stack(counts)


def with_prediction(model: Model, kinds: tuple[str, ...], counts: Array) -> Array:
    """The counts with the prediction depths on the last stage."""
    if not model.mtp_depths or model.mtp_block is None:
        return counts
    counts = counts.copy()
    counts[..., kinds.index(model.mtp_block), -1] += model.mtp_depths
    return counts
