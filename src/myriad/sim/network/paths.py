"""What routing gives: rows of flows over resources, and the links that a resource stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn, Protocol

import numpy as np
import numpy.typing as npt

from myriad.errors import InfeasibleError, SpecError
from myriad.estimate.fabric.network import Array, IntArray, Network
from myriad.sim.network.flows import Flows
from myriad.sim.network.maxmin import Index
from myriad.spec.fabric import LINK_CLASSES


@dataclass(frozen=True)
class Paths:
    """Flows laid over resources: directed links, or bundles of links that carry a flow together.

    A row is as many equal flows as its `members`, each of `bytes_`. A row without resources does not enter the network
    and takes no time there.
    """

    members: Array
    bytes_: Array
    indptr: IntArray
    resource: Index
    """Index into `codes`."""
    weight: Array | None
    codes: IntArray
    """(R,) ascending numbers of the resources, the same for all traffic of one router."""
    capacity: Array
    """(R,) in bytes/s."""


class Router(Protocol):
    """Lays flows over a network. One of each kind and network, so that all traffic shares its resources."""

    network: Network

    def paths(self, flows: Flows) -> Paths:
        """Rows and resources. Raises SpecError or InfeasibleError where no path exists."""
        ...

    def link_bytes(self, codes: IntArray, bytes_: Array) -> Array:
        """(2 L,) bytes on each directed link, from those over each resource."""
        ...


def compressed(resource: IntArray, space: int) -> tuple[Index, IntArray]:
    """The resources of entries, numbered by those that occur, and their codes; all below `space`."""
    if 16 * len(resource) < space:
        codes, number = np.unique(resource, return_inverse=True)
        return number.astype(np.int32), codes
    used = np.zeros(space, bool)
    used[resource] = True
    place = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return place[resource], np.flatnonzero(used)


def demand_ends(network: Network, flows: Flows) -> None:
    """Raises SpecError where a flow begins or ends at a switch that no endpoint is joined to, or at no vertex."""
    ends = np.concatenate([flows.source, flows.target])
    allowed = np.zeros(network.num_vertices, bool)
    allowed[: network.num_endpoints] = True
    allowed[network.upper[network.lower < network.num_endpoints]] = True
    wrong = (ends < 0) | (ends >= len(allowed))
    wrong[~wrong] = ~allowed[ends[~wrong]]
    if wrong.any():
        raise SpecError(f"flows: vertex {ends[np.argmax(wrong)]} is neither an endpoint nor a switch that joins some")


def outside(network: Network, source: IntArray, target: IntArray) -> npt.NDArray[np.bool_]:
    """Flows that do not enter the network: from a vertex to itself, and between cards of one host.

    Between those a host has links of its own; in a torus the links between neighbours are these.
    """
    if network.link_classes == LINK_CLASSES["torus"]:
        return np.asarray(source == target)
    host = np.where(source < network.num_endpoints, source // network.nics_per_host, -1 - source)
    other = np.where(target < network.num_endpoints, target // network.nics_per_host, -1 - target)
    return np.asarray(host == other)


def no_path(network: Network, source: int, target: int) -> NoReturn:
    """Raises the error that says why no path leads from one vertex to another."""

    def name(vertex: int) -> str:
        if vertex >= network.num_endpoints:
            return f"switch {vertex - network.num_endpoints}"
        host, card = divmod(vertex, network.nics_per_host)
        return f"card {card} of host {host}"

    def copies(vertex: int) -> set[int]:
        if vertex >= network.num_endpoints:
            return {int(network.switch_plane[vertex - network.num_endpoints])}
        above = network.upper[network.lower == vertex] - network.num_endpoints
        return set(network.switch_plane[above[above >= 0]].tolist())

    ends = f"from {name(source)} to {name(target)}"
    if network.tiers and not copies(source) & copies(target):
        raise SpecError(f"flows: no path {ends}: these rails are networks apart; go over the host's own links first")
    if (network.bytes_per_s > 0).all():
        raise SpecError(f"flows: no link leads {ends}")
    raise InfeasibleError(f"damage leaves no path {ends}, which the traffic needs")
