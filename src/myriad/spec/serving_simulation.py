"""What a simulation of serving gives: latencies with their uncertainty, throughput, what was used, a timeline."""

from __future__ import annotations

from myriad.spec.base import Fraction, Spec
from myriad.spec.fleet import Fleet
from myriad.spec.serving import Objective


class Estimate(Spec):
    """A figure of a random run, and the interval that would hold the true one in 95 of 100 runs."""

    value: float
    low: float | None = None
    """`None` where there are too few requests to say."""
    high: float | None = None


class Distribution(Spec):
    """A time over requests (or tokens), in seconds.

    Intervals come from 20 batches of consecutive requests: the spread of the batches' own percentiles over the root
    of 20, times Student's 2.093, around the percentile of all. They need 400 requests.
    """

    mean: Estimate
    p50: Estimate
    p90: Estimate
    p95: Estimate
    p99: Estimate
    percentiles: tuple[float, ...]
    """The 0th to the 100th, 101 in all: a curve to draw."""


class FleetTimeline(Spec):
    """Samples at even times, as columns of equal length."""

    at_s: tuple[float, ...]
    waiting: tuple[int, ...]
    """Requests that have arrived and not begun."""
    running: tuple[int, ...]
    """Requests that have begun and are not answered."""
    ready: tuple[tuple[int, ...], ...]
    """Replicas that take requests, a column per pool."""


class ServingSimulation(Spec):
    """Requests that met a fleet."""

    version: str = ""
    """Of Myriad; `api.simulate_serving` fills it in."""
    seed: int
    fleet: Fleet
    objective: Objective | None
    requests: int
    refused: int
    """Requests that are too long for the cache; they are in no latency, and count as missing the objective."""
    counted: int
    """Requests in the latencies: those answered, without the warm-up."""
    duration_s: float
    """From time 0 until the engines are done with the last answer."""
    mean_gpus: float
    """Accelerators that were on (or starting, or being repaired), over the duration."""
    ttft: Distribution
    """From arrival to the first token at the client: with the way to and from the engine, and tokens that are gathered
    before they are sent. Disaggregated: the engine has it when prefill ends."""
    tpot: Distribution | None
    """Mean time per output token after the first at the client, of each request that has more than one."""
    inter_token: Distribution | None
    """Times between tokens as the engine makes them, of all requests. Several that one iteration yields count once."""
    end_to_end: Distribution
    """From arrival to the last token at the client."""
    queueing: Distribution
    """From arrival to the first admission, without the way to the engine."""
    requests_per_s: float
    input_tokens_per_s_per_gpu: float
    output_tokens_per_s_per_gpu: float
    good_fraction: Estimate | None
    """Share of requests that meet each limit of the objective."""
    good_requests_per_s: float | None
    meets_objective: bool | None
    """Whether the objective's percentile of each latency is within its limit."""
    busy_fraction: Fraction
    """Share of the replicas' time with an iteration under way."""
    prefix_hit_fraction: Fraction
    """Prompt tokens found cached at the first admission, over all."""
    cache_used_fraction: Fraction
    """Mean share of the paged cache that requests hold, while iterations run."""
    cache_most_fraction: Fraction
    mean_decoding: float
    """Sequences that decode on a copy, over the time in which any does."""
    preemptions: int
    requeued: int
    """Requests that a failing replica lost to another, counted each time."""
    output_tokens: int
    events: int
    timeline: FleetTimeline
