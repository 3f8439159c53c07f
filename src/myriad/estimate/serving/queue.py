"""Waiting for prefill, as in a queue with random arrivals and equal service (M/D/1): its mean and its tail."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MOST_BUSY = 0.95
"""Load at which waits are counted where more comes: beyond it, others than the queue limit what comes."""


def wait_s(service_s: Array, busy: Array) -> Array:
    """Mean wait in seconds before a service of `service_s` that is busy for a share `busy` of the time.

    W = service * busy / (2 (1 - busy)), Pollaczek-Khinchine without variance of the service.
    """
    share = np.minimum(busy, MOST_BUSY)
    waited: Array = service_s * 0.5 * share / (1.0 - share)
    return waited


def wait_beyond_mean_s(mean_wait_s: Array, busy: Array, percentile: float) -> Array:
    """How much longer than the mean the wait at a percentile is, in seconds; negative where fewer wait at all.

    A share `busy` of the arrivals waits, and their waits are exponential, so that P(wait > t) = busy *
    exp(-t busy / W): exact for random service times, and the limit under high load for any. The waits of an M/D/1
    queue under little load have a shorter tail.

    >>> one = np.array([1.0])
    >>> wait_beyond_mean_s(one, 0.5 * one, 95.0).round(2).tolist()
    [3.61]
    """
    share = np.clip(busy, 1e-9, MOST_BUSY)
    beyond = np.maximum(np.log(share / (1.0 - percentile / 100.0)), 0.0) * mean_wait_s / share
    longer: Array = beyond - mean_wait_s
    return longer
