"""The core of attention: scores, softmax, weighted values. No parameters but the sinks it is handed.

Which scores are computed, and so what FLOPs a layer has, is decided here. What a query may see:

- all tokens up to its own: one square, which a fused kernel halves;
- `chunk_tokens`: the tokens of its own chunk; one square per chunk;
- `window_tokens` W: itself and the W - 1 tokens before it. Queries are taken W at a time: the first W see a square,
  the next see the W tokens before them and their own, a rectangle of W x 2 W of which exactly half is visible. Work
  grows with tokens x window, not with the square of the tokens.

Sequences that a chunk or a window does not divide are padded at their end, where no real query looks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention


class AttentionCore(nn.Module):
    """Queries (batch, tokens, heads, width) with keys and values of as many heads, or fewer that divide these."""

    def __init__(self, window_tokens: int | None = None, chunk_tokens: int | None = None) -> None:
        super().__init__()
        self.window_tokens, self.chunk_tokens = window_tokens, chunk_tokens

    def forward(self, q: Tensor, k: Tensor, v: Tensor, sinks: Tensor | None = None) -> Tensor:
        """Weighted values, (batch, tokens, heads x width of values)."""
        copies = q.shape[2] // k.shape[2]
        if copies > 1:
            k, v = k.repeat_interleave(copies, dim=2), v.repeat_interleave(copies, dim=2)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        tokens = q.shape[2]
        if self.chunk_tokens is not None and self.chunk_tokens < tokens:
            out = _in_chunks(q, k, v, sinks, self.chunk_tokens)
        elif self.window_tokens is not None and self.window_tokens < tokens:
            out = _in_windows(q, k, v, sinks, self.window_tokens)
        else:
            out = _attend(q, k, v, sinks)
        return out.transpose(1, 2).flatten(2)


def _attend(q: Tensor, k: Tensor, v: Tensor, sinks: Tensor | None, mask: Tensor | None = None) -> Tensor:
    """Attention of (batch, heads, tokens, width) under a mask, or else causal."""
    if sinks is None:
        return scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
    # A sink is a further logit without a value, which no fused kernel of PyTorch takes.
    if mask is None:
        mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril()
    scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
    scores = scores.masked_fill(~mask, float("-inf"))
    sink = sinks.to(scores.dtype)[:, None, None].expand(*scores.shape[:-1], 1)
    weights = torch.cat((scores, sink), dim=-1).softmax(dim=-1, dtype=torch.float32)[..., :-1]
    return weights.to(v.dtype) @ v


def _cut(x: Tensor, size: int) -> Tensor:
    """Runs of `size` tokens: (batch, heads, tokens, width) to (batch, runs, heads, size, width), padded at the end."""
    x = pad(x, (0, 0, 0, -x.shape[2] % size))
    batch, heads, _, width = x.shape
    return x.reshape(batch, heads, -1, size, width).transpose(1, 2)


def _join(x: Tensor, tokens: int) -> Tensor:
    return x.transpose(1, 2).flatten(2, 3)[:, :, :tokens]


def _apart(x: Tensor, batch: int) -> Tensor:
    """Runs as an axis again: (batch x runs, ...) to (batch, runs, ...)."""
    return x.reshape(batch, -1, *x.shape[1:])


def _in_chunks(q: Tensor, k: Tensor, v: Tensor, sinks: Tensor | None, size: int) -> Tensor:
    batch = q.shape[0]
    runs = [_cut(x, size).flatten(0, 1) for x in (q, k, v)]
    return _join(_apart(_attend(runs[0], runs[1], runs[2], sinks), batch), q.shape[2])


def _in_windows(q: Tensor, k: Tensor, v: Tensor, sinks: Tensor | None, size: int) -> Tensor:
    batch, tokens = q.shape[0], q.shape[2]
    queries, keys, values = _cut(q, size), _cut(k, size), _cut(v, size)
    first = _attend(queries[:, 0], keys[:, 0], values[:, 0], sinks)
    # A query at place i of its run sees the places i + 1 to i + size of the run before and its own, joined.
    place = torch.arange(2 * size, device=q.device)
    offset = place - torch.arange(size, device=q.device)[:, None]
    rest = _attend(
        queries[:, 1:].flatten(0, 1),
        torch.cat((keys[:, :-1], keys[:, 1:]), dim=-2).flatten(0, 1),
        torch.cat((values[:, :-1], values[:, 1:]), dim=-2).flatten(0, 1),
        sinks,
        (offset > 0) & (offset <= size),
    )
    return _join(torch.cat((first[:, None], _apart(rest, batch)), dim=1), tokens)
