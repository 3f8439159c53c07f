"""Serving: how replicas of a model are laid out and run, and the requests that they answer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from myriad.spec.base import Count, CountOrZero, Fraction, Seconds, Spec
from myriad.spec.calibration import software_and_release
from myriad.spec.serving_kernels import SERVING_PRECISIONS as SERVING_PRECISIONS
from myriad.spec.serving_kernels import CachePrecision as CachePrecision
from myriad.spec.serving_kernels import ServingPrecision as ServingPrecision

Dispatch = Literal["gather", "all-to-all"]
"""How tokens of data-parallel attention reach experts: all to all ranks, or each to those that have its experts."""


class ServingLayout(Spec):
    """How one replica (one instance of a serving engine) is cut over accelerators.

    Attention and dense parts are cut `tp` ways and copied `dp` times (data-parallel attention: each copy has its own
    requests and cache). Routed experts are spread over all `tp * dp` ranks of a stage: `ep` groups that own different
    experts, each expert cut `moe_tp = tp * dp / ep` ways.
    """

    tp: Count = 1
    pp: Count = 1
    dp: Count = 1
    ep: Count = 1

    @model_validator(mode="after")
    def _experts_fill_the_ranks(self) -> ServingLayout:
        if self.tp * self.dp % self.ep:
            raise ValueError(f"ep={self.ep} does not divide tp * dp = {self.tp * self.dp}, the ranks that hold experts")
        return self

    @property
    def gpus(self) -> int:
        """Accelerators of one replica."""
        return self.tp * self.pp * self.dp

    @property
    def moe_tp(self) -> int:
        """Ways that each expert is cut."""
        return self.tp * self.dp // self.ep

    def text(self) -> str:
        """In words.

        >>> ServingLayout(tp=2, dp=4, ep=8).text()
        'TP2 DP4 EP8'
        """
        sizes = {"PP": self.pp, "DP": self.dp, "EP": self.ep}
        return " ".join([f"TP{self.tp}", *(f"{name}{size}" for name, size in sizes.items() if size > 1)])


class Speculation(Spec):
    """Drafted tokens that one pass of the model checks: multi-token prediction, EAGLE, or a small draft model."""

    method: Literal["mtp", "eagle", "draft-model"] = "mtp"
    draft_tokens: Count = 1
    """Tokens drafted per pass; the pass runs on one more per sequence."""
    accepted_tokens: float = Field(ge=1)
    """Tokens that one pass yields on average: the model's own and the drafts accepted before it."""

    @model_validator(mode="after")
    def _accepts_what_is_drafted(self) -> Speculation:
        if self.accepted_tokens > self.draft_tokens + 1:
            raise ValueError(
                f"accepted_tokens={self.accepted_tokens:g} is more than a pass can yield: {self.draft_tokens} drafted "
                "and one of its own"
            )
        return self


class ServingWork(Spec):
    """How a replica runs, whatever its layout."""

    engine: str = "vllm"
    """Serving engine of the catalog, or one release of it: `vllm@0.18`."""
    precision: ServingPrecision = "bf16"
    """Of the products that the three below do not name otherwise."""
    expert_precision: ServingPrecision | None = None
    """Of routed experts; `None`: as `precision`."""
    attention_precision: ServingPrecision | None = None
    """Of the projections around attention; `None`: as `precision`."""
    kv_precision: CachePrecision = "bf16"
    max_sequences: Count | None = None
    """Most sequences that run at once on one copy of attention; `None`: what the engine's default and memory allow."""
    max_batched_tokens: Count | None = None
    """Most tokens of one iteration on one copy of attention; `None`: the engine's default."""
    memory_fraction: Fraction = 0.9
    """Share of the memory that weights, cache and work space may take, or that the cache may take of what the others
    leave: as the engine counts."""
    balance_iterations: CountOrZero = 0
    """Iterations that a prompt waits for prompts on the other copies of attention, so that all prefill at once."""
    stream_interval: Count = 1
    """Tokens that are gathered before they are sent: a client sees its first when so many are there."""
    speculation: Speculation | None = None
    dispatch: Dispatch | None = None
    """How tokens of data-parallel attention reach experts; `None`: the engine's default."""
    expert_imbalance: float = Field(default=1.0, ge=1)
    """Tokens of the busiest expert rank over the mean."""
    two_batches: bool = False
    """Whether every iteration runs as two halves, so that the exchange of one's tokens with experts hides behind what
    the other computes (dual-batch or two-batch overlap)."""

    @property
    def software(self) -> str:
        """The engine, whatever its release."""
        return software_and_release(self.engine)[0]

    @property
    def release(self) -> str:
        """Its release; empty where none is named."""
        return software_and_release(self.engine)[1]


class Requests(Spec):
    """Requests of one kind, as a steady stream."""

    input_tokens: Count
    """Prompt tokens of the mean request."""
    output_tokens: Count
    cached_fraction: Fraction = 0.0
    """Share of the prompt tokens whose keys and values are already cached (prefix cache)."""


class Replicas(Spec):
    """Equal replicas: how each is cut and run, and how many there are."""

    layout: ServingLayout
    work: ServingWork
    count: Count = 1

    @property
    def gpus(self) -> int:
        """Accelerators of all of them."""
        return self.layout.gpus * self.count


class Deployment(Spec):
    """What serves one model: replicas that do all the work, or some for prefill and others for decode."""

    model: str
    """Catalog id."""
    accelerator: str
    """Catalog id of the accelerators."""
    replicas: Replicas
    """Aggregated replicas; with `prefill`, those that decode."""
    prefill: Replicas | None = None

    @property
    def disaggregated(self) -> bool:
        """Whether prefill and decode run on different replicas."""
        return self.prefill is not None

    @property
    def gpus(self) -> int:
        """Accelerators of all replicas."""
        return self.replicas.gpus + (self.prefill.gpus if self.prefill is not None else 0)


class Objective(Spec):
    """Latency that a service promises, at a percentile of its requests."""

    ttft: Seconds | None = None
    """Time to the first token."""
    tpot: Seconds | None = None
    """Time per output token after the first."""
    percentile: float = Field(default=95.0, gt=0, lt=100)
