"""Rotary position embedding (RoFormer, arXiv 2104.09864), in halves, as Llama's released code turns them."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

BASE: Final = 10_000.0
"""One base for all models: descriptions have none, and no count depends on it."""


def rotate(x: Tensor) -> Tensor:
    """Heads of shape (batch, tokens, heads, width), each turned by its position; an odd last element stays."""
    tokens, width = x.shape[1], x.shape[-1]
    half = width // 2
    speed = BASE ** (-torch.arange(half, device=x.device, dtype=torch.float32) / max(half, 1))
    angle = torch.arange(tokens, device=x.device, dtype=torch.float32)[:, None, None] * speed
    cosine, sine = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    low, high, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    return torch.cat((low * cosine - high * sine, high * cosine + low * sine, rest), dim=-1)
