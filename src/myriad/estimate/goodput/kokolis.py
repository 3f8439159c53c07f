"""Expected effective training time as Kokolis et al. give it, to stand beside the renewal formula."""

from __future__ import annotations

import numpy as np

from myriad.estimate.operations import Array


def expected_ettr(
    failures_per_s: Array | float,
    interval_s: Array | float,
    restart_s: Array | float,
    queue_s: Array | float = 0.0,
    run_s: Array | float = np.inf,
) -> Array:
    """Effective training time ratio of a job that is requeued after failures, to first order.

        (1 - f (u + c / 2)) / (1 + (u + q) / R + f q)

    with f the failures per second of the whole job (nodes times their rate), u the restart overhead, c the checkpoint
    interval, q the expected wait in the queue before each start and R the productive time; writes do not block. At
    least 0, which its numerator leaves where f (u + c / 2) > 1. Source: Kokolis et al., "Revisiting Reliability in
    Large-Scale Machine Learning Research Clusters", arXiv 2410.21680, section 3.

    >>> round(float(expected_ettr(6.5e-3 * 512 / 86400, 3600.0, 300.0)), 3)
    0.919
    """
    numerator = 1.0 - failures_per_s * (restart_s + np.asarray(interval_s, dtype=float) / 2.0)
    starts = (np.asarray(restart_s) + queue_s) / run_s
    return np.asarray(np.maximum(numerator, 0.0) / (1.0 + starts + np.asarray(failures_per_s) * queue_s))
