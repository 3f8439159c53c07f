"""Two hosts without a switch between them."""

from __future__ import annotations

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.assemble import assemble
from myriad.estimate.fabric.network import Network


def direct(num_hosts: int, nics_per_host: int, nic_bytes_per_s: float) -> Network:
    """Card i of one host cabled to card i of the other. Raises InfeasibleError for other than two hosts."""
    if num_hosts != 2:
        raise InfeasibleError(f"cards of two hosts can be cabled to each other, not those of {num_hosts:,}")
    card = np.arange(nics_per_host)
    nothing = np.zeros(0, dtype=np.int64)
    links = {"host-host": (card, nics_per_host + card, nic_bytes_per_s)}
    return assemble(2 * nics_per_host, nics_per_host, (), nothing, nothing, links)
