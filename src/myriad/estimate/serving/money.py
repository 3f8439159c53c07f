"""What tokens cost: GPU-seconds of a token that is read, found in the cache, or written, and money from them.

Who carries what:

    output tokens   all of decode: streaming the weights, and reading and keeping the cache of every token before
    cached tokens   what prefill of the other tokens of their prompt takes longer because of them
    input tokens    the rest of prefill

So the tokens of a request together carry all that its accelerators did for it, and tokens of a day all of the day.
Where one replica does both, time of an iteration beyond that of one that only decodes is prefill. Left out: memory and
disks that keep caches between requests, and loading from them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myriad.estimate.serving.disaggregated import Side, prefill_s
from myriad.estimate.serving.machine import Array
from myriad.spec.model import Model


@dataclass(frozen=True)
class PerKind:
    """One figure for each kind of token: of a token, or of all tokens of one request; arrays (U,)."""

    input: Array
    """Input that is not cached."""
    cached: Array
    """Input that is found in the cache."""
    output: Array

    def times(self, factor: npt.ArrayLike) -> PerKind:
        """Every figure, `factor` over."""
        each = np.asarray(factor, dtype=np.float64)
        return PerKind(self.input * each, self.cached * each, self.output * each)

    def of_request(self, tokens: PerKind) -> Array:
        """The sum over all tokens of a request.

        >>> one = np.ones(1)
        >>> float(PerKind(2 * one, 0.5 * one, 8 * one).of_request(PerKind(100 * one, 300 * one, 50 * one))[0])
        750.0
        """
        total: Array = self.input * tokens.input + self.cached * tokens.cached + self.output * tokens.output
        return total


def tokens_of_request(input_tokens: Array, output_tokens: Array, cached_tokens: Array) -> PerKind:
    """Tokens of one request by kind. A prompt that is cached as a whole computes its last token all the same."""
    new = np.maximum(input_tokens - cached_tokens, 1.0)
    return PerKind(new, np.maximum(input_tokens - new, 0.0), output_tokens)


def aggregated_gpu_s(gpus: Array, requests_per_s: Array, decode_s: Array, mean_s: Array) -> tuple[Array, Array]:
    """GPU-seconds of prefill and of decode of one request on replicas that do both.

    `mean_s` is the time of the mean iteration, `decode_s` of one that only decodes.
    """
    whole = gpus / requests_per_s
    decoding = np.clip(decode_s / mean_s, 0.0, 1.0)
    return whole * (1.0 - decoding), whole * decoding


def disaggregated_gpu_s(prefill_gpus: Array, decode_gpus: Array, requests_per_s: Array) -> tuple[Array, Array]:
    """The same where either side has its own accelerators; a side that waits for the other costs its wait."""
    return prefill_gpus / requests_per_s, decode_gpus / requests_per_s


def cached_share(model: Model, side: Side, tokens: PerKind) -> Array:
    """Share of the time of prefill that is there because of cached tokens: with them, over without, less one of it.

    Prompts run together as far as an iteration has room.
    """
    none = np.zeros_like(tokens.input)
    together = np.maximum(np.floor(side.limits.batched_tokens / tokens.input), 1.0)
    with_cached = prefill_s(model, side, tokens.input, tokens.cached, together)
    without = prefill_s(model, side, tokens.input, none, together)
    return np.clip(1.0 - without / with_cached, 0.0, 1.0)


def token_gpu_s(prefill_gpu_s: Array, decode_gpu_s: Array, share_of_cached: Array, tokens: PerKind) -> PerKind:
    """GPU-seconds of one token of each kind; 0 for cached tokens where there are none."""
    any_cached = tokens.cached > 0.0
    share = np.where(any_cached, share_of_cached, 0.0)
    return PerKind(
        input=prefill_gpu_s * (1.0 - share) / tokens.input,
        cached=prefill_gpu_s * share / np.where(any_cached, tokens.cached, 1.0),
        output=decode_gpu_s / tokens.output,
    )


def token_usd(gpu_s: PerKind, usd_per_gpu_s: npt.ArrayLike, utilisation: npt.ArrayLike) -> PerKind:
    """US dollars of one token of each kind, when a share `utilisation` of the capacity that is paid for is used."""
    return gpu_s.times(np.asarray(usd_per_gpu_s, dtype=np.float64) / np.asarray(utilisation, dtype=np.float64))


def margin_fraction(revenue: Array, cost: Array) -> Array:
    """What is left of the revenue, as a share of it; negative where serving loses money.

    >>> float(margin_fraction(np.array([4.0]), np.array([1.0]))[0])
    0.75
    """
    kept: Array = 1.0 - cost / revenue
    return kept
