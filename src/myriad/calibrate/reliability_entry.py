"""A cluster's own reliability as a catalog entry: YAML, each figure with where it comes from."""

from __future__ import annotations

from typing import Any, Final

import yaml

from myriad.calibrate.written import rounded
from myriad.spec.reliability_fit import CauseFit, DurationFit, Interval, ReliabilityFit

LOG: Final = "log"
ASSUMPTION: Final = "assumption"
_NAMED: Final = 5


def reliability_entry(fit: ReliabilityFit, detection_s: float) -> str:
    """The text of an entry of the catalog folder `reliability`, fit for `pools.X.reliability` as it is.

    `detection_s` is assumed where the log has no detection times; `low` and `high` are 95 % intervals.
    """
    spec: dict[str, Any] = {
        "name": fit.name,
        "causes": {one.name: _cause(one, detection_s) for one in fit.causes},
    }
    if fit.lemons is not None:
        spec["lemons"] = {"share": fit.lemons.share.value, "times": fit.lemons.times}
    nodes = f"{fit.num_nodes:,} nodes of {fit.accelerators_per_node}, {fit.days:.4g} days, {fit.incidents:,} incidents"
    entry = {
        "schema": 1,
        "title": fit.name,
        "sources": {
            LOG: {"title": f"Own incident log {fit.log}: {nodes}", "note": "low and high are 95 % intervals"},
            ASSUMPTION: {"title": "Assumption where the log says nothing"},
        },
        "source": LOG,
        "kind": "fitted",
        "notes": list(fit.assumed),
        "spec": spec,
    }
    head = f"# Written by `myriad reliability fit` from {fit.log}.\n"
    return head + yaml.safe_dump(
        rounded(entry), sort_keys=False, default_flow_style=None, width=200, allow_unicode=True
    )


def _cause(one: CauseFit, detection_s: float) -> dict[str, Any]:
    """A machine that never leaves service is reached by nothing: the event stops the job alone."""
    leaves = (one.repaired is None and one.component not in ("software", "unknown")) or bool(one.repaired)
    found: dict[str, Any] = {
        "component": one.component,
        "effect": one.effect,
        "unit": "node",
        "rate": {"per_1000_unit_days": one.per_1000_node_days.value, **_range(one.per_1000_node_days)},
    }
    if one.shape_used != 1.0 and one.shape is not None:
        shape = one.shape
        said = f"95 % {shape.low:.3g} to {shape.high:.3g}; a constant rate is rejected (p {one.exponential_p:.2g})"
        found["shape"] = {"value": one.shape_used, "note": said}
    if one.burst > 1.0:
        found |= {"burst": one.burst, "burst_within": one.burst_within_s}
    found |= {"reach": "node", "repaired": 1.0 if one.repaired is None else one.repaired} if leaves else {
        "reach": "none", "repaired": 0.0
    }  # fmt: skip
    if one.repaired is None and leaves:
        found["repaired"] = {"value": 1.0, "source": ASSUMPTION, "kind": "assumed", "note": "the log has no downtime"}
    if one.effect == "slow":
        found["speed"] = one.speed
    found["detection"] = (
        _duration(one.detection)
        if one.detection is not None
        else {"mean": {"value": detection_s, "source": ASSUMPTION, "kind": "assumed", "note": "not in the log"}}
    )
    for key in ("diagnosis", "repair"):
        fitted = getattr(one, key)
        if fitted is not None and (key != "repair" or leaves):
            found[key] = _duration(fitted)
    named = ", ".join(one.names[:_NAMED]) + (", ..." if len(one.names) > _NAMED else "")
    found["note"] = f"{one.events:,} incident{'s' if one.events > 1 else ''}: {named}"
    return found


def _duration(fit: DurationFit) -> dict[str, Any]:
    found: dict[str, Any] = {"mean": fit.mean_s.value, "law": fit.law}
    if fit.law == "lognormal":
        found["variation"] = fit.variation
    return found | _range(fit.mean_s)


def _range(fit: Interval) -> dict[str, float]:
    """As wide as rounding needs: an interval must hold its value at four digits too."""
    low, value, high = (float(f"{end:.4g}") for end in (fit.low, fit.value, fit.high))
    return {"low": min(low, value), "high": max(high, value)}
