"""Fabrics drawn for clusters."""

from __future__ import annotations

from myriad import catalog
from myriad.api.fabric import fabric_of, network_of
from myriad.estimate.fabric.drawing import draw
from myriad.spec.fabric_drawing import FabricDrawing


def draw_fabric(name: str, cluster: str) -> FabricDrawing:
    """The picture of a fabric of the catalog, or of a file, for the cluster `NAME:COUNT`, as it is when whole.

    Raises SpecError for wrong names, InfeasibleError where the fabric cannot join so many.
    """
    node, number = catalog.counted_node(cluster)
    fabric = fabric_of(name)
    return draw(network_of(fabric, node, number), fabric.topology)
