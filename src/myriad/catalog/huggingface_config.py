"""A Hugging Face `config.json` read key by key, with errors that name the key; and models put together from layers."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pydantic import ValidationError

from myriad.errors import SpecError
from myriad.spec.base import Spec
from myriad.spec.model import MAX_LAYERS, Block, FeedForward, Mixer, Model


@dataclass(frozen=True)
class Config:
    """The keys of one configuration. `None` counts as absent, as Hugging Face writes it."""

    name: str
    values: Mapping[str, Any]

    def has(self, key: str) -> bool:
        return self.values.get(key) is not None

    def _wrong(self, key: str, expected: str) -> SpecError:
        found = repr(self.values[key])
        return SpecError(f"{self.name}: {key}: expected {expected}, found {found[:40]}")

    def _missing(self, key: str) -> SpecError:
        # Keys of one configuration resemble each other: only a near miss is worth a hint.
        near = difflib.get_close_matches(key, [k for k in self.values if self.has(k)], n=1, cutoff=0.85)
        return SpecError(f"{self.name}: missing key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))

    def count(self, *keys: str, default: int | None = None) -> int:
        """The whole number under the first of the keys that is there, 0 or more.

        `default` is what the family's own configuration class takes when the key is absent; without
        one a missing key raises SpecError.
        """
        for key in keys:
            if self.has(key):
                value = self.values[key]
                if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                    raise self._wrong(key, "a whole number, 0 or more")
                return value
        if default is None:
            raise self._missing(keys[0])
        return default

    def flag(self, key: str, default: bool) -> bool:
        if not self.has(key):
            return default
        if not isinstance(self.values[key], bool):
            raise self._wrong(key, "true or false")
        return bool(self.values[key])

    def layers(self) -> int:
        count = self.count("num_hidden_layers")
        if not 1 <= count <= MAX_LAYERS:
            raise self._wrong("num_hidden_layers", f"1 to {MAX_LAYERS}")
        return count

    def per_layer(self, key: str, allowed: Sequence[object]) -> list[Any]:
        """A list with one of the allowed values for every layer.

        Longer lists are cut: some configurations go on to their multi-token-prediction layers.
        """
        values, num_layers = self.list_of(key, allowed), self.layers()
        if len(values) < num_layers:
            raise SpecError(f"{self.name}: {key}: expected {num_layers} layers, found {len(values)}")
        return values[:num_layers]

    def list_of(self, key: str, allowed: Sequence[object]) -> list[Any]:
        """A list whose items are all among the allowed values."""
        if not self.has(key):
            raise self._missing(key)
        values = self.values[key]
        if not isinstance(values, list):
            raise self._wrong(key, "a list")
        for value in values:
            if isinstance(value, bool) or value not in allowed:
                found = repr(value)[:40]
                raise SpecError(f"{self.name}: {key}: found {found}, allowed: {_few(allowed)}")
        return values

    def letters(self, key: str, allowed: str) -> str:
        """A text made of the allowed letters."""
        value = self.values[key]
        if not isinstance(value, str) or not value or len(value) > MAX_LAYERS or set(value) - set(allowed):
            raise self._wrong(key, f"letters out of {allowed!r}")
        return value


def _few(allowed: Sequence[object]) -> str:
    return ", ".join(map(str, allowed)) if len(allowed) <= 8 else f"{allowed[0]} to {allowed[-1]}"


Labelled = tuple[str, Mixer | None]
"""A word for block names and a mixer."""
LabelledFeedForward = tuple[str, FeedForward | None]


def assemble(
    config: Config,
    mixers: Sequence[Labelled],
    feed_forwards: Sequence[LabelledFeedForward],
    *,
    mtp_depths: int = 0,
    mtp: Block | None = None,
    post_norms: bool = False,
    residual_streams: int = 1,
    tied_by_default: bool = False,
) -> Model:
    """The model whose layer i has mixer i and feed-forward i.

    Blocks are named after what sets layers apart: `dense` and `moe`, or `sliding_moe` and `full_moe`.
    `mtp` is the block of the multi-token-prediction depths where it is none of the layers'; else the
    last layer's kind serves.
    """
    several_mixers = len({label for label, _ in mixers}) > 1
    names, blocks = [], {}
    for (mixer_label, mixer), (label, feed_forward) in zip(mixers, feed_forwards, strict=True):
        name = "_".join(part for part in (mixer_label if several_mixers else "", label) if part)
        names.append(name)
        if name not in blocks:
            blocks[name] = Block(mixer=mixer, feed_forward=feed_forward, post_norms=post_norms)
    mtp_block = names[-1] if mtp_depths else None
    if mtp_depths and mtp is not None:
        mtp_block = next((name for name, block in blocks.items() if block == mtp), "mtp")
        blocks[mtp_block] = mtp
    return Model(
        name=config.name,
        hidden=config.count("hidden_size"),
        vocab=config.count("vocab_size"),
        blocks=blocks,
        layers=tuple((name, len(list(run))) for name, run in groupby(names)),
        tied_embeddings=config.flag("tie_word_embeddings", tied_by_default),
        residual_streams=residual_streams,
        max_context_tokens=config.count("max_position_embeddings"),
        mtp_depths=mtp_depths,
        mtp_block=mtp_block,
    )


def one_line(name: str, error: ValidationError) -> SpecError:
    """The first problem of a description that a configuration led to, as one line."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"] if part != "function-after")
    return SpecError(f"{name}: {where or 'model'}: {first['msg']}")


def without_defaults(spec: Spec) -> dict[str, Any]:
    """The description as plain values, leaving out what equals its default; the tag `kind` stays."""
    out: dict[str, Any] = {}
    for key, field in type(spec).model_fields.items():
        value = getattr(spec, key)
        if key != "kind" and not field.is_required() and value == field.get_default(call_default_factory=True):
            continue
        out[key] = _plain(value)
    return out


def _plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return without_defaults(value)
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, tuple) else value
