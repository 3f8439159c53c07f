"""Latency at a percentile of requests, from its mean and what makes requests differ.

Requests differ by how many came just before them (the queue for prefill) and by how often prefill meets their decoding.
Left out: lengths that differ, a batch that swings, the place in an iteration at which a request arrives. A simulation
has them all.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from myriad.estimate.serving.queue import MOST_BUSY

Array = npt.NDArray[np.float64]


def ttft_at_s(ttft_s: Array, wait_s: Array, wait_share: Array, percentile: float) -> Array:
    """Time to the first token at a percentile, in seconds.

        TTFT_q = TTFT - W + max(0, ln(share / (1 - q))) * W / share

    A share `wait_share` of the arrivals waits, W in the mean over all, and their waits are exponential: P(wait > t) =
    share * exp(-t share / W). This is exact for random service times and the limit under high load for any; with equal
    ones (M/D/1) and little load the tail is shorter.

    >>> one = np.array([1.0])
    >>> ttft_at_s(3 * one, one, 0.5 * one, 95.0).round(2).tolist()
    [6.61]
    """
    share = np.clip(wait_share, 1e-9, MOST_BUSY)
    waited: Array = np.maximum(np.log(share / (1.0 - percentile / 100.0)), 0.0) * wait_s / share
    return ttft_s - wait_s + waited


def tpot_at_s(tpot_s: Array, deviation_s: Array, percentile: float) -> Array:
    """Time per output token at a percentile of answers, in seconds: normal, since it is a mean over many iterations.

    Where prefill never meets decoding, no answer differs from the mean.

    >>> tpot_at_s(np.array([0.02]), np.array([0.001]), 95.0).round(4).tolist()
    [0.0216]
    """
    slower: Array = tpot_s + NormalDist().inv_cdf(percentile / 100.0) * deviation_s
    return slower
