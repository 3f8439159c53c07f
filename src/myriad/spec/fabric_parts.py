"""What fabrics are built from: switches."""

from __future__ import annotations

from myriad.spec.base import BytesPerS, Count, Seconds, Spec, Watts


class Switch(Spec):
    """A switch of a scale-out network, as bought."""

    name: str
    vendor: str
    technology: str
    """`infiniband` or `ethernet`."""
    ports: Count
    """At `port_bandwidth`, after the usual breakout of twin ports."""
    port_bandwidth: BytesPerS
    """Of one port, one way."""
    ports_per_cage: Count = 1
    """Ports that share one transceiver: 2 for an 800 Gb/s OSFP cage that carries two of 400 Gb/s."""
    latency_s: Seconds | None = None
    """From port to port, without load."""
    power_watts: Watts | None = None
    """With transceivers where the source counts them."""
    rack_units: Count | None = None
    reduces: bool = False
    """Whether it sums collectives on the way (SHARP)."""
    year: Count | None = None
