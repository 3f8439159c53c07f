"""Mixers that carry a state along the sequence in place of looking back: Mamba-2 and the gated delta net."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pad, silu, softplus

from myriad.spec.model import GatedDeltaNet, Mamba2
from myriad.trainer.model.parts import RMSNorm, local
from myriad.trainer.model.scans import DeltaScan, StateSpaceScan


class ShortConvolution(nn.Module):
    """A filter of few tokens along the sequence, one per channel, and SiLU. Sums of products: no matrix product."""

    def __init__(self, channels: int, kernel: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, kernel))
        self.bias = nn.Parameter(torch.empty(channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        weight = local(self.weight)
        kernel, tokens = weight.shape[1], x.shape[1]
        x = pad(x, (0, 0, kernel - 1, 0))
        found = x[:, :tokens] * weight[:, 0]
        for place in range(1, kernel):
            found = found + x[:, place : place + tokens] * weight[:, place]
        return silu(found if self.bias is None else found + local(self.bias))


class StateSpace(nn.Module):
    """`spec.model.Mamba2`, after arXiv 2405.21060. Its norm goes over all heads: heads are not to be cut."""

    def __init__(self, spec: Mamba2, hidden: int) -> None:
        super().__init__()
        inner, state = spec.heads * spec.head_dim, spec.groups * spec.state_dim
        self.head_dim, self.state_dim = spec.head_dim, spec.state_dim
        self.z, self.x = nn.Linear(hidden, inner, bias=False), nn.Linear(hidden, inner, bias=False)
        self.b, self.c = nn.Linear(hidden, state, bias=False), nn.Linear(hidden, state, bias=False)
        self.step = nn.Linear(hidden, spec.heads, bias=False)
        self.x_conv = ShortConvolution(inner, spec.conv_kernel, bias=True)
        self.b_conv = ShortConvolution(state, spec.conv_kernel, bias=True)
        self.c_conv = ShortConvolution(state, spec.conv_kernel, bias=True)
        self.decay_log = nn.Parameter(torch.empty(spec.heads))
        self.step_shift = nn.Parameter(torch.empty(spec.heads))
        self.skip = nn.Parameter(torch.empty(spec.heads))
        self.norm = RMSNorm(inner)
        self.o = nn.Linear(inner, hidden, bias=False)
        self.scan = StateSpaceScan()

    def forward(self, x: Tensor) -> Tensor:
        values = _heads(self.x_conv(self.x(x)), self.head_dim)
        b = _heads(self.b_conv(self.b(x)), self.state_dim)
        c = _heads(self.c_conv(self.c(x)), self.state_dim)
        step = softplus((self.step(x) + self.step_shift).float())
        log_decay = -step * self.decay_log.float().exp()
        out = self.scan(values * step[..., None].to(x.dtype), log_decay, b, c) + values * self.skip[:, None]
        return self.o(self.norm(out.flatten(-2) * silu(self.z(x))))  # type: ignore[no-any-return]


class DeltaNet(nn.Module):
    """`spec.model.GatedDeltaNet`, after arXiv 2412.06464 and Qwen3-Next: value heads share the heads of keys."""

    def __init__(self, spec: GatedDeltaNet, hidden: int) -> None:
        super().__init__()
        keys, values = spec.key_heads * spec.key_head_dim, spec.value_heads * spec.value_head_dim
        self.key_head_dim, self.value_head_dim = spec.key_head_dim, spec.value_head_dim
        self.q, self.k = nn.Linear(hidden, keys, bias=False), nn.Linear(hidden, keys, bias=False)
        self.v, self.z = nn.Linear(hidden, values, bias=False), nn.Linear(hidden, values, bias=False)
        self.step = nn.Linear(hidden, spec.value_heads, bias=False)
        self.rate = nn.Linear(hidden, spec.value_heads, bias=False)
        self.q_conv = ShortConvolution(keys, spec.conv_kernel, bias=False)
        self.k_conv = ShortConvolution(keys, spec.conv_kernel, bias=False)
        self.v_conv = ShortConvolution(values, spec.conv_kernel, bias=False)
        self.decay_log = nn.Parameter(torch.empty(spec.value_heads))
        self.step_shift = nn.Parameter(torch.empty(spec.value_heads))
        self.norm = RMSNorm(spec.value_head_dim)
        self.o = nn.Linear(values, hidden, bias=False)
        self.scan = DeltaScan()

    def forward(self, x: Tensor) -> Tensor:
        q = normalize(_heads(self.q_conv(self.q(x)), self.key_head_dim), dim=-1) * self.key_head_dim**-0.5
        k = normalize(_heads(self.k_conv(self.k(x)), self.key_head_dim), dim=-1)
        v = _heads(self.v_conv(self.v(x)), self.value_head_dim)
        copies = v.shape[2] // k.shape[2]
        q, k = q.repeat_interleave(copies, dim=2), k.repeat_interleave(copies, dim=2)
        step = softplus((self.step(x) + local(self.step_shift)).float())
        log_decay = -step * local(self.decay_log).float().exp()
        out = self.scan(q, k, v, log_decay, self.rate(x).sigmoid())
        gated = self.norm(out) * silu(_heads(self.z(x), self.value_head_dim))
        return self.o(gated.flatten(-2))  # type: ignore[no-any-return]


def _heads(x: Tensor, width: int) -> Tensor:
    return x.reshape(*x.shape[:-1], -1, width)
