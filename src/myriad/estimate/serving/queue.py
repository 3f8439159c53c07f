"""Waiting for prefill, as in a queue with random arrivals and equal service (M/D/1)."""

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
