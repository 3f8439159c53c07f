"""The steady states of whole deployments under a load each, grouped by what they run on: the figures reported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import numpy as np

from myriad.estimate.serving.disaggregated import Side, disaggregated_state
from myriad.estimate.serving.machine import Array
from myriad.estimate.serving.parts import PASS_PARTS
from myriad.estimate.serving.percentile import tpot_at_s, ttft_at_s
from myriad.estimate.serving.queue import MOST_BUSY
from myriad.estimate.serving.steady import Steady, steady_state
from myriad.search.serving_points import BoolArray
from myriad.search.serving_units import Choice, IntArray, Question, Units

GPU_TIME_PARTS = (*PASS_PARTS, "prefill")
"""What accelerators spend their time on, whatever they do: parts of iterations that decode, and prefill beside them."""


@dataclass(frozen=True)
class Deployments:
    """Deployments as columns (V,): kinds of replicas by their row, and how many."""

    unit: IntArray
    """Aggregated replicas, or those that decode."""
    count: IntArray
    prefill: IntArray
    """Replicas that prefill; -1 where none do so alone."""
    prefill_count: IntArray

    def __len__(self) -> int:
        return len(self.unit)

    def take(self, index: IntArray) -> Deployments:
        return Deployments(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @staticmethod
    def joined(several: list[Deployments]) -> Deployments:
        """One after the other."""
        return Deployments(
            **{f.name: np.concatenate([getattr(d, f.name) for d in several]) for f in fields(Deployments)}
        )


@dataclass(frozen=True)
class Kinds:
    """The kinds of replicas that deployments are made of."""

    working: Units
    """Replicas that do all the work, or prefill alone."""
    decoding: Units

    def gpus(self, of: Deployments) -> Array:
        """Accelerators of each deployment."""
        apart = of.prefill >= 0
        mine = np.where(apart, self._size(self.decoding, of.unit, apart), self._size(self.working, of.unit, ~apart))
        prefill = self._size(self.working, of.prefill, apart) * of.prefill_count
        total: Array = mine * of.count + prefill
        return total

    def copies(self, of: Deployments) -> Array:
        """Copies of attention that decode."""
        apart = of.prefill >= 0
        row = np.maximum(of.unit, 0)
        dp = np.where(
            apart,
            self.decoding.cut.dp[np.where(apart, row, 0)],
            self.working.cut.dp[np.where(apart, 0, row)],
        )
        copies: Array = dp * of.count
        return copies

    @staticmethod
    def _size(units: Units, row: IntArray, there: BoolArray) -> Array:
        return np.where(there, units.cut.gpus[np.where(there, row, 0)], 0.0)


@dataclass(frozen=True)
class States:
    """Deployments under a load each, columns (V,)."""

    requests_per_s: Array
    ttft_s: Array
    tpot_s: Array
    ttft_at_s: Array
    tpot_at_s: Array
    memory_used: Array
    """Requests on one copy over those that it has room for."""
    prefill_used: Array
    """Load of the queue for prefill over the most at which waits are finite."""
    held: BoolArray
    """Whether nobody waits for a place, and waits for prefill are finite."""
    gpu_s_per_token: Mapping[str, Array]
    """Accelerator-seconds per output token by what they go to."""

    def kept(self, question: Question) -> BoolArray:
        """Whether the promises are kept."""
        return self.held & (self.ttft_at_s <= question.ttft_s) & (self.tpot_at_s <= question.tpot_s)


def states(question: Question, kinds: Kinds, of: Deployments, concurrency: Array) -> States:
    """The state of each deployment with so many requests in it."""
    columns = {f.name: np.zeros(len(of)) for f in fields(States) if f.name not in ("held", "gpu_s_per_token")}
    held, spent = np.zeros(len(of), dtype=bool), {part: np.zeros(len(of)) for part in GPU_TIME_PARTS}
    copies, gpus = kinds.copies(of), kinds.gpus(of)
    for choice, prefill_choice, rows in _groups(question, kinds, of):
        mine, asked = of.take(rows), concurrency[rows]
        count = mine.count.astype(float)
        if prefill_choice is None:
            units = kinds.working.take(mine.unit)
            steady = steady_state(
                question.model, units.cut, choice.machine, question.load(asked / count), units.limits(choice.work)
            )
            times = count
        else:
            units, before = kinds.decoding.take(mine.unit), kinds.working.take(mine.prefill)
            steady = disaggregated_state(
                question.model,
                Side(before.cut, mine.prefill_count.astype(float), prefill_choice.machine,
                     before.limits(prefill_choice.work)),
                Side(units.cut, count, choice.machine, units.limits(choice.work)),
                question.load(asked),
            )  # fmt: skip
            times = np.ones(len(rows))
        percentile = question.objective.percentile
        rate = steady.requests_per_s * times
        columns["requests_per_s"][rows] = rate
        columns["ttft_s"][rows] = steady.ttft_s
        columns["tpot_s"][rows] = steady.tpot_s
        columns["ttft_at_s"][rows] = ttft_at_s(steady.ttft_s, steady.wait_s, steady.wait_share, percentile)
        columns["tpot_at_s"][rows] = tpot_at_s(steady.tpot_s, steady.tpot_deviation_s, percentile)
        columns["memory_used"][rows] = asked / copies[rows] / steady.most_sequences
        columns["prefill_used"][rows] = steady.wait_share / MOST_BUSY
        held[rows] = steady.fits & ~steady.saturated & (steady.wait_share < MOST_BUSY)
        held[rows] &= columns["memory_used"][rows] <= 1.0 + 1e-9
        decode_gpus = units.cut.gpus * count
        per_token = 1.0 / (rate * question.requests.output_tokens)
        passes = (question.requests.output_tokens - 1.0) / units.limits(choice.work).tokens_per_pass
        mean_s = steady.batch * copies[rows] / (rate * max(passes, 1e-9))
        for part, share in _shares(steady, mean_s).items():
            spent[part][rows] = decode_gpus * per_token * share
        spent["prefill"][rows] += (gpus[rows] - decode_gpus) * per_token
    return States(**columns, held=held, gpu_s_per_token=spent)


def _shares(steady: Steady, mean_s: Array) -> dict[str, Array]:
    """Shares of the time between two tokens: parts of decoding, and what prefill adds."""
    shares = {part: seconds / mean_s for part, seconds in steady.decode.items()}
    return shares | {"prefill": 1.0 - steady.decode_s / mean_s}


def _groups(question: Question, kinds: Kinds, of: Deployments) -> Iterator[tuple[Choice, Choice | None, IntArray]]:
    """Rows that run in the same choices."""
    apart = of.prefill >= 0
    choice = np.where(
        apart,
        kinds.decoding.choice[np.where(apart, of.unit, 0)],
        kinds.working.choice[np.where(apart, 0, of.unit)],
    )
    before = np.where(apart, kinds.working.choice[np.where(apart, of.prefill, 0)], -1)
    for mine, theirs in np.unique(np.stack((choice, before)), axis=1).T:
        rows = np.flatnonzero((choice == mine) & (before == theirs))
        yield question.choices[mine], question.choices[theirs] if theirs >= 0 else None, rows
