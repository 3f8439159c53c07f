"""What ports of switches carry, and how endpoints and links between groups are dealt out over them."""

from __future__ import annotations

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.network import IntArray
from myriad.spec.fabric_parts import Switch


def endpoints_per_port(switch: Switch, port_bytes_per_s: float) -> int:
    """Ports of network cards that one port of a switch serves, broken out. Raises InfeasibleError for none."""
    number = int(switch.port_bandwidth / port_bytes_per_s + 1e-9)
    if number < 1:
        raise InfeasibleError(
            f"a port of {switch.name} carries {switch.port_bandwidth * 8e-9:g} Gb/s, that of a network card "
            f"{port_bytes_per_s * 8e-9:g} Gb/s; part it over more planes"
        )
    return number


def check_ports(switch: Switch, endpoints: int, links: int, port_bytes_per_s: float) -> None:
    """Raises InfeasibleError unless a switch has ports for so many endpoints and links to other switches."""
    needed = -(-endpoints // endpoints_per_port(switch, port_bytes_per_s)) + links
    if needed > switch.ports:
        raise InfeasibleError(
            f"{switch.name} has {switch.ports} ports; {endpoints} endpoints and {links} links to switches take {needed}"
        )


def spread(num_endpoints: int, num_switches: int) -> IntArray:
    """The switch of each endpoint: neighbours together, no switch with more than one above any other."""
    return np.arange(num_endpoints) * num_switches // num_endpoints


def deal_between_groups(groups: int, ports: int) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Links between groups that use all global ports of each: group and port of one end, of the other.

    Dealt round robin, so that the numbers of links of any two pairs of groups differ by one at most. A full round
    joins every group to all others; what is left joins the next few on either side, all groups alike. Where both
    the number of groups and that of ports left are odd, one port of one group stays free. There are at least as many
    ports as other groups.
    """
    if groups == 1:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing, nothing
    rounds, left = divmod(ports, groups - 1)
    parts = [_offsets(groups, range(1, groups), turn * (groups - 1)) for turn in range(rounds)]
    near = [offset for step in range(1, left // 2 + 1) for offset in (step, groups - step)]
    if left % 2 and groups % 2 == 0:
        near.append(groups // 2)
    parts.append(_offsets(groups, near, rounds * (groups - 1)))
    if left % 2 and groups % 2:
        chain = np.arange(groups - 1) * (groups // 2) % groups
        last = np.full(groups // 2, ports - 1)
        parts.append((chain[0::2], last, chain[1::2], last))
    one, one_port, other, other_port = (np.concatenate(column) for column in zip(*parts, strict=True))
    return one, one_port, other, other_port


def _offsets(groups: int, offsets: range | list[int], first_port: int) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Links of every group to those so far on, port by port; an offset and its opposite are two ends of one link."""
    ports = {offset: first_port + i for i, offset in enumerate(offsets)}
    found: list[tuple[IntArray, IntArray, IntArray, IntArray]] = []
    for offset, port in ports.items():
        if 2 * offset > groups:
            continue
        group = np.arange(groups // 2 if 2 * offset == groups else groups)
        back = ports[groups - offset]
        found.append((group, np.full(len(group), port), (group + offset) % groups, np.full(len(group), back)))
    if not found:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing, nothing
    one, one_port, other, other_port = (np.concatenate(column) for column in zip(*found, strict=True))
    return one, one_port, other, other_port
