"""Ranks on a small fat tree, for tests of traffic."""

from __future__ import annotations

import numpy as np

from myriad.estimate.fabric.fat_tree import fat_tree
from myriad.estimate.fabric.network import Network
from myriad.sim.network.flows import Array, Phase
from myriad.sim.network.ranks import Ranks, cards_and_domains
from myriad.spec.fabric import FatTree
from myriad.spec.fabric_parts import Switch

RATE = 50e9
SWITCH = Switch(name="16 x 400G", vendor="any", technology="infiniband", ports=16, port_bandwidth=RATE)


def small_tree(hosts: int, cards: int, **given: object) -> Network:
    """Hosts of some cards on switches of 16 ports."""
    topology = FatTree.model_validate({"switch": "any", **given})
    return fat_tree(topology, hosts, cards, RATE, {"any": SWITCH})


def ranks_on(hosts: int, cards: int, order: list[int] | None = None, near: float = 9 * RATE) -> Ranks:
    """One rank per card, hosts filled in this order."""
    own, domain = cards_and_domains(np.array(order if order is not None else range(hosts)), cards, cards)
    return Ranks(own, domain, cards, RATE, near)


def volumes(phases: tuple[Phase, ...], endpoints: int) -> tuple[Array, Array]:
    """Bytes that each card sends and receives over all repeats."""
    sent, received = np.zeros(endpoints), np.zeros(endpoints)
    for one in phases:
        flows, total = one.flows, one.flows.bytes_ * one.flows.members * one.repeats
        for ends, sums in ((flows.source, sent), (flows.target, received)):
            at = ends < endpoints
            np.add.at(sums, ends[at], total[at])
    return sent, received


def is_partial_permutation(phase: Phase) -> bool:
    """Whether no card sends twice or receives twice."""
    return all(len(np.unique(ends)) == len(ends) for ends in (phase.flows.source, phase.flows.target))
