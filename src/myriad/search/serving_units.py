"""What a search over deployments chooses from, kinds of replicas as columns, and the question that they answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from myriad.estimate.serving.load import Limits, Load
from myriad.estimate.serving.machine import Array, Cut, Machine
from myriad.spec.model import Model
from myriad.spec.serving import Objective, Replicas, Requests, ServingLayout, ServingWork
from myriad.spec.serving_search import PrefillPlace

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Choice:
    """One way to run a replica, whatever bounds its batches, and the layouts that its engine runs so."""

    work: ServingWork
    machine: Machine
    layouts: Cut

    @property
    def meets(self) -> tuple[object, ...]:
        """What replicas that prefill and others that decode must have in common, so that a cache can be sent."""
        work = self.work
        return work.engine, work.precision, work.expert_precision, work.attention_precision, work.kv_precision


@dataclass(frozen=True)
class Question:
    """What is asked for: a model, its requests, what is promised, and how much of it."""

    model: Model
    choices: tuple[Choice, ...]
    num_gpus: int
    requests: Requests
    objective: Objective
    requests_per_s: float | None = None
    concurrency: float | None = None
    prefill: PrefillPlace = "any"
    """Where prompts may be prefilled."""
    batched_tokens: tuple[int, ...] = (2048, 8192, 16384)
    """Tokens of one iteration at most, where a replica prefills."""

    def load(self, concurrency: Array) -> Load:
        """So many of the requests at once."""
        asked = self.requests
        like = np.ones_like(concurrency)
        return Load(
            concurrency=concurrency,
            input_tokens=asked.input_tokens * like,
            output_tokens=asked.output_tokens * like,
            cached_tokens=asked.cached_fraction * asked.input_tokens * like,
        )

    @cached_property
    def ttft_s(self) -> float:
        """Promised, infinite where nothing is."""
        return np.inf if self.objective.ttft is None else self.objective.ttft

    @cached_property
    def tpot_s(self) -> float:
        """Promised, infinite where nothing is."""
        return np.inf if self.objective.tpot is None else self.objective.tpot


@dataclass(frozen=True)
class Units:
    """Kinds of replicas: a layout, how it runs, and the tokens of its iterations; columns (U,)."""

    choice: IntArray
    """Index into the choices of the question."""
    cut: Cut
    tokens: Array
    """Tokens of one iteration at most; 0 for replicas that only decode."""

    def __len__(self) -> int:
        return len(self.choice)

    def take(self, index: IntArray) -> Units:
        return Units(self.choice[index], self.cut.take(index), self.tokens[index])

    def by_choice(self, question: Question) -> Iterator[tuple[Choice, IntArray]]:
        """Every choice with the rows that run so."""
        for number in np.unique(self.choice):
            yield question.choices[number], np.flatnonzero(self.choice == number)

    def limits(self, work: ServingWork, sequences: Array | None = None) -> Limits:
        """What bounds their batches: memory alone, and so many sequences if given."""
        most = np.full(len(self), np.inf) if sequences is None else sequences
        return Limits(self.tokens, most, work.memory_fraction, work.speculation, float(work.stream_interval))

    def replicas(self, question: Question, row: int, count: int, max_sequences: int | None) -> Replicas:
        """So many of one kind."""
        cut = self.cut
        update = {"max_sequences": max_sequences, "max_batched_tokens": int(self.tokens[row]) or None}
        return Replicas(
            layout=ServingLayout(tp=int(cut.tp[row]), pp=int(cut.pp[row]), dp=int(cut.dp[row]), ep=int(cut.ep[row])),
            work=question.choices[self.choice[row]].work.model_copy(update=update),
            count=count,
        )


def units_of(question: Question, tokens: tuple[int, ...]) -> Units:
    """Every layout of every choice with every limit of tokens."""
    sizes = [len(choice.layouts.tp) for choice in question.choices]
    index = np.concatenate([np.repeat(np.arange(size), len(tokens)) for size in sizes])
    choice = np.repeat(np.arange(len(sizes)), [size * len(tokens) for size in sizes])
    starts = np.concatenate(([0], np.cumsum(sizes)))[choice]
    every = [choice.layouts for choice in question.choices]
    names = ("tp", "pp", "dp", "ep")
    layouts = Cut(**{name: np.concatenate([getattr(cut, name) for cut in every]) for name in names})
    return Units(choice, layouts.take(starts + index), np.tile(np.array(tokens, float), sum(sizes)))
