"""Which switch each card is joined to."""

from __future__ import annotations

import numpy as np

from myriad.estimate.fabric.network import Network
from myriad.sim.network.flows import IntArray


def leaves_of(network: Network) -> IntArray:
    """The switch at the first port of each endpoint, (E,); flows take it for its likes in all planes."""
    joins = np.flatnonzero(network.link_class == 0)[::-1]
    leaf = np.full(network.num_endpoints, -1)
    leaf[network.lower[joins]] = network.upper[joins]  # of several ports the first stays
    return leaf
