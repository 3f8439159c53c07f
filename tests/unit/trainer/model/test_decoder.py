"""The decoder as a whole: stages that make up the model, first weights, causal order, and that it learns."""

import pytest
import torch

import myriad.catalog as catalog
from myriad.errors import SpecError
from myriad.spec.model import Block, DenseFeedForward, GroupedQueryAttention, Model
from myriad.trainer.model import build, first_weights, token_loss, unbuildable
from myriad.trainer.model.reduced import reduced

KINDS = ("qwen3-8b", "gpt3-175b", "deepseek-v3", "gpt-oss-120b", "mimo-v2-flash", "qwen3.5-0.8b", "nemotron-3-nano")


def of(name):
    return reduced(catalog.model(name))


def tokens_of(model, tokens=40, batch=2):
    return torch.randint(model.vocab, (batch, tokens), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", KINDS)
def test_stages_make_up_the_model(name):
    """Cut anywhere, the stages have the weights of the whole and compute the same."""
    model = of(name)
    whole, x = build(model, seed=3), tokens_of(model)
    cut = model.num_layers // 2
    front = build(model, layers=range(cut), last=False, seed=3)
    back = build(model, layers=range(cut, model.num_layers), first=False, seed=3)
    assert torch.equal(whole(x), back(front(x), x))
    named = dict(whole.named_parameters())
    for stage in (front, back):
        for key, parameter in stage.named_parameters():
            assert torch.equal(parameter, named.get(key, whole.head.weight))
    assert set(named) <= set(dict(front.named_parameters())) | set(dict(back.named_parameters()))


@pytest.mark.parametrize(("name", "shared"), [("qwen3-8b", False), ("gpt3-175b", True), ("deepseek-v3", True)])
def test_ends_share_the_token_table_of_tied_and_predicting_models(name, shared):
    model = of(name)
    assert build(model).shared_table() is None
    front = build(model, layers=range(1), last=False).shared_table()
    back = build(model, layers=range(1, 2), first=False).shared_table()
    assert (front is not None) is (back is not None) is shared
    assert not shared or torch.equal(front, back)
    assert build(model, layers=range(1, 2), first=False, last=False).shared_table() is None


def test_a_tied_head_is_the_embedding():
    decoder = build(of("gpt3-175b"))
    assert decoder.head.weight is decoder.embedding.weight


def test_first_weights_depend_on_seed_and_name_alone():
    model = of("qwen3-8b")
    one, same, other = build(model, seed=1), build(model, seed=1), build(model, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.head.weight, other.head.weight)
    assert not torch.equal(one.layers["0"].mixer.q.weight, one.layers["1"].mixer.q.weight)
    later = build(model, seed=5, device="meta").to_empty(device="cpu")
    first_weights(later, model, 1)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), later.parameters(), strict=True))


@pytest.mark.parametrize("name", KINDS)
def test_no_token_sees_a_later_one(name):
    model = of(name)
    decoder, x = build(model).double(), tokens_of(model, tokens=70, batch=1)
    changed = x.clone()
    changed[:, 50:] = (changed[:, 50:] + 1) % model.vocab
    before, after = decoder(x)[:, 0], decoder(changed)[:, 0]
    assert torch.allclose(before[:, :50], after[:, :50], atol=1e-6)
    assert not torch.allclose(before[:, 50:], after[:, 50:], atol=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_loss_falls(name):
    """Text that repeats itself is learned; all parameters have gradients from the first step."""
    model = of(name)
    decoder = build(model)
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=3e-3, weight_decay=0.0)
    text = (torch.arange(2 * 33) % 7).reshape(2, 33)
    losses = []
    for _ in range(12):
        loss = token_loss(decoder(text[:, :-1]), text[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in decoder.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("name", KINDS)
def test_half_the_bits_lose_about_the_same(name):
    """Weights in bf16, and weights in fp32 under autocast."""
    model = of(name)
    decoder, tokens = build(model), tokens_of(model)
    whole = token_loss(decoder(tokens), tokens).item()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = token_loss(decoder(tokens), tokens)
    mixed.backward()
    narrow = token_loss(decoder.bfloat16()(tokens), tokens)
    narrow.backward()
    assert all(parameter.grad.isfinite().all() for parameter in decoder.parameters())
    assert mixed.item() == pytest.approx(whole, rel=0.01)
    assert narrow.item() == pytest.approx(whole, rel=0.01)


@pytest.mark.parametrize(
    ("name", "lack"),
    [
        ("deepseek-v3.2", "the indexer of sparse attention (block 'dense')"),
        ("deepseek-v4-flash", "several residual streams (hyper-connections)"),
        ("gemma-4-e2b", "per-layer embeddings"),
    ],
)
def test_refuses_what_is_not_built(name, lack):
    model = catalog.model(name)
    assert lack in unbuildable(model)
    with pytest.raises(SpecError, match="the reference trainer does not build") as caught:
        build(model)
    assert lack in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "lack"),
    [
        ({"kv_heads": 3}, "4 query heads over 3 key heads"),
        ({"output_gate": True, "v_head_dim": 4}, "an output gate"),
        ({"window_tokens": 4, "chunk_tokens": 4}, "a window and chunks together"),
    ],
)
def test_refuses_what_does_not_go_together(changes, lack):
    mixer = GroupedQueryAttention(**{"heads": 4, "kv_heads": 2, "head_dim": 8} | changes)
    block = Block(mixer=mixer, feed_forward=DenseFeedForward(width=8))
    with pytest.raises(SpecError, match=lack):
        build(Model(name="odd", hidden=8, vocab=16, blocks={"only": block}, layers=(("only", 1),)))


def test_refuses_more_tokens_than_positions():
    model = of("gpt3-175b")
    with pytest.raises(SpecError, match="seq_len: 129 tokens, but the model has 128 positions"):
        build(model)(tokens_of(model, tokens=129))


def test_prediction_depths_ask_for_tokens():
    model = of("deepseek-v3")
    back = build(model, layers=range(1, 2), first=False)
    with pytest.raises(SpecError, match="tokens: the last stage"):
        back(torch.zeros(1, 8, model.hidden))
