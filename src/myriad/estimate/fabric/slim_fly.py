"""Slim Fly: the largest known networks of diameter two.

Switches (0, x, y) and (1, m, c) over a field of q = 4 w + d elements, d -1, 0 or 1: (0, x, y) joins (0, x, y') where
y - y' is in a set X, (1, m, c) joins (1, m, c') where c - c' is in a set X', and (0, x, y) joins (1, m, c) where
y = m x + c. McKay, Miller and Siran, J. Combin. Theory B 74 (1998); Besta and Hoefler, SC 2014. Column j of both halves
is a group (a rack): it is fully joined by 2 q links to any other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.assemble import assemble
from myriad.estimate.fabric.galois import Field, field, prime_power
from myriad.estimate.fabric.network import IntArray, Network
from myriad.estimate.fabric.ports import check_ports, endpoints_per_port, spread
from myriad.spec.fabric import SlimFly
from myriad.spec.fabric_parts import Switch


def slim_fly(
    topology: SlimFly, num_hosts: int, nics_per_host: int, nic_bytes_per_s: float, switches: Mapping[str, Switch]
) -> Network:
    """The network of a Slim Fly; endpoints are spread evenly over all its switches.

    Raises InfeasibleError where it cannot reach so many, or where no graph of that order exists.
    """
    switch = switches[topology.switch]
    members = num_hosts * nics_per_host
    q = topology.q or _least_order(topology, members, nic_bytes_per_s, switch)
    check_ports(switch, endpoints_per_switch(topology, q), links_per_switch(q), nic_bytes_per_s)
    if not exists(q):
        near = sorted((other for other in range(3, 2 * q + 3) if exists(other)), key=lambda other: abs(other - q))[:2]
        known = " and ".join(str(other) for other in sorted(near))
        raise InfeasibleError(
            f"no Slim Fly of order {q}: q must be a power of a prime with rest -1, 0 or 1 by 4; nearest: {known}"
        )
    most = 2 * q**2 * endpoints_per_switch(topology, q)
    if members > most:
        raise InfeasibleError(f"a Slim Fly of order {q} reaches at most {most:,} endpoints, not {members:,}")
    endpoint = np.arange(members)
    one, other = _edges(q)
    return assemble(
        members,
        nics_per_host,
        ("switch",),
        np.zeros(2 * q**2, dtype=np.int64),
        np.arange(2 * q**2) // (2 * q),
        {
            "host-switch": (endpoint, members + spread(members, 2 * q**2), nic_bytes_per_s),
            "switch-switch": (members + one, members + other, switch.port_bandwidth),
        },
    )


def exists(q: int) -> bool:
    """Whether a graph of this order is known."""
    return q > 2 and q % 4 != 2 and prime_power(q) is not None


def links_per_switch(q: int) -> int:
    """Links of a switch to others, (3 q - d)/2; of the next even order where the formula gives no whole number.

    >>> links_per_switch(5), links_per_switch(28), links_per_switch(27)
    (7, 42, 41)
    """
    d = (q + 1) % 4 - 1
    return (3 * q - d) // 2


def endpoints_per_switch(topology: SlimFly, q: int) -> int:
    """Endpoints of a switch at most."""
    return topology.endpoints_per_switch or -(-links_per_switch(q) // 2)


def orders(topology: SlimFly, nic_bytes_per_s: float, switch: Switch) -> list[int]:
    """Orders of graphs that exist and that the switch has ports for, ascending."""
    per_port = endpoints_per_port(switch, nic_bytes_per_s)
    taken = {q: -(-endpoints_per_switch(topology, q) // per_port) + links_per_switch(q) for q in range(3, switch.ports)}
    return [q for q, ports in taken.items() if exists(q) and ports <= switch.ports]


def _least_order(topology: SlimFly, members: int, nic_bytes_per_s: float, switch: Switch) -> int:
    known = orders(topology, nic_bytes_per_s, switch)
    found = next((q for q in known if 2 * q**2 * endpoints_per_switch(topology, q) >= members), None)
    if found is None:
        most = max((2 * q**2 * endpoints_per_switch(topology, q) for q in known), default=0)
        raise InfeasibleError(f"a Slim Fly of {switch.name} reaches at most {most:,} endpoints, not {members:,}")
    return found


def _generators(q: int, of: Field) -> tuple[IntArray, IntArray]:
    """The sets X and X', each given by exponents of a primitive element."""
    if q % 4 == 3:
        w = (q + 1) // 4
        one = [*range(0, 2 * w - 1, 2), *range(2 * w - 1, 4 * w - 2, 2)]
        other = [*range(1, 2 * w, 2), *range(2 * w, 4 * w - 1, 2)]
    else:
        one, other = list(range(0, q - 1, 2)), list(range(1, q, 2))
    return of.powers[one], of.powers[np.array(other) % (q - 1)]


def _edges(q: int) -> tuple[IntArray, IntArray]:
    """Both ends of each link; switch (half, column, row) has the number (2 column + half) q + row."""
    of = field(q)
    row = np.arange(q)
    ends: list[tuple[IntArray, IntArray]] = []
    for half, generators in enumerate(_generators(q, of)):
        one, step = np.meshgrid(row, generators, indexing="ij")
        other = of.add[one, step]
        one, other = one[one < other], other[one < other]
        column = (2 * row + half)[:, None] * q
        ends.append(((column + one).ravel(), (column + other).ravel()))
    x, m, c = (axis.ravel() for axis in np.meshgrid(row, row, row, indexing="ij"))
    y = of.add[of.multiply[m, x], c]
    ends.append((2 * x * q + y, (2 * m + 1) * q + c))
    return np.concatenate([one for one, _ in ends]), np.concatenate([other for _, other in ends])
