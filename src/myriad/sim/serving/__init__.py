"""Serving simulated request by request: queues, batches, caches, replicas; times come from iteration tables."""

from __future__ import annotations

from myriad.sim.serving.arrivals import Arrivals
from myriad.sim.serving.records import Records, Way, records_text
from myriad.sim.serving.simulate import Simulated, simulate

__all__ = ["Arrivals", "Records", "Simulated", "Way", "records_text", "simulate"]
