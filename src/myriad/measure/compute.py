"""What one rank computes: products, attention, streams, element-wise work, an optimizer step, empty kernels.

Backward passes are those of autograd, so that they hold what PyTorch adds to the kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch.nn import functional

from myriad.measure.rows import Row
from myriad.measure.sizes import Sizes
from myriad.measure.timing import Timer

Forward = Callable[[], torch.Tensor | tuple[torch.Tensor, ...]]

EPSILON = 1e-6
HEAD_DIM = 64
MOST_EXPERTS = 256


def compute_rows(timer: Timer, dtype: torch.dtype, of: Sizes) -> Iterator[Row]:
    """Every operation at every size.

    Element-wise work runs by deterministic algorithms, as in the trainer, which alone reads it; on GPUs some of them
    take longer.
    """
    for (elements,) in of.streams:
        yield from _streams(timer, dtype, elements)
    for product in of.products:
        yield from _product(timer, dtype, *product)
    for attention in of.attentions:
        yield from _attention(timer, dtype, *attention)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    for rows, columns in of.shapes:
        yield from _element_wise(timer, dtype, rows, columns)
    for tensors, elements in of.parameters:
        yield _optimizer(timer, tensors, elements)
    torch.use_deterministic_algorithms(False)


def _streams(timer: Timer, dtype: torch.dtype, elements: int) -> Iterator[Row]:
    one, other = (torch.ones(elements, dtype=dtype, device=timer.device) for _ in range(2))
    yield timer.row("copy", lambda: other.copy_(one), (elements, 1, 1, 1))
    yield timer.row("add", lambda: torch.add(one, other, out=other), (elements, 1, 1, 1))
    small = torch.ones(16, dtype=dtype, device=timer.device)
    yield timer.row("launch", lambda: small.add_(1.0), (16, 1, 1, 1))


def _both_passes(
    timer: Timer, operation: str, inputs: tuple[torch.Tensor, ...], forward: Forward, sizes: tuple[int, int, int, int]
) -> Iterator[Row]:
    yield timer.row(operation, forward, sizes)
    result = forward()
    results = result if isinstance(result, tuple) else (result,)
    gradients = tuple(torch.ones_like(one) for one in results)
    yield timer.row(
        operation, lambda: torch.autograd.grad(results, inputs, gradients, retain_graph=True), sizes, "backward"
    )


def _random(timer: Timer, dtype: torch.dtype, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, device=timer.device, requires_grad=True)


def _product(timer: Timer, dtype: torch.dtype, m: int, n: int, k: int) -> Iterator[Row]:
    x, weight = _random(timer, dtype, m, k), _random(timer, dtype, n, k)
    yield from _both_passes(timer, "gemm", (x, weight), lambda: functional.linear(x, weight), (m, n, k, 1))


def _attention(timer: Timer, dtype: torch.dtype, tokens: int, heads: int, head_dim: int, batch: int) -> Iterator[Row]:
    q, k, v = (_random(timer, dtype, batch, tokens, heads, head_dim) for _ in range(3))

    def forward() -> torch.Tensor:
        return functional.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True
        )

    yield from _both_passes(timer, "attention", (q, k, v), forward, (tokens, heads, head_dim, batch))


def _element_wise(timer: Timer, dtype: torch.dtype, rows: int, columns: int) -> Iterator[Row]:
    sizes = (rows, columns, 1, 1)
    x, y = (_random(timer, dtype, rows, columns) for _ in range(2))
    weight = _random(timer, dtype, columns)

    def norm() -> tuple[torch.Tensor, torch.Tensor]:
        total = x + y
        return functional.rms_norm(total, (columns,), weight, EPSILON), total

    yield from _both_passes(timer, "norm", (x, y, weight), norm, sizes)
    yield from _both_passes(timer, "activation", (x, y), lambda: functional.silu(x) * y, sizes)
    heads = x.unflatten(-1, (-1, min(HEAD_DIM, columns)))
    yield from _both_passes(timer, "rotary", (heads,), lambda: _rotated(heads), sizes)
    yield from _both_passes(timer, "repeat", (heads,), lambda: heads.repeat_interleave(2, dim=1), sizes)
    targets = torch.zeros(rows, dtype=torch.long, device=timer.device)
    yield from _both_passes(timer, "loss", (x,), lambda: functional.cross_entropy(x.float(), targets), sizes)
    places = torch.arange(rows, device=timer.device)
    table = _random(timer, dtype, rows, columns)
    yield from _both_passes(timer, "embedding", (table,), lambda: functional.embedding(places, table), sizes)
    shuffled = torch.randperm(rows, device=timer.device)
    weights = _random(timer, dtype, rows // 2, 2)

    def permute() -> torch.Tensor:
        """Copies of tokens to two experts each and back, with nothing in between."""
        copies = x[: rows // 2, None].expand(-1, 2, -1).flatten(0, 1)
        back = copies.index_select(0, shuffled).index_select(0, shuffled.argsort())
        return (back.reshape(-1, 2, columns) * weights[..., None]).sum(dim=1)

    yield from _both_passes(timer, "permute", (x, weights), permute, sizes)
    if columns <= MOST_EXPERTS:
        yield from _both_passes(timer, "routing", (x,), lambda: _routed(x), sizes)


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


def _optimizer(timer: Timer, tensors: int, elements: int) -> Row:
    """Norm of all gradients in double precision, scaling by it, one AdamW step."""
    parameters = [torch.nn.Parameter(torch.ones(elements, device=timer.device)) for _ in range(tensors)]
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

    return timer.row("optimizer", step, (tensors, elements, 1, 1))
