"""How a cluster breaks, from its own logs."""

from __future__ import annotations

from pathlib import Path

from myriad.calibrate.incident_log import read_incidents
from myriad.calibrate.reliability import Described
from myriad.calibrate.reliability import fit_reliability as fit_log
from myriad.calibrate.reliability_entry import reliability_entry
from myriad.calibrate.step_log import read_steps
from myriad.spec.reliability_fit import ReliabilityFit

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
    cluster = Described(name, incidents.name, nodes, accelerators_per_node, age_s)
    return fit_log(log, cluster, None if steps is None else read_steps(steps))


def reliability_entry_text(fit: ReliabilityFit, detection_s: float = USUAL_DETECTION_S) -> str:
    """The fit as YAML of a catalog entry; `detection_s` is assumed where the log has no detection times."""
    return reliability_entry(fit, detection_s)
