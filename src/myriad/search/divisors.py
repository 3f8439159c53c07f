"""What the sizes of a model must be divided by: shared by the rules of training layouts and of serving replicas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from myriad.spec.model import (
    CompressedAttention,
    DenseFeedForward,
    GatedDeltaNet,
    GroupedQueryAttention,
    Mamba2,
    MixtureOfExperts,
    Model,
    MultiLatentAttention,
)

Mask = npt.NDArray[np.bool_]


def tensor_sizes(model: Model) -> list[int]:
    """Sizes of the model's blocks that tensor parallelism must divide."""
    sizes: list[int] = []
    for block in model.blocks.values():
        match block.mixer:
            case GroupedQueryAttention() | MultiLatentAttention() | CompressedAttention() | Mamba2() as mixer:
                sizes.append(mixer.heads)
            case GatedDeltaNet() as mixer:
                sizes += [mixer.key_heads, mixer.value_heads]
        match block.feed_forward:
            case DenseFeedForward() as ff:
                sizes.append(ff.width)
            case MixtureOfExperts() as ff:
                sizes += [width for width in (ff.shared_width, ff.dense_width) if width]
    return sizes


def any_remainder(sizes: Iterable[int], divisor: npt.NDArray[Any]) -> Mask:
    """Which of the divisors leave a remainder of any of the sizes."""
    bad = np.zeros(len(divisor), dtype=bool)
    for size in set(sizes):
        bad |= size % divisor != 0
    return bad
