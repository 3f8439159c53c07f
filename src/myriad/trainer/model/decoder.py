"""The decoder, or the part of it that one pipeline stage owns."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from myriad.errors import SpecError
from myriad.spec.model import (
    Block,
    DenseFeedForward,
    FeedForward,
    GatedDeltaNet,
    GroupedQueryAttention,
    Mamba2,
    Mixer,
    Model,
)
from myriad.spec.model import MultiLatentAttention as MultiLatentSpec
from myriad.trainer.model.attention import GroupedQuery, MultiLatent
from myriad.trainer.model.feed_forward import DenseUnit, RoutedExperts
from myriad.trainer.model.linear_mixers import DeltaNet, StateSpace
from myriad.trainer.model.losses import ahead
from myriad.trainer.model.parts import norm
from myriad.trainer.model.refusals import check
from myriad.trainer.model.weights import initialise


def _mixer(spec: Mixer, model: Model) -> nn.Module:
    rotary = not model.learned_positions
    match spec:
        case GroupedQueryAttention():
            return GroupedQuery(spec, model.hidden, rotary)
        case MultiLatentSpec():
            return MultiLatent(spec, model.hidden, rotary)
        case Mamba2():
            return StateSpace(spec, model.hidden)
        case GatedDeltaNet():
            return DeltaNet(spec, model.hidden)
        case _:
            raise SpecError(f"model {model.name!r}: the reference trainer does not build {spec.kind}")


def _feed_forward(spec: FeedForward, hidden: int) -> nn.Module:
    if isinstance(spec, DenseFeedForward):
        return DenseUnit(hidden, spec.width, spec.gated, spec.bias)
    return RoutedExperts(spec, hidden)


class Layer(nn.Module):
    """One block: each of its parts reads a norm of the residual stream and adds to it."""

    def __init__(self, block: Block, model: Model) -> None:
        super().__init__()
        self.mixer_norm = self.mixer = self.mixer_post_norm = None
        self.feed_forward_norm = self.feed_forward = self.feed_forward_post_norm = None
        if block.mixer is not None:
            self.mixer_norm, self.mixer = norm(model), _mixer(block.mixer, model)
            self.mixer_post_norm = norm(model) if block.post_norms else None
        if block.feed_forward is not None:
            self.feed_forward_norm, self.feed_forward = norm(model), _feed_forward(block.feed_forward, model.hidden)
            self.feed_forward_post_norm = norm(model) if block.post_norms else None

    def forward(self, x: Tensor) -> Tensor:
        x = _with_part(x, self.mixer_norm, self.mixer, self.mixer_post_norm)
        return _with_part(x, self.feed_forward_norm, self.feed_forward, self.feed_forward_post_norm)


def _with_part(x: Tensor, before: nn.Module | None, part: nn.Module | None, after: nn.Module | None) -> Tensor:
    if before is None or part is None:
        return x
    out: Tensor = part(before(x))
    return x + (out if after is None else after(out))


class PredictionDepth(nn.Module):
    """One depth of multi-token prediction (DeepSeek-V3, arXiv 2412.19437, section 2.2), without embedding and head."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        assert model.mtp_block is not None
        self.hidden_norm, self.embedding_norm = norm(model), norm(model)
        self.projection = nn.Linear(2 * model.hidden, model.hidden, bias=False)
        self.layer = Layer(model.blocks[model.mtp_block], model)
        self.norm = norm(model)

    def forward(self, hidden: Tensor, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """The hidden state of this depth, and after its final norm: here, where FSDP has gathered the norm."""
        joined = torch.cat((self.hidden_norm(hidden), self.embedding_norm(embedded)), dim=-1)
        out: Tensor = self.layer(self.projection(joined))
        return out, self.norm(out)


class Decoder(nn.Module):
    """A run of the layers of a model, with the embedding before them and the head after them where it has these.

    The first stage takes tokens (batch, tokens), all others the hidden states of the one before, (batch, tokens,
    hidden). The last one returns logits (batch, 1 + prediction depths, tokens, vocabulary) for `losses.token_loss`;
    with prediction depths it also needs the tokens, if it is not the first as well. Layers keep their number in the
    whole model as their name, so that names, and by them first weights and checkpoints, do not depend on the stages.
    """

    def __init__(self, model: Model, layers: Iterable[int], first: bool, last: bool) -> None:
        super().__init__()
        kinds = model.layer_kinds()
        self.tied, self.first, self.last = model.tied_embeddings, first, last
        self.position_rows = model.learned_positions
        predicts = last and bool(model.mtp_depths)
        self.embedding = nn.Embedding(model.vocab, model.hidden) if first or predicts else None
        table = model.learned_positions if first else 0
        self.positions = nn.Embedding(table, model.hidden) if table else None
        self.layers = nn.ModuleDict({str(i): Layer(model.blocks[kinds[i]], model) for i in layers})
        self.norm = norm(model) if last else None
        self.head = nn.Linear(model.hidden, model.vocab, bias=False) if last else None
        self.predictions = nn.ModuleDict(
            {str(i): PredictionDepth(model) for i in range(model.mtp_depths)} if predicts else {}
        )
        self.shares_table = (model.tied_embeddings or bool(model.mtp_depths)) and not (first and last)
        self.tie()

    def tie(self) -> None:
        """Let a tied head use the embedding's own weight, where both are here. Again after they were replaced."""
        if self.tied and self.head is not None and self.embedding is not None:
            self.head.weight = self.embedding.weight

    def shared_table(self) -> nn.Parameter | None:
        """The token table of which the first and the last stage hold a copy each: their gradients are to be summed.

        `None` where this stage has none, or no other stage has it.
        """
        if not self.shares_table or not (self.first or self.last):
            return None
        holder = self.embedding if self.embedding is not None else self.head
        assert holder is not None
        table = holder.weight
        assert isinstance(table, nn.Parameter)
        return table

    def forward(self, x: Tensor, tokens: Tensor | None = None) -> Tensor:
        if self.first:
            tokens, x = x, self._embed(x)
        for layer in self.layers.values():
            x = layer(x)
        if self.norm is None or self.head is None:
            return x
        logits = [self.head(self.norm(x))]
        for i, depth in enumerate(self.predictions.values(), start=1):
            if tokens is None or self.embedding is None:
                raise SpecError("tokens: the last stage of a model with prediction depths needs them")
            assert isinstance(depth, PredictionDepth)
            x, normed = depth(x, self.embedding(ahead(tokens, i, 0)))
            logits.append(self.head(normed))
        return torch.stack(logits, dim=1) if len(logits) > 1 else logits[0].unsqueeze(1)

    def _embed(self, tokens: Tensor) -> Tensor:
        assert self.embedding is not None
        x: Tensor = self.embedding(tokens)
        if self.positions is None:
            return x
        if tokens.shape[1] > self.position_rows:
            raise SpecError(f"seq_len: {tokens.shape[1]} tokens, but the model has {self.position_rows} positions")
        return x + self.positions(torch.arange(tokens.shape[1], device=tokens.device))  # type: ignore[no-any-return]


def build(
    model: Model,
    *,
    layers: range | None = None,
    first: bool = True,
    last: bool = True,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> Decoder:
    """The decoder that `model` describes, in fp32, or the part of it with these layers and these ends.

    First weights depend on the seed and on names alone. On the device `meta` there are none; `first_weights` gives
    them after `to_empty`, also when parameters have been cut. Raises SpecError for what is not built, see `refusals`.
    """
    check(model)
    with torch.device("meta"):
        decoder = Decoder(model, range(model.num_layers) if layers is None else layers, first, last)
    if torch.device(device).type == "meta":
        return decoder
    decoder.to_empty(device=device)
    first_weights(decoder, model, seed)
    return decoder


def first_weights(decoder: Decoder, model: Model, seed: int) -> None:
    """Give a decoder that was built on `meta` and brought to a device its first weights."""
    decoder.tie()
    initialise(decoder, seed, model.num_layers, {"head.weight": "embedding.weight"} if model.tied_embeddings else {})
