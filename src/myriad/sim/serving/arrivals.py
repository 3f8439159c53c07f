"""Requests with their times: drawn, or as a trace has them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from myriad.errors import SpecError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def _no_ints() -> Ints:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Arrivals:
    """Requests in the order of arrival, as columns of equal length.

    With a `concurrency` their times do not matter: so many are under way at any time, each next one arrives when one
    is answered.
    """

    arrival_s: Floats
    input_tokens: Ints
    output_tokens: Ints
    priority: Ints = field(default_factory=_no_ints)
    """The lowest goes first; empty: all the same."""
    cached_tokens: Ints = field(default_factory=_no_ints)
    """Prompt tokens that are cached whatever the replica has seen; empty: none."""
    block_counts: Ints = field(default_factory=_no_ints)
    """Hashed blocks of each prompt; empty: none is hashed."""
    block_ids: Ints = field(default_factory=_no_ints)
    """Hashes of all of them, one prompt after another. Equal ids mean equal tokens up to the block's end."""
    block_tokens: int = 512
    """Tokens of a hashed block."""
    concurrency: int | None = None

    def __post_init__(self) -> None:
        number = len(self.arrival_s)
        for name in ("input_tokens", "output_tokens"):
            values = getattr(self, name)
            if len(values) != number:
                raise SpecError(f"{name}: found {len(values)} values for {number} requests")
            if number and values.min() < 1:
                raise SpecError(f"{name}: found {values.min()}, expected 1 or more")
        for name in ("priority", "cached_tokens", "block_counts"):
            values = getattr(self, name)
            if len(values) not in (0, number):
                raise SpecError(f"{name}: found {len(values)} values for {number} requests")
        if number and not (np.isfinite(self.arrival_s).all() and (np.diff(self.arrival_s) >= 0).all()):
            raise SpecError("arrival_s: expected times that do not fall")
        if self.block_counts.sum() != len(self.block_ids):
            raise SpecError(f"block_ids: found {len(self.block_ids)}, expected {self.block_counts.sum()}")
        if self.concurrency is not None and self.concurrency < 1:
            raise SpecError(f"concurrency: found {self.concurrency}, expected 1 or more")

    def __len__(self) -> int:
        return len(self.arrival_s)


def lengths(mean: float, variation: float, count: int, generator: np.random.Generator) -> Ints:
    """Token counts: the mean itself, or log-normal with this standard deviation over the mean; at least 1."""
    if variation == 0:
        return np.full(count, max(round(mean), 1), dtype=np.int64)
    sigma2 = np.log1p(variation**2)
    drawn = generator.lognormal(np.log(mean) - sigma2 / 2, np.sqrt(sigma2), count)
    return np.maximum(np.rint(drawn), 1).astype(np.int64)


def poisson_s(rate_per_s: float, count: int, generator: np.random.Generator) -> Floats:
    """Times of a Poisson stream, in seconds."""
    return np.cumsum(generator.exponential(1 / rate_per_s, count))


def gamma_s(rate_per_s: float, variation: float, count: int, generator: np.random.Generator) -> Floats:
    """Times with Gamma-distributed gaps, in seconds; `variation` is their standard deviation over the mean.

    1 is a Poisson stream, more comes in bursts, 0 is a clock.
    """
    if variation == 0:
        return (np.arange(count) + 1) / rate_per_s
    shape = variation**-2
    return np.cumsum(generator.gamma(shape, 1 / (shape * rate_per_s), count))


def modulated_s(
    rates_per_s: tuple[float, ...], dwell_s: tuple[float, ...], count: int, generator: np.random.Generator
) -> Floats:
    """Times of a Markov-modulated Poisson stream, in seconds.

    It stays in one state for an exponential time of the mean `dwell_s`, at that state's rate, and goes on to the next;
    after the last to the first. Raises SpecError unless both are equally long and some rate is above 0.
    """
    if len(rates_per_s) != len(dwell_s) or max(rates_per_s, default=0.0) <= 0 or min(dwell_s, default=0.0) <= 0:
        raise SpecError(
            f"modulated arrivals: found rates {rates_per_s} and dwells {dwell_s}, expected as many, above 0"
        )
    times: list[Floats] = []
    start_s, found, state = 0.0, 0, 0
    while found < count:
        stay_s = generator.exponential(dwell_s[state])
        number = int(generator.poisson(rates_per_s[state] * stay_s))
        times.append(start_s + np.sort(generator.uniform(0, stay_s, number)))
        start_s += stay_s
        found += number
        state = (state + 1) % len(rates_per_s)
    return np.concatenate(times)[:count]


def closed_loop(arrivals: Arrivals, concurrency: int) -> Arrivals:
    """The same requests from clients of which each sends its next one when the last is answered."""
    return replace(arrivals, arrival_s=np.zeros(len(arrivals)), concurrency=concurrency)


def sped_up(arrivals: Arrivals, factor: float) -> Arrivals:
    """The same requests, coming this many times as fast."""
    return replace(arrivals, arrival_s=arrivals.arrival_s / factor)
