"""Chunked scans against their recurrences, token by token."""

import pytest
import torch
from torch.nn.functional import normalize

from myriad.trainer.model.scans import CHUNK_TOKENS, DeltaScan, StateSpaceScan

BATCH, HEADS, GROUPS, WIDTH, STATE = 2, 4, 2, 6, 5
LENGTHS = (1, CHUNK_TOKENS, 2 * CHUNK_TOKENS + 17)


def drawn(tokens, *shape):
    return torch.randn(BATCH, tokens, *shape)


@pytest.mark.parametrize("tokens", LENGTHS)
def test_state_space_scan_is_its_recurrence(tokens):
    torch.manual_seed(0)
    x, log_decay = drawn(tokens, HEADS, WIDTH), -drawn(tokens, HEADS).abs()
    b, c = drawn(tokens, GROUPS, STATE), drawn(tokens, GROUPS, STATE)
    state, expected = torch.zeros(BATCH, HEADS, STATE, WIDTH), []
    for t in range(tokens):
        key, query = (rows[:, t].repeat_interleave(HEADS // GROUPS, dim=1) for rows in (b, c))
        state = state * log_decay[:, t].exp()[..., None, None] + key[..., None] * x[:, t, :, None]
        expected.append((query[..., None] * state).sum(dim=-2))
    assert torch.allclose(StateSpaceScan()(x, log_decay, b, c), torch.stack(expected, dim=1), atol=1e-4)


@pytest.mark.parametrize("tokens", LENGTHS)
def test_delta_scan_is_its_recurrence(tokens):
    torch.manual_seed(0)
    v, log_decay, rate = drawn(tokens, HEADS, WIDTH), -drawn(tokens, HEADS).abs(), torch.rand(BATCH, tokens, HEADS)
    q, k = drawn(tokens, HEADS, STATE), normalize(drawn(tokens, HEADS, STATE), dim=-1)
    state, expected = torch.zeros(BATCH, HEADS, STATE, WIDTH), []
    for t in range(tokens):
        state = state * log_decay[:, t].exp()[..., None, None]
        error = v[:, t] - (k[:, t, ..., None] * state).sum(dim=-2)
        state = state + k[:, t, ..., None] * (rate[:, t, :, None] * error)[:, :, None]
        expected.append((q[:, t, ..., None] * state).sum(dim=-2))
    assert torch.allclose(DeltaScan()(q, k, v, log_decay, rate), torch.stack(expected, dim=1), atol=1e-4)
