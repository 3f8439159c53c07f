"""Draws what breaks in a cluster over its life."""

from __future__ import annotations

from myriad.sim.failures.incidents import EFFECTS, Breakable, Incidents

__all__ = ["EFFECTS", "Breakable", "Incidents"]
