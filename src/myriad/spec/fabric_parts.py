"""What fabrics are built from: switches, transceivers, cables."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from myriad.spec.base import BytesPerS, Count, Metres, Seconds, Spec, Watts

PartKind = Literal["transceiver", "cable", "fibre"]


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


class LinkPart(Spec):
    """What a link is bought as: a cable with ends of its own, or two transceivers and a fibre between them."""

    name: str
    vendor: str = ""
    part: PartKind
    medium: str
    """What links are chosen by: `copper` or `AOC` of a cable; `SR`, `DR`, `FR` or `LPO` of transceivers."""
    carries: tuple[str, ...] = ()
    """Media of the transceivers that a fibre joins."""
    bandwidth: BytesPerS | None = None
    """Of all ports that share the transceiver, or of the cable, one way; `None` for fibre, which carries any."""
    reach: Metres
    """Longest link."""
    connector: str = ""
    power_watts: Watts | None = None
    """Of one transceiver, or of both ends of a cable."""

    @model_validator(mode="after")
    def _has_a_speed(self) -> LinkPart:
        if (self.part == "fibre") != (self.bandwidth is None):
            raise ValueError("bandwidth belongs to transceivers and cables, and only there")
        if (self.part == "fibre") != bool(self.carries):
            raise ValueError("carries belongs to fibre, and only there")
        return self
