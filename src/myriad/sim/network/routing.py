"""Which router lays flows over a network."""

from __future__ import annotations

from myriad.estimate.fabric.network import Network
from myriad.sim.network.paths import Router
from myriad.sim.network.routing_ecmp import EcmpRouter
from myriad.sim.network.routing_minimal import MinimalRouter
from myriad.sim.network.routing_spray import SprayRouter
from myriad.spec.fabric import LINK_CLASSES, Routing


def router_of(network: Network, routing: Routing, flows_per_pair: int = 1, seed: int = 0) -> Router:
    """The router of a network, by how its traffic is spread."""
    if routing == "ecmp":
        return EcmpRouter(network, flows_per_pair, seed)
    if network.link_classes == LINK_CLASSES["fat-tree"][: len(network.link_classes)]:
        return SprayRouter(network)
    return MinimalRouter(network)
