"""What one rank computes: products, attention, streams, element-wise work, an optimizer step, empty kernels.

Backward passes are those of autograd, so that they hold what PyTorch adds to the kernels. An operation goes in turn
through copies of its operands that no cache holds together, as layers do in training: what a layer reads was written a
whole layer, or for backward passes a whole model, ago. The same operands again and again would be a step of a model
that fits into a cache.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

from myriad.measure.rows import Row
from myriad.measure.sizes import Sizes
from myriad.measure.timing import Timer

Inputs = tuple[torch.Tensor, ...]
Forward = Callable[[], torch.Tensor | tuple[torch.Tensor, ...]]
Make = Callable[[], tuple[Inputs, Forward]]
"""Gives new operands, and what is done to them."""

EPSILON = 1e-6
HEAD_DIM = 64
MOST_EXPERTS = 256
MOST_IN_TURN = 64
NOISE_ELEMENTS = 1 << 16
STATES = 4
"""Values of a parameter: itself, its gradient, two moments."""


@dataclass(frozen=True)
class Bench:
    """What all operations are measured with."""

    timer: Timer
    dtype: torch.dtype
    turn_bytes: float
    """Operands and results that are gone through in turn."""

    def random(self, *shape: int) -> torch.Tensor:
        """Noise that repeats itself: as good as any, and made at the speed of copying."""
        elements = math.prod(shape)
        noise = torch.randn(min(elements, NOISE_ELEMENTS), dtype=self.dtype, device=self.timer.device)
        whole = noise.repeat(math.ceil(elements / len(noise)))[:elements].reshape(shape)
        return whole.clone().requires_grad_()

    def turns(self, one_bytes: float) -> int:
        """How many operands of so many bytes each are gone through."""
        return min(max(math.ceil(self.turn_bytes / one_bytes), 1), MOST_IN_TURN)


def compute_rows(timer: Timer, dtype: torch.dtype, of: Sizes) -> Iterator[Row]:
    """Every operation at every size.

    Element-wise work runs by deterministic algorithms, as in the trainer, which alone reads it; on GPUs some of them
    take longer.
    """
    bench = Bench(timer, dtype, of.turn_bytes)
    for (elements,) in of.streams:
        yield from _streams(bench, elements)
    for product in of.products:
        yield from _product(bench, *product)
    for attention in of.attentions:
        yield from _attention(bench, *attention)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    for rows, columns in of.shapes:
        yield from _element_wise(bench, rows, columns)
    for tensors, elements in of.parameters:
        yield _optimizer(bench, tensors, elements)
    torch.use_deterministic_algorithms(False)


def _streams(bench: Bench, elements: int) -> Iterator[Row]:
    one, other = (torch.ones(elements, dtype=bench.dtype, device=bench.timer.device) for _ in range(2))
    yield bench.timer.row("copy", lambda: other.copy_(one), (elements, 1, 1, 1))
    yield bench.timer.row("add", lambda: torch.add(one, other, out=other), (elements, 1, 1, 1))
    small = torch.ones(16, dtype=bench.dtype, device=bench.timer.device)
    yield bench.timer.row("launch", lambda: small.add_(1.0), (16, 1, 1, 1))


def _both_passes(bench: Bench, operation: str, make: Make, sizes: tuple[int, int, int, int]) -> Iterator[Row]:
    turns = [make()]
    results = [_results(turns[0][1])]
    one_bytes = sum(tensor.nbytes for tensor in (*turns[0][0], *results[0]))
    for _ in range(bench.turns(one_bytes) - 1):
        turns.append(make())
        results.append(_results(turns[-1][1]))
    gradients = tuple(torch.ones_like(one) for one in results[0])
    places = itertools.cycle(range(len(turns)))

    def forward() -> None:
        place = next(places)
        results[place] = _results(turns[place][1])

    def backward() -> None:
        place = next(places)
        torch.autograd.grad(results[place], turns[place][0], gradients, retain_graph=True)

    yield bench.timer.row(operation, forward, sizes)
    yield bench.timer.row(operation, backward, sizes, "backward")


def _results(forward: Forward) -> tuple[torch.Tensor, ...]:
    result = forward()
    return result if isinstance(result, tuple) else (result,)


def _product(bench: Bench, m: int, n: int, k: int) -> Iterator[Row]:
    def make() -> tuple[Inputs, Forward]:
        x, weight = bench.random(m, k), bench.random(n, k)
        return (x, weight), lambda: functional.linear(x, weight)

    yield from _both_passes(bench, "gemm", make, (m, n, k, 1))


def _attention(bench: Bench, tokens: int, heads: int, head_dim: int, batch: int) -> Iterator[Row]:
    def make() -> tuple[Inputs, Forward]:
        q, k, v = (bench.random(batch, tokens, heads, head_dim) for _ in range(3))
        return (q, k, v), lambda: functional.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True
        )

    yield from _both_passes(bench, "attention", make, (tokens, heads, head_dim, batch))


def _element_wise(bench: Bench, rows: int, columns: int) -> Iterator[Row]:
    sizes = (rows, columns, 1, 1)
    targets = torch.zeros(rows, dtype=torch.long, device=bench.timer.device)
    places = torch.arange(rows, device=bench.timer.device)
    shuffled = torch.randperm(rows, device=bench.timer.device)

    def tokens() -> torch.Tensor:
        return bench.random(rows, columns)

    def norm() -> tuple[Inputs, Forward]:
        x, y, weight = tokens(), tokens(), bench.random(columns)

        def forward() -> tuple[torch.Tensor, torch.Tensor]:
            total = x + y
            return functional.rms_norm(total, (columns,), weight, EPSILON), total

        return (x, y, weight), forward

    def activation() -> tuple[Inputs, Forward]:
        x, y = tokens(), tokens()
        return (x, y), lambda: functional.silu(x) * y

    def rotary() -> tuple[Inputs, Forward]:
        heads = _heads(tokens())
        return (heads,), lambda: _rotated(heads)

    def repeat() -> tuple[Inputs, Forward]:
        heads = _heads(tokens())
        return (heads,), lambda: heads.repeat_interleave(2, dim=1)

    def loss() -> tuple[Inputs, Forward]:
        x = tokens()
        return (x,), lambda: functional.cross_entropy(x.float(), targets)

    def embedding() -> tuple[Inputs, Forward]:
        table = tokens()
        return (table,), lambda: functional.embedding(places, table)

    def permute() -> tuple[Inputs, Forward]:
        """Copies of tokens to two experts each and back, with nothing in between."""
        x, weights = tokens(), bench.random(rows // 2, 2)

        def forward() -> torch.Tensor:
            copies = x[: rows // 2, None].expand(-1, 2, -1).flatten(0, 1)
            back = copies.index_select(0, shuffled).index_select(0, shuffled.argsort())
            return (back.reshape(-1, 2, columns) * weights[..., None]).sum(dim=1)

        return (x, weights), forward

    def routing() -> tuple[Inputs, Forward]:
        x = tokens()
        return (x,), lambda: _routed(x)

    of: dict[str, Make] = {
        "norm": norm, "activation": activation, "rotary": rotary, "repeat": repeat, "loss": loss,
        "embedding": embedding, "permute": permute,
    }  # fmt: skip
    for operation, make in of.items():
        yield from _both_passes(bench, operation, make, sizes)
    if columns <= MOST_EXPERTS:
        yield from _both_passes(bench, "routing", routing, sizes)


def _heads(x: torch.Tensor) -> torch.Tensor:
    """Rows of heads; those of 64, or one where there are fewer columns."""
    heads: torch.Tensor = x.detach().unflatten(-1, (-1, min(HEAD_DIM, x.shape[-1])))
    return heads.requires_grad_()


def _rotated(x: torch.Tensor) -> torch.Tensor:
    """Heads (rows, heads, width) turned by their row, tables of angles included."""
    half = x.shape[-1] // 2
    speed = 10_000.0 ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angle = torch.arange(x.shape[0], device=x.device, dtype=torch.float32)[:, None, None] * speed
    cosine, sine = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    low, high = x[..., :half], x[..., half:]
    return torch.cat((low * cosine - high * sine, high * cosine + low * sine), dim=-1)


def _routed(scores: torch.Tensor) -> torch.Tensor:
    """Weights of the two experts of every row; what else the choice needs beside."""
    scores = scores.float()
    chosen = scores.topk(2, dim=-1).indices
    chosen.flatten().argsort(stable=True)
    chosen.flatten().bincount(minlength=scores.shape[1]).tolist()
    return scores.gather(-1, chosen).softmax(dim=-1)


def _optimizer(bench: Bench, tensors: int, elements: int) -> Row:
    """Norm of all gradients in double precision, scaling by it, one AdamW step."""
    steps = [_step(bench, tensors, elements) for _ in range(bench.turns(4.0 * tensors * elements * STATES))]
    turn = itertools.cycle(steps)
    return bench.timer.row("optimizer", lambda: next(turn)(), (tensors, elements, 1, 1))


def _step(bench: Bench, tensors: int, elements: int) -> Callable[[], None]:
    parameters = [torch.nn.Parameter(torch.ones(elements, device=bench.timer.device)) for _ in range(tensors)]
    for one in parameters:
        one.grad = torch.ones_like(one)
    adam = torch.optim.AdamW(parameters, fused=True)

    def step() -> None:
        gradients = [one.grad for one in parameters if one.grad is not None]
        norm = torch.stack([gradient.double().square().sum() for gradient in gradients]).sum().sqrt()
        scale = torch.clamp(1.0 / (norm + 1e-6), max=1.0).to(torch.float32)
        for gradient in gradients:
            gradient.mul_(scale)
        adam.step()

    return step
