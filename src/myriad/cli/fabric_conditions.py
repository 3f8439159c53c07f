"""Options that say how traffic meets a fabric, and how their text becomes values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from myriad.cli.options import read_flag, read_flags
from myriad.errors import SpecError

if TYPE_CHECKING:
    from myriad.spec.fabric import LinkFault, SwitchFault
    from myriad.spec.traffic import Conditions

PlacementOption = Annotated[
    str | None,
    typer.Option("--placement", metavar="NAME", help="How ranks fill hosts: packed (default), spread, random, near."),
]
FreeOption = Annotated[
    str | None, typer.Option("--free", metavar="SHARE", help="Share of the hosts that are free, drawn by --seed: 80%.")
]
RoutingOption = Annotated[
    str | None, typer.Option("--routing", metavar="ecmp|spray", help="How flows spread (default: the fabric's).")
]
FlowsPerPair = Annotated[
    str | None,
    typer.Option("--flows-per-pair", metavar="COUNT", help="Flows per message, each with its own hash, for ECMP."),
]
LinksDown = Annotated[
    str | None,
    typer.Option(
        "--links-down", metavar="[CLASS:]SHARE,...", help="Links that are down: 1% (of those between switches)."
    ),
]
SlowLinks = Annotated[
    str | None,
    typer.Option(
        "--slow", metavar="[CLASS:]SHARE:LEFT,...", help="Links with less left, or up for part of the time: 5%:0.5."
    ),
]
SwitchesDown = Annotated[
    str | None, typer.Option("--switches-down", metavar="TIER:COUNT,...", help="Switches that are down: spine:1.")
]
EfficiencyOption = Annotated[
    str | None,
    typer.Option("--efficiency", metavar="SHARE", help="Of the line rate that messages reach (default: the node's)."),
]
SeedOption = Annotated[str, typer.Option("--seed", metavar="COUNT", help="Of damage, hashes and random hosts.")]


def conditions_of(
    placement: str | None,
    free: str | None,
    routing: str | None,
    flows_per_pair: str | None,
    links_down: str | None,
    slow: str | None,
    switches_down: str | None,
    efficiency: str | None,
    seed: str,
) -> Conditions:
    """What the options describe. Raises SpecError that names the option at fault."""
    from myriad.spec.base import CountOrZero
    from myriad.spec.fabric import Damage
    from myriad.spec.traffic import Conditions

    number = read_flag("--seed", seed, CountOrZero)
    links = [_link_fault("--links-down", one, 1) for one in _listed("--links-down", links_down)]
    links += [_link_fault("--slow", one, 2) for one in _listed("--slow", slow)]
    switches = [_switch_fault(one) for one in _listed("--switches-down", switches_down)]
    given = {
        "placement": placement, "free": free, "routing": routing, "flows_per_pair": flows_per_pair,
        "efficiency": efficiency,
    }  # fmt: skip
    values: dict[str, Any] = {name: text for name, text in given.items() if text is not None}
    damage = Damage(links=tuple(links), switches=tuple(switches), seed=number)
    return read_flags(Conditions, {**values, "damage": damage, "seed": number})


def _listed(flag: str, text: str | None) -> list[str]:
    if text is None:
        return []
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise SpecError(f"{flag}: expected values separated by commas, found {text!r}")
    return parts


def _link_fault(flag: str, text: str, figures: int) -> LinkFault:
    """A fault of `figures` figures (share, and bandwidth left), maybe after the class of links."""
    from myriad.spec.base import Fraction
    from myriad.spec.fabric import LinkFault

    parts = text.split(":")
    if len(parts) not in (figures, figures + 1):
        expected = "[CLASS:]SHARE" if figures == 1 else "[CLASS:]SHARE:LEFT"
        raise SpecError(f"{flag}: expected {expected}, found {text!r}")
    tier = parts.pop(0) if len(parts) > figures else ""
    share, *left = (read_flag(flag, part, Fraction) for part in parts)
    if not share:
        raise SpecError(f"{flag}: expected a share above 0, found {text!r}")
    return LinkFault(share=share, bandwidth_left=left[0] if left else 0.0, tier=tier)


def _switch_fault(text: str) -> SwitchFault:
    from myriad.spec.base import Count
    from myriad.spec.fabric import SwitchFault

    tier, _, number = text.partition(":")
    return SwitchFault(tier=tier, number=read_flag("--switches-down", number or "1", Count))
