"""Recurrences of linear mixers, chunk by chunk: matrix products within chunks, one state carried between them.

Both work in fp32 whatever comes in, and take chunks of `CHUNK_TOKENS`, as the reference kernels do; a sequence is
padded at its end with steps that change nothing. Checked against the recurrence, token by token, in
tests/unit/trainer/model/test_scans.py.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

CHUNK_TOKENS: Final = 64


class Scan(nn.Module):
    """The recurrence of a mixer, without parameters."""

    @staticmethod
    def _chunks(x: Tensor) -> Tensor:
        """(batch, tokens, heads, ...) to (batch, heads, chunks, CHUNK_TOKENS, ...), in fp32, padded with zeros."""
        missing = -x.shape[1] % CHUNK_TOKENS
        x = pad(x.float(), (0, 0) * (x.dim() - 2) + (0, missing))
        return x.reshape(x.shape[0], -1, CHUNK_TOKENS, *x.shape[2:]).movedim(3, 1)


def _decays(log_decay: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of log decays (..., tokens): summed from the first; between every two, 0 to later ones; to the chunk's end."""
    later = torch.ones(2 * log_decay.shape[-1:], dtype=torch.bool, device=log_decay.device).triu(1)
    # What cumsum is for, but that is not deterministic on GPUs, where the trainer would be refused it.
    summed = log_decay[..., None, :].masked_fill(later, 0.0).sum(dim=-1)
    between = (summed[..., :, None] - summed[..., None, :]).masked_fill(later, float("-inf")).exp()
    return summed, between, (summed[..., -1:] - summed).exp()


class StateSpaceScan(Scan):
    """Mamba-2's recurrence (arXiv 2405.21060): S_t = exp(log_decay_t) S_t-1 + B_t x_t, y_t = C_t S_t."""

    def forward(self, x: Tensor, log_decay: Tensor, b: Tensor, c: Tensor) -> Tensor:
        """X is (batch, tokens, heads, width), log_decay without width; b and c (batch, tokens, groups, state).

        Heads that follow one another share a group. Returns y in the shape and type of x.
        """
        batch, tokens, heads, width = x.shape
        per_group = heads // b.shape[2]
        inputs, b, c = self._chunks(x), self._chunks(b), self._chunks(c)
        summed, between, to_end = _decays(self._chunks(log_decay))
        scores = (c @ b.transpose(-1, -2)).repeat_interleave(per_group, dim=1)
        b, c = b.repeat_interleave(per_group, dim=1), c.repeat_interleave(per_group, dim=1)
        within = (scores * between) @ inputs
        added = (b * to_end[..., None]).transpose(-1, -2) @ inputs
        kept = summed[..., -1].exp()[..., None, None]
        state, before = torch.zeros_like(added[:, :, 0]), []
        for chunk in range(added.shape[2]):
            before.append(state)
            state = state * kept[:, :, chunk] + added[:, :, chunk]
        out = within + (c @ torch.stack(before, dim=2)) * summed.exp()[..., None]
        return out.movedim(1, 3).reshape(batch, -1, heads, width)[:, :tokens].to(x.dtype)


class DeltaScan(Scan):
    """The gated delta rule (arXiv 2412.06464): S_t = a_t (1 - b_t k_t k_t') S_t-1 + b_t k_t v_t', y_t = q_t S_t."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, log_decay: Tensor, rate: Tensor) -> Tensor:
        """q, k and v are (batch, tokens, heads, width), log_decay (log a) and rate (b) without width.

        Returns y in the shape and type of v. Within a chunk the corrections of later by earlier tokens are one
        triangular system.
        """
        batch, tokens, heads, width = v.shape
        dtype = v.dtype
        q, k, v, rate = self._chunks(q), self._chunks(k), self._chunks(v), self._chunks(rate)[..., None]
        summed, between, to_end = _decays(self._chunks(log_decay))
        grown = summed.exp()[..., None]
        unit = torch.eye(CHUNK_TOKENS, device=v.device)
        system = unit + ((rate * k) @ k.transpose(-1, -2) * between).tril(-1)
        corrected = torch.linalg.solve_triangular(system, torch.cat((rate * v, rate * k * grown), dim=-1), upper=False)
        values, keys = corrected[..., :width], corrected[..., width:]
        scores = q @ k.transpose(-1, -2) * between
        state, found = torch.zeros_like(k[:, :, 0].transpose(-1, -2) @ v[:, :, 0]), []
        for chunk in range(v.shape[2]):
            fresh = values[:, :, chunk] - keys[:, :, chunk] @ state
            found.append((q[:, :, chunk] * grown[:, :, chunk]) @ state + scores[:, :, chunk] @ fresh)
            weighed = (k[:, :, chunk] * to_end[:, :, chunk, :, None]).transpose(-1, -2)
            state = state * grown[:, :, chunk, -1:] + weighed @ fresh
        out = torch.stack(found, dim=2)
        return out.movedim(1, 3).reshape(batch, -1, heads, width)[:, :tokens].to(dtype)
