"""A network as arrays: endpoints, switches, and the links between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Network:
    """Vertices 0 to E-1 are endpoints (network cards, host by host), E to E+S-1 are switches.

    A link i carries `bytes_per_s[i]` each way at once; as directed links 2 i goes up (from `lower` to `upper`) and
    2 i + 1 down. Parallel links are links of their own. Links between switches of one tier go from the smaller vertex
    to the larger.
    """

    num_endpoints: int
    nics_per_host: int
    tiers: tuple[str, ...]
    """Names of the tiers of switches, nearest to endpoints first."""
    switch_tier: IntArray
    """(S,) index into `tiers`."""
    switch_group: IntArray
    """(S,) pod or group; -1 where a switch belongs to all."""
    switch_plane: IntArray
    """(S,) which of the networks beside each other."""
    link_classes: tuple[str, ...]
    """Names of the classes of links; class 0 joins endpoints."""
    link_class: IntArray
    """(L,) index into `link_classes`."""
    lower: IntArray
    upper: IntArray
    bytes_per_s: Array
    """(L,) one way."""

    @property
    def num_switches(self) -> int:
        return len(self.switch_tier)

    @property
    def num_links(self) -> int:
        return len(self.lower)

    @property
    def num_vertices(self) -> int:
        return self.num_endpoints + self.num_switches

    @property
    def num_hosts(self) -> int:
        return -(-self.num_endpoints // self.nics_per_host)

    def switches(self, tier: str) -> IntArray:
        """Vertices of all switches of a tier."""
        return self.num_endpoints + np.flatnonzero(self.switch_tier == self.tiers.index(tier))

    def links(self, link_class: str) -> IntArray:
        """Indices of all links of a class."""
        return np.flatnonzero(self.link_class == self.link_classes.index(link_class))
