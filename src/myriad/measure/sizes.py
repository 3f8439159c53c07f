"""What sizes are measured: those of small jobs everywhere, and on GPUs larger ones, beyond their caches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

Shape = tuple[int, ...]

PRODUCTS = (
    (2048, 2048, 2048), (1024, 1024, 1024), (512, 512, 512), (2048, 4096, 512), (1024, 4096, 256), (1024, 256, 1024),
    (2048, 512, 1536), (512, 8192, 256), (512, 256, 256), (1024, 384, 384), (2048, 128, 512), (256, 1024, 512),
    (128, 512, 512), (64, 512, 256), (128, 256, 1024), (1024, 2048, 128), (1024, 64, 256), (512, 32, 256),
    (256, 4096, 1024), (4096, 512, 512),
)  # fmt: skip
PRODUCTS_OF_GPUS = (
    (8192, 8192, 8192), (4096, 4096, 4096), (8192, 4096, 1024), (8192, 1024, 4096), (16384, 8192, 2048),
    (4096, 14336, 4096),
)  # fmt: skip
ATTENTIONS = (
    (256, 8, 64, 2), (512, 8, 64, 2), (1024, 8, 64, 1), (2048, 4, 64, 1), (512, 8, 32, 2), (1024, 4, 128, 1),
    (512, 4, 128, 2), (256, 8, 32, 4), (128, 8, 64, 4), (2048, 4, 32, 1),
)  # fmt: skip
ATTENTIONS_OF_GPUS = ((4096, 32, 64, 1), (4096, 16, 128, 2), (8192, 16, 128, 1))
SHAPES = ((512, 8), (128, 64), (128, 256), (512, 256), (1024, 512), (2048, 768), (2048, 1536), (4096, 2560))
SHAPES_OF_GPUS = ((16384, 256), (8192, 4096), (16384, 8192))
PARAMETERS = ((4, 65_536), (16, 65_536), (32, 262_144), (64, 524_288))
PARAMETERS_OF_GPUS = ((64, 2_097_152),)
STREAMS = ((1 << 24,),)
STREAMS_OF_GPUS = ((1 << 28,),)
MESSAGES = (*((1 << power,) for power in range(10, 26, 2)), (1 << 25,))
MESSAGES_OF_GPUS = ((1 << 26,), (1 << 28,), (1 << 30,))

ELEMENT_BYTES = 4.0
"""No operand has more."""
KEPT = 24.0
"""Tensors of the size of an element-wise operation that live at once: inputs, what backward passes read, gradients."""
TURN_BYTES = 128.0 * 2**20
"""More than the second-level caches of CPUs, and all of most GPUs."""
TURN_SHARE = 1.0 / 64.0
"""Of the memory, that this may be: what backward passes keep comes beside, up to ten times as much."""


@dataclass(frozen=True)
class Sizes:
    """What to measure, in this order."""

    streams: tuple[Shape, ...]
    """Elements."""
    products: tuple[Shape, ...]
    """Rows, columns and inner dimension of y = x w."""
    attentions: tuple[Shape, ...]
    """Query tokens, heads, head size and sequences of causal attention."""
    shapes: tuple[Shape, ...]
    """Rows and columns of element-wise work."""
    parameters: tuple[Shape, ...]
    """Tensors of a model, and elements of each."""
    messages: tuple[Shape, ...]
    """Bytes of a collective."""
    turn_bytes: float
    """Of operands and results, through which an operation goes in turn."""


def sizes(gpu: bool, quick: bool, memory_bytes: float) -> Sizes:
    """What fits into so much memory of one rank; with `quick` fewer of the sizes that every machine is measured at."""

    def fitting(
        every: tuple[Shape, ...], large: tuple[Shape, ...], elements: Callable[[Shape], float]
    ) -> tuple[Shape, ...]:
        return tuple(one for one in every + (large if gpu else ()) if ELEMENT_BYTES * elements(one) <= memory_bytes)

    return Sizes(
        streams=fitting(STREAMS, STREAMS_OF_GPUS, lambda of: 2.0 * prod(of))[-1:],
        products=fitting(PRODUCTS[2:-1:3] if quick else PRODUCTS, PRODUCTS_OF_GPUS, _of_product),
        attentions=fitting(ATTENTIONS[2:-1:3] if quick else ATTENTIONS, ATTENTIONS_OF_GPUS, _of_attention),
        shapes=fitting(SHAPES[:-2:2] if quick else SHAPES, SHAPES_OF_GPUS, lambda of: KEPT * prod(of)),
        parameters=fitting(PARAMETERS[:2] if quick else PARAMETERS, PARAMETERS_OF_GPUS, lambda of: 6.0 * prod(of)),
        messages=fitting(MESSAGES[:-2:2] if quick else MESSAGES, MESSAGES_OF_GPUS, lambda of: 3.0 * prod(of) / 4.0),
        turn_bytes=min(TURN_BYTES, TURN_SHARE * memory_bytes),
    )


def _of_product(of: Shape) -> float:
    m, n, k = of
    return 2.0 * (m * k + k * n + m * n)


def _of_attention(of: Shape) -> float:
    """Three times the scores, where no fused kernel takes the inputs."""
    tokens, heads, _, sequences = of
    return 3.0 * sequences * heads * float(tokens) ** 2
