"""Tori: endpoints that are their own switches, joined to two neighbours in every dimension."""

from __future__ import annotations

import math

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.assemble import assemble
from myriad.estimate.fabric.network import Network
from myriad.spec.fabric import Torus


def torus(topology: Torus, num_hosts: int, nics_per_host: int) -> Network:
    """The network of a torus, the last dimension running fastest; along a dimension of two both links join one pair.

    Raises InfeasibleError unless the endpoints fill it.
    """
    members = num_hosts * nics_per_host
    size = math.prod(topology.dimensions)
    if members != size:
        shape = " x ".join(map(str, topology.dimensions))
        raise InfeasibleError(f"a torus of {shape} has {size:,} places, not {members:,}")
    vertex = np.arange(members).reshape(topology.dimensions)
    along = [axis for axis, length in enumerate(topology.dimensions) if length > 1]
    nothing = np.zeros(0, dtype=np.int64)
    one = np.concatenate([nothing, *(vertex.ravel() for _ in along)])
    other = np.concatenate([nothing, *(np.roll(vertex, -1, axis).ravel() for axis in along)])
    links = {"neighbour": (one, other, topology.link_bandwidth)}
    return assemble(members, nics_per_host, (), nothing, nothing, links)
