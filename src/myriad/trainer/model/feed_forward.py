"""Feed-forward parts: dense ones, and routed experts computed without dropping tokens, one product per expert.

Descriptions leave open what follows here: gated units have SiLU, others GELU; a token's experts are weighted by the
softmax over their scores (by the sigmoid where it has one expert only, which would else teach the router nothing); the
bias of a router is part of its scores, as in gpt-oss; the score of a group of experts is the sum of its best two, as
in DeepSeek V3. There is no balancing loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, silu

from myriad.spec.model import MixtureOfExperts
from myriad.trainer.model.parts import CommonLinear, common, local, num_sharing


class DenseUnit(nn.Module):
    """Two matrices, or three: `up` and `gate` may be cut by columns, `down` by rows."""

    def __init__(self, hidden: int, width: int, gated: bool, bias: bool) -> None:
        super().__init__()
        self.gate = nn.Linear(hidden, width, bias=bias) if gated else None
        self.up = nn.Linear(hidden, width, bias=bias)
        self.down = nn.Linear(width, hidden, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        up = self.up(x)
        inner = gelu(up) if self.gate is None else silu(self.gate(x)) * up
        return self.down(inner)  # type: ignore[no-any-return]


class Experts(nn.Module):
    """All routed experts as stacked matrices (experts, out, in), so that every one of them always has a gradient.

    May be cut by experts (axis 0 of all) or by width (axis 1 of `up`, `gate` and their biases, 2 of `down`). What comes
    out is then a part of a sum over ranks, to which each adds its share of `down_bias`.
    """

    def __init__(self, spec: MixtureOfExperts, hidden: int) -> None:
        super().__init__()
        experts, width = spec.experts, spec.expert_width
        self.gate = nn.Parameter(torch.empty(experts, width, hidden)) if spec.gated else None
        self.up = nn.Parameter(torch.empty(experts, width, hidden))
        self.down = nn.Parameter(torch.empty(experts, hidden, width))
        self.gate_bias = nn.Parameter(torch.empty(experts, width)) if spec.bias and spec.gated else None
        self.up_bias = nn.Parameter(torch.empty(experts, width)) if spec.bias else None
        self.down_bias = nn.Parameter(torch.empty(experts, hidden)) if spec.bias else None

    def forward(self, rows: Tensor, counts: list[int]) -> Tensor:
        """Rows sorted by expert, `counts` of them for each expert in turn; as many rows come out."""
        up, down = local(self.up).unbind(), local(self.down).unbind()
        gate, gate_bias, up_bias = (_each(one, len(counts)) for one in (self.gate, self.gate_bias, self.up_bias))
        shared = self.down_bias
        down_bias = _each(None if shared is None else common(shared) / num_sharing(shared), len(counts))
        found = []
        for expert, x in enumerate(torch.split(rows, counts)):
            if not counts[expert]:
                continue
            wide, matrix = linear(x, up[expert], up_bias[expert]), gate[expert]
            inner = gelu(wide) if matrix is None else silu(linear(x, matrix, gate_bias[expert])) * wide
            found.append(linear(inner, down[expert], down_bias[expert]))
        return torch.cat(found)


def _each(parameter: Tensor | None, experts: int) -> Sequence[Tensor | None]:
    """A parameter expert by expert, or nothing for each."""
    return (None,) * experts if parameter is None else local(parameter).unbind()


class RoutedExperts(nn.Module):
    """`spec.model.MixtureOfExperts`: routed experts, the shared ones, and a dense part beside them.

    All feed-forwards may be cut by width: what comes out is then a part of a sum over ranks, which all have every token
    and choose alike. Each part is linear in the weights of the choice and of the shared gate, so that gradients of
    what ranks have in common are parts of a sum too.
    """

    def __init__(self, spec: MixtureOfExperts, hidden: int) -> None:
        super().__init__()
        self.top_k, self.groups, self.top_groups = spec.top_k, spec.groups, spec.top_groups
        inner, width = spec.latent_dim or hidden, spec.shared_width
        self.router = CommonLinear(hidden, spec.experts, bias=spec.router_bias)
        self.experts = Experts(spec, inner)
        self.latent_down = CommonLinear(hidden, inner, bias=False) if spec.latent_dim else None
        self.latent_up = CommonLinear(inner, hidden, bias=False) if spec.latent_dim else None
        self.shared = DenseUnit(hidden, width, spec.gated, spec.bias) if width else None
        self.shared_gate = CommonLinear(hidden, 1, bias=False) if spec.shared_gate else None
        self.dense = DenseUnit(hidden, spec.dense_width, spec.gated, spec.bias) if spec.dense_width else None

    def choose(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The experts of every row (rows, top_k), and their weights."""
        scores = self.router(x).float()
        allowed = scores
        if self.top_groups is not None and self.top_groups < self.groups:
            grouped = scores.reshape(scores.shape[0], self.groups, -1)
            best = grouped.topk(min(2, grouped.shape[-1]), dim=-1).values.sum(dim=-1)
            kept = torch.zeros_like(best, dtype=torch.bool).scatter(
                -1, best.topk(self.top_groups, dim=-1).indices, True
            )
            allowed = grouped.masked_fill(~kept[..., None], float("-inf")).flatten(-2)
        chosen = allowed.topk(self.top_k, dim=-1).indices
        picked = scores.gather(-1, chosen)
        return chosen, picked.sigmoid() if self.top_k == 1 else picked.softmax(dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(0, -2)
        flat = common(rows)
        chosen, weights = self.choose(flat)
        order = chosen.flatten().argsort(stable=True)
        counts = chosen.flatten().bincount(minlength=self.router.out_features).tolist()
        narrow = flat if self.latent_down is None else self.latent_down(flat)
        copies = narrow[:, None].expand(-1, self.top_k, -1).flatten(0, 1)
        # A permutation and its inverse: sums over a token's experts then have one order, whatever the device.
        out = self.experts(copies.index_select(0, order), counts).index_select(0, order.argsort())
        mixed = (out.reshape(-1, self.top_k, out.shape[-1]) * weights.to(out.dtype)[..., None]).sum(dim=1)
        if self.latent_up is not None:
            mixed = self.latent_up(mixed)
        if self.shared is not None:
            shared = self.shared(rows)
            mixed = mixed + (shared if self.shared_gate is None else shared * self.shared_gate(flat).sigmoid())
        if self.dense is not None:
            mixed = mixed + self.dense(rows)
        found: Tensor = mixed.view_as(x)
        return found
