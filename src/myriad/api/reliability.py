"""How a cluster breaks: one's own, from its logs, and those that are described."""

from __future__ import annotations

from pathlib import Path

from myriad import catalog
from myriad.api.failures import breakable_of, reliability_of
from myriad.api.interruptions import interruptions_of
from myriad.calibrate.incident_log import read_incidents
from myriad.calibrate.reliability import JOB_SIZES, LoggedCluster
from myriad.calibrate.reliability import fit_reliability as fit_log
from myriad.calibrate.reliability_entry import reliability_entry
from myriad.calibrate.step_log import read_steps
from myriad.spec.reliability import FailureCause
from myriad.spec.reliability_fit import ReliabilityFit
from myriad.spec.reliability_shown import ShownCause, ShownReliability
from myriad.units import THOUSAND_DAYS_S

USUAL_DETECTION_S = 600.0
"""The default timeout of NCCL's watchdog: what finds a failure where nothing else does."""


def fit_reliability(
    incidents: Path,
    nodes: int,
    accelerators_per_node: int = 8,
    *,
    days: float | None = None,
    start: str | None = None,
    age_s: float = 0.0,
    steps: Path | None = None,
    name: str = "own cluster",
) -> ReliabilityFit:
    """Rates by cause with 95 % intervals, Weibull shapes, bursts, repairs and lemons from a CSV log of incidents.

    The log covers so many nodes for `days` from `start` (a date or seconds, as in the log). `age_s` is how old the
    nodes were then. `steps` names the step log of a run: its restarts, lost steps, checkpoints and ETTR. Raises
    SpecError with file and line for a log that is wrong.
    """
    log = read_incidents(incidents, nodes, days, start)
    cluster = LoggedCluster(name, incidents.name, nodes, accelerators_per_node, age_s)
    return fit_log(log, cluster, None if steps is None else read_steps(steps))


def reliability_entry_text(fit: ReliabilityFit, detection_s: float = USUAL_DETECTION_S) -> str:
    """The fit as YAML of a catalog entry; `detection_s` is assumed where the log has no detection times."""
    return reliability_entry(fit, detection_s)


def show_reliability(name: str, cluster: str) -> ShownReliability:
    """How the catalog entry or file `name` makes the cluster `NAME:COUNT` break, over its first year.

    Raises SpecError with the nearest names, or with file and line.
    """
    profile = reliability_of(name)
    node, number = catalog.counted_node(cluster)
    nodes = number // node.num_accelerators
    met = interruptions_of(breakable_of(profile, node, nodes), nodes)
    causes = [_shown(profile.causes[one.name], one.name, one.stops_per_s / nodes * THOUSAND_DAYS_S) for one in met]
    sizes = [size for size in JOB_SIZES if size % node.num_accelerators == 0]
    rates = {
        size: sum(one.stops_per_s for one in interruptions_of(breakable_of(profile, node, count), count))
        for size, count in ((size, size // node.num_accelerators) for size in sizes)
    }
    return ShownReliability(
        name=profile.name,
        cluster=cluster,
        nodes=nodes,
        per_1000_node_days=sum(one.per_1000_node_days for one in causes),
        causes=tuple(sorted(causes, key=lambda one: -one.per_1000_node_days)),
        mttf_s={size: 1.0 / rate for size, rate in rates.items() if rate > 0.0},
        lemon_share=profile.lemons.share,
        lemon_times=profile.lemons.times,
    )


def _shown(cause: FailureCause, name: str, per_1000_node_days: float) -> ShownCause:
    """A range is of the rate by unit, and holds by node alike."""
    rate = cause.rate
    scale = per_1000_node_days / rate.per_1000_unit_days if rate.per_1000_unit_days else 0.0
    return ShownCause(
        name=name,
        component=cause.component,
        effect=cause.effect,
        per_1000_node_days=per_1000_node_days,
        low=None if rate.low is None else rate.low * scale,
        high=None if rate.high is None else rate.high * scale,
        detection_s=cause.detection.mean,
        diagnosis_s=cause.diagnosis.mean,
        repair_s=cause.repair.mean,
        repaired=cause.repaired,
    )
