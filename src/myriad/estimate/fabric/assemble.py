"""A network put together from its classes of links."""

from __future__ import annotations

import numpy as np

from myriad.estimate.fabric.network import Array, IntArray, Network

Links = tuple[IntArray, IntArray, float]
"""Vertices of both ends, and the rate of each link in bytes/s, one way."""


def assemble(
    num_endpoints: int,
    nics_per_host: int,
    tiers: tuple[str, ...],
    switch_tier: IntArray,
    switch_group: IntArray,
    links: dict[str, Links],
) -> Network:
    """The network of one plane with these links by class; each link is turned to go from the smaller vertex up."""
    ends = [(np.minimum(one, other), np.maximum(one, other)) for one, other, _ in links.values()]
    rates: Array = np.concatenate([np.full(len(one), rate) for one, _, rate in links.values()])
    return Network(
        num_endpoints=num_endpoints,
        nics_per_host=nics_per_host,
        tiers=tiers,
        switch_tier=switch_tier,
        switch_group=switch_group,
        switch_plane=np.zeros(len(switch_tier), dtype=np.int64),
        link_classes=tuple(links),
        link_class=np.repeat(np.arange(len(links)), [len(one) for one, _, _ in links.values()]),
        lower=np.concatenate([lower for lower, _ in ends]),
        upper=np.concatenate([upper for _, upper in ends]),
        bytes_per_s=rates,
    )
