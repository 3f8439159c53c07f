"""The serving engine: what one release of vLLM, SGLang or TensorRT-LLM fuses, overlaps and loses."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from myriad.errors import SpecError
from myriad.spec.base import Bytes, Count, Seconds, Spec
from myriad.spec.calibration import Share
from myriad.spec.serving import Dispatch
from myriad.spec.serving_kernels import ServingPrecision

Mixing = Literal["mixed", "prefill-first"]
"""What one iteration holds: prefill beside decode, or either of them, prefill as soon as there is any."""


CacheOf = Literal["memory", "rest"]
"""What the memory share of an engine counts: all of the memory, with weights and work space in it, or what these
leave."""


Admission = Literal["whole", "grown"]
"""What a request must find free before it runs: room for its whole answer, or for its prompt, after which it grows."""


class ServingEngine(Spec):
    """One serving engine. Fitted figures belong to the engine, none to a model or a measured run."""

    name: str
    mixing: Mixing
    dispatch: Dispatch = "gather"
    max_batched_tokens: Count
    """Tokens of one iteration at most, unless told otherwise."""
    max_sequences: Count
    """Sequences that run at once at most, unless told otherwise."""
    splits_prompts: bool = True
    """Prompts longer than an iteration has room for are prefilled in chunks; else an iteration takes whole prompts."""
    block_tokens: Count = 16
    """Tokens of one block of the paged cache."""
    gemm_share: Share = 1.0
    """Rate of its dense products over those of the accelerator."""
    expert_share: Share = 1.0
    """Rate of its routed experts, routing and permutation with them, over those of the accelerator."""
    attention_share: Share = 1.0
    """Rate of its prefill attention over the accelerator's."""
    decode_share: Share = 1.0
    """Rate of its decode attention over the accelerator's."""
    decode_on: dict[str, Share] = Field(default={})
    """The same on the chips of one kernels entry, beside it: engines have kernels of their own for some."""
    quantise_s: dict[str, dict[ServingPrecision, Seconds]] = Field(default={})
    """Fixed time of quantising the input of one product, by kernels entry and precision; one launch where not given."""
    stream_passes: Share = 1.0
    """Time of element-wise work over that of the usual fused kernels."""
    exchange_share: Share = 1.0
    """Rate of its collectives over those of the links."""
    iteration_s: Seconds
    """Time of one iteration beside its kernels: scheduling, preparing inputs, sampling, what the host does not hide."""
    sequence_s: Seconds
    """The same per sequence that is in the iteration."""
    prefill_s: Seconds
    """More of it in iterations that hold prefill, which run without CUDA graphs."""
    prefill_layer_s: Seconds = 0.0
    """The same per layer of the model."""
    request_s: Seconds
    """Time from a request's arrival to the queue and from its first token to the client."""
    request_token_s: Seconds = 0.0
    """The same per prompt token: tokenising, hashing, copying."""
    admission: Admission = "grown"
    cache_of: CacheOf = "memory"
    reserved_bytes: Bytes
    """Memory that context, graphs and collectives take."""
    releases: dict[str, dict[str, Seconds]] = Field(default={})
    """Times that a release changed, for it and all later ones until the next; the figures above are the oldest. A
    run that names no release has the newest."""

    def at_release(self, release: str) -> ServingEngine:
        """The engine as of one release: with what the newest of `releases` changed that is not newer than it.

        Raises SpecError for a name that does not begin with a version number, `0.18.0` for example.
        """
        if not release:
            newest = max(self.releases, key=_version, default=None)
            return self if newest is None else self.model_copy(update=self.releases[newest])
        wanted = _version(release)
        older = [name for name in self.releases if _version(name) <= wanted]
        return self.model_copy(update=self.releases[max(older, key=_version)]) if older else self


def _version(release: str) -> tuple[int, ...]:
    """The numbers that a release begins with.

    >>> _version("1.2.0rc6.post2"), _version("v0.5") < _version("0.10")
    ((1, 2, 0), True)
    """
    found = re.match(r"v?(\d+(?:\.\d+)*)", release)
    if found is None:
        raise SpecError(f"release {release!r}: expected a version number such as 0.18.0")
    return tuple(int(number) for number in found[1].split("."))
