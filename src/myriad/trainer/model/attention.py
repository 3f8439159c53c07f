"""Grouped-query and multi-latent attention. Head counts come from the shapes at hand, so that heads may be cut."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from myriad.spec.model import GroupedQueryAttention, MultiLatentAttention
from myriad.trainer.model.cores import AttentionCore
from myriad.trainer.model.parts import RMSNorm, common, local
from myriad.trainer.model.rotary import rotate


class GroupedQuery(nn.Module):
    """`spec.model.GroupedQueryAttention`.

    `q`, `k`, `v` and `gate` may be cut by columns, `o` by rows, `sinks` by heads.
    """

    def __init__(self, spec: GroupedQueryAttention, hidden: int, rotary: bool) -> None:
        super().__init__()
        self.head_dim, self.v_head_dim, self.rotary = spec.head_dim, spec.v_head_dim or spec.head_dim, rotary
        bias = spec.qkv_bias
        self.q = nn.Linear(hidden, spec.heads * spec.head_dim, bias=bias)
        self.k = nn.Linear(hidden, spec.kv_heads * spec.head_dim, bias=bias)
        self.v = None if spec.shared_kv else nn.Linear(hidden, spec.kv_heads * self.v_head_dim, bias=bias)
        self.gate = nn.Linear(hidden, spec.heads * spec.head_dim, bias=False) if spec.output_gate else None
        self.o = nn.Linear(spec.heads * self.v_head_dim, hidden, bias=spec.output_bias)
        self.q_norm = RMSNorm(spec.head_dim) if spec.qk_norm else None
        self.k_norm = RMSNorm(spec.head_dim) if spec.qk_norm else None
        self.sinks = nn.Parameter(torch.empty(spec.heads)) if spec.sinks else None
        self.core = AttentionCore(spec.window_tokens, spec.chunk_tokens)

    def forward(self, x: Tensor) -> Tensor:
        q = self.q(x).unflatten(-1, (-1, self.head_dim))
        k = self.k(x).unflatten(-1, (-1, self.head_dim))
        v = k if self.v is None else self.v(x).unflatten(-1, (-1, self.v_head_dim))
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        if self.rotary:
            q, k = rotate(q), rotate(k)
        out = self.core(q, k, v, None if self.sinks is None else local(self.sinks))
        if self.gate is not None:
            out = out * self.gate(x).sigmoid()
        return self.o(out)  # type: ignore[no-any-return]


class MultiLatent(nn.Module):
    """`spec.model.MultiLatentAttention`: `q_up` and `kv_up` (or `q`) may be cut by columns, `o` by rows.

    Keys and values come out of one latent, beside which all heads share the part of a key that knows positions. What
    comes before the heads, `q_down`, `kv_down` and their norms, may be given tokens that are spread over ranks.
    """

    def __init__(self, spec: MultiLatentAttention, hidden: int, rotary: bool) -> None:
        super().__init__()
        self.nope, self.rope, self.v_head_dim = spec.qk_nope_head_dim, spec.qk_rope_head_dim, spec.v_head_dim
        self.latent, self.rotary = spec.kv_lora_rank, rotary
        width = spec.heads * (self.nope + self.rope)
        if spec.q_lora_rank:
            self.q_down = nn.Linear(hidden, spec.q_lora_rank, bias=False)
            self.q_norm = RMSNorm(spec.q_lora_rank)
            self.q_up = nn.Linear(spec.q_lora_rank, width, bias=False)
        else:
            self.q = nn.Linear(hidden, width, bias=False)
        self.compresses_queries = bool(spec.q_lora_rank)
        self.kv_down = nn.Linear(hidden, spec.kv_lora_rank + self.rope, bias=False)
        self.kv_norm = RMSNorm(spec.kv_lora_rank)
        self.kv_up = nn.Linear(spec.kv_lora_rank, spec.heads * (self.nope + self.v_head_dim), bias=False)
        self.o = nn.Linear(spec.heads * self.v_head_dim, hidden, bias=False)
        self.core = AttentionCore()

    def forward(self, x: Tensor) -> Tensor:
        q = self.q_up(self.q_norm(self.q_down(x))) if self.compresses_queries else self.q(x)
        q_nope, q_rope = q.unflatten(-1, (-1, self.nope + self.rope)).split((self.nope, self.rope), dim=-1)
        latent, k_rope = self.kv_down(x).split((self.latent, self.rope), dim=-1)
        kv = self.kv_up(self.kv_norm(latent)).unflatten(-1, (-1, self.nope + self.v_head_dim))
        k_nope, v = kv.split((self.nope, self.v_head_dim), dim=-1)
        k_rope = common(k_rope).unsqueeze(2)
        if self.rotary:
            q_rope, k_rope = rotate(q_rope), rotate(k_rope)
        k_rope = k_rope.expand(-1, -1, k_nope.shape[2], -1)
        out = self.core(torch.cat((q_nope, q_rope), dim=-1), torch.cat((k_nope, k_rope), dim=-1), v)
        return self.o(out)  # type: ignore[no-any-return]
