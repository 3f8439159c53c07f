"""Draws what breaks in a cluster over its life."""

from __future__ import annotations

from myriad.sim.failures.draw import draw_incidents
from myriad.sim.failures.expected import expected_incidents
from myriad.sim.failures.incidents import EFFECTS, Breakable, Incidents

__all__ = ["EFFECTS", "Breakable", "Incidents", "draw_incidents", "expected_incidents"]
