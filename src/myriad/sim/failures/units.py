"""What a cause counts, laid out over the nodes: accelerators and links in nodes, switches in leaves, racks, domains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from myriad.sim.failures.incidents import Breakable, FloatArray, IntArray
from myriad.spec.reliability import FailureCause, Reach, Unit

_IN_NODES = ("accelerator", "node", "link")


@dataclass(frozen=True)
class Groups:
    """Equal units that sit together: all arrays have one value per group."""

    first_node: IntArray
    nodes: IntArray
    """That share the group's units."""
    units: FloatArray
    times: FloatArray
    """How many times the stated rate the group has."""
    joined_s: FloatArray
    age_s: FloatArray


def groups_of(breakable: Breakable, cause: FailureCause, lemon: FloatArray) -> Groups:
    """The units of a cause. `lemon` is how many times the mean rate each node has, see `lemon_times`.

    Units of several nodes enter service with the first of them, and have its age. Lemons are machines: software does
    not fail more on them.
    """
    size = span(breakable, cause.unit)
    first = np.arange(0, breakable.num_nodes, size)
    nodes = np.minimum(size, breakable.num_nodes - first)
    inside = cause.unit in _IN_NODES
    if cause.unit == "switch":
        units = breakable.switches / breakable.num_nodes * nodes
    else:
        each = {"accelerator": breakable.accelerators_per_node, "link": breakable.links_per_node}.get(cause.unit, 1)
        units = np.full(len(first), float(each))
    return Groups(
        first_node=first,
        nodes=nodes,
        units=units,
        times=lemon if inside and cause.component != "software" else np.ones(len(first)),
        joined_s=breakable.joined_s[first],
        age_s=breakable.age_s[first],
    )


def span(breakable: Breakable, of: Unit | Reach) -> int:
    """Nodes that share a unit, or that one event reaches; domains are runs of so many nodes from node 0 on."""
    spans = {
        "leaf": breakable.nodes_per_leaf,
        "switch": breakable.nodes_per_leaf,
        "rack": breakable.nodes_per_rack,
        "power-domain": breakable.nodes_per_power_domain,
        "pool": breakable.num_nodes,
    }
    return spans.get(of, 1)


def lemon_times(breakable: Breakable, generator: np.random.Generator) -> FloatArray:
    """How many times the mean rate each node fails. Their mean is 1, but for a part of one lemon.

    Lemons lie evenly from a random place on, so that their number is the share of the nodes, and nodes that are added
    at the end change none of the others.
    """
    share, times = breakable.lemon_share, breakable.lemon_times
    usual = 1.0 / (1.0 - share + share * times)
    passed = np.floor(share * np.arange(breakable.num_nodes + 1) + generator.random())
    result: FloatArray = np.where(np.diff(passed) > 0.0, times * usual, usual)
    return result
