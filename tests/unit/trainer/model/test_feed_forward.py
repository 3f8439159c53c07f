"""Routed experts against a loop over tokens and their experts."""

import pytest
import torch
from torch.nn.functional import gelu, linear, silu

from myriad.spec.model import MixtureOfExperts
from myriad.trainer.model.feed_forward import RoutedExperts

HIDDEN = 12


def routed(**changes):
    torch.manual_seed(0)
    experts = RoutedExperts(MixtureOfExperts(**{"experts": 8, "top_k": 3, "expert_width": 10} | changes), HIDDEN)
    for parameter in experts.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return experts.double()


def one_expert(experts, e, x):
    def bias(parameter):
        return None if parameter is None else parameter[e]

    up = linear(x, experts.up[e], bias(experts.up_bias))
    gate = None if experts.gate is None else linear(x, experts.gate[e], bias(experts.gate_bias))
    return linear(gelu(up) if gate is None else silu(gate) * up, experts.down[e], bias(experts.down_bias))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gated": False, "bias": True},
        {"bias": True, "router_bias": True},
        {"shared_width": 14, "shared_gate": True, "dense_width": 6},
        {"latent_dim": 5},
        {"groups": 4, "top_groups": 2},
        {"top_k": 1},
        {"top_k": 8},
    ],
)
def test_experts_are_a_loop_over_tokens(changes):
    module = routed(**changes)
    x = torch.randn(2, 9, HIDDEN, dtype=torch.float64)
    expected = []
    for row in x.flatten(0, 1):
        chosen, weights = module.choose(row[None])
        inner = row if module.latent_down is None else module.latent_down(row)
        out = sum(
            weight * one_expert(module.experts, e, inner) for e, weight in zip(chosen[0], weights[0], strict=True)
        )
        out = out if module.latent_up is None else module.latent_up(out)
        if module.shared is not None:
            out = out + torch.sigmoid(module.shared_gate(row)) * module.shared(row)
        if module.dense is not None:
            out = out + module.dense(row)
        expected.append(out)
    assert torch.allclose(module(x).flatten(0, 1), torch.stack(expected), atol=1e-7)


def test_weights_are_shares_of_the_best_scores():
    module = routed()
    x = torch.randn(20, HIDDEN, dtype=torch.float64)
    chosen, weights = module.choose(x)
    scores = module.router(x).float()
    assert chosen.sort().values.tolist() == scores.topk(3).indices.sort().values.tolist()
    assert torch.allclose(weights, scores.gather(-1, chosen).softmax(dim=-1))


def test_groups_bound_where_experts_lie():
    module = routed(experts=16, groups=8, top_groups=2)
    x = torch.randn(50, HIDDEN, dtype=torch.float64)
    chosen, _ = module.choose(x)
    best = module.router(x).reshape(50, 8, 2).sum(dim=-1).topk(2).indices
    for experts, groups in zip(chosen.tolist(), best.tolist(), strict=True):
        assert {expert // 2 for expert in experts} <= set(groups)


def test_idle_experts_have_a_gradient_of_zero():
    """Replicas exchange gradients of every parameter, also of those no token met."""
    module = routed(experts=64, top_k=1)
    module(torch.randn(1, 3, HIDDEN, dtype=torch.float64)).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())
    assert (module.experts.up.grad.abs().sum(dim=(1, 2)) > 0).sum() <= 3


def test_the_only_expert_of_a_token_teaches_the_router():
    module = routed(top_k=1)
    module(torch.randn(1, 9, HIDDEN, dtype=torch.float64)).square().sum().backward()
    assert module.router.weight.grad.abs().sum() > 0
