"""Which router lays flows over a network."""

from __future__ import annotations

from myriad.estimate.fabric.network import Network
from myriad.sim.network.graph import Graph
from myriad.sim.network.paths import Router
from myriad.sim.network.routing_ecmp import EcmpRouter
from myriad.sim.network.routing_minimal import MinimalRouter
from myriad.sim.network.routing_spray import SprayRouter
from myriad.sim.network.routing_torus import TorusRouter
from myriad.spec.fabric import LINK_CLASSES, Routing


def router_of(network: Network, routing: Routing, flows_per_pair: int = 1, seed: int = 0) -> Router:
    """The router of a network, by how its traffic is spread.

    A torus with `ecmp` routes in dimension order. Slim Fly, Dragonfly and Dragonfly+ take shortest paths alone, by
    either; detours over a third place (Valiant, UGAL) are left out.
    """
    if routing == "ecmp" and network.link_classes == LINK_CLASSES["torus"]:
        return TorusRouter(network, flows_per_pair, seed)
    if routing == "ecmp":
        return EcmpRouter(network, flows_per_pair, seed)
    return SprayRouter(network) if Graph(network).is_tree else MinimalRouter(network)
