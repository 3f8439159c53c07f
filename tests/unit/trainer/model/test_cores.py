"""Attention against a loop over queries that writes down what each may see."""

import math

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from myriad.trainer.model.cores import AttentionCore

BATCH, TOKENS, HEADS, KV_HEADS, WIDTH, V_WIDTH = 2, 37, 4, 2, 6, 5


def visible(query: int, window: int | None, chunk: int | None) -> range:
    first = 0
    if window is not None:
        first = max(0, query - window + 1)
    if chunk is not None:
        first = query // chunk * chunk
    return range(first, query + 1)


def naive(q, k, v, sinks, window, chunk):
    out = torch.zeros(*q.shape[:3], v.shape[-1], dtype=q.dtype)
    for b in range(q.shape[0]):
        for h in range(q.shape[2]):
            shared = h * k.shape[2] // q.shape[2]
            for i in range(q.shape[1]):
                keys = list(visible(i, window, chunk))
                scores = [math.exp(q[b, i, h] @ k[b, j, shared] / math.sqrt(q.shape[-1])) for j in keys]
                total = sum(scores) + (0.0 if sinks is None else math.exp(sinks[h]))
                for j, score in zip(keys, scores, strict=True):
                    out[b, i, h] += score / total * v[b, j, shared]
    return out.flatten(2)


def drawn(tokens=TOKENS, kv_heads=KV_HEADS):
    torch.manual_seed(0)
    shapes = ((HEADS, WIDTH), (kv_heads, WIDTH), (kv_heads, V_WIDTH))
    return [torch.randn(BATCH, tokens, *shape, dtype=torch.float64) for shape in shapes]


@pytest.mark.parametrize("sinks", [None, torch.tensor([0.3, -1.0, 2.0, 0.0], dtype=torch.float64)])
@pytest.mark.parametrize(
    ("window", "chunk"),
    [(None, None), (8, None), (1, None), (37, None), (36, None), (100, None), (None, 8), (None, 37), (None, 100)],
)
def test_core_is_softmax_over_what_a_query_sees(window, chunk, sinks):
    q, k, v = drawn()
    found = AttentionCore(window, chunk)(q, k, v, sinks)
    # Softmax of scores with sinks is taken in fp32.
    assert torch.allclose(found, naive(q, k, v, sinks, window, chunk), atol=1e-6 if sinks is not None else 1e-12)


@pytest.mark.parametrize("kv_heads", [1, 4])
def test_heads_share_keys_in_runs(kv_heads):
    q, k, v = drawn(kv_heads=kv_heads)
    assert torch.allclose(AttentionCore()(q, k, v), naive(q, k, v, None, None, None), atol=1e-12)


@pytest.mark.parametrize("sinks", [None, torch.zeros(HEADS, dtype=torch.float64)])
def test_window_sees_exactly_its_tokens(sinks):
    """The gradient of one query's output reaches the window's values and no others."""
    window = 8
    q, k, v = drawn()
    v.requires_grad_()
    for query in (0, 5, 7, 8, 20, 36):
        (gradient,) = torch.autograd.grad(AttentionCore(window)(q, k, v, sinks)[:, query].sum(), v)
        seen = gradient.abs().sum(dim=(0, 2, 3)).nonzero().flatten().tolist()
        assert seen == list(range(max(0, query - window + 1), query + 1))


def test_work_of_a_window_grows_with_tokens():
    """Queries see a rectangle of two windows each, but for the first window: 2 S W - W^2 scores a head."""
    for tokens in (32, 64, 128):
        counter = FlopCounterMode(display=False)
        with sdpa_kernel(SDPBackend.MATH), counter:
            AttentionCore(8)(*drawn(tokens))
        scores = 2 * tokens * 8 - 8 * 8
        assert counter.get_total_flops() == 2 * BATCH * HEADS * (WIDTH + V_WIDTH) * scores
