"""A cluster's own incident log -> how it breaks: rates, shapes, bursts, repairs and lemons, each with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from myriad.calibrate.bursts import Bursts, bursts_of
from myriad.calibrate.durations import fit_duration
from myriad.calibrate.failure_law import FailureLaw, failure_law, service_of
from myriad.calibrate.incident_log import IncidentLog
from myriad.calibrate.lemons import Lemons, lemons_of
from myriad.calibrate.step_log import StepLog, fit_steps
from myriad.estimate.poisson import mean_interval
from myriad.spec.reliability import Effect
from myriad.spec.reliability_fit import CauseFit, Interval, ReliabilityFit
from myriad.units import DAY_S, THOUSAND_DAYS_S

FloatArray = npt.NDArray[np.float64]

JOB_SIZES: Final = (8, 64, 512, 1024, 4096, 16384, 65536, 131072)
_CORRUPTS: Final = "silent-data-corruption"


@dataclass(frozen=True)
class LoggedCluster:
    """What a log does not say of the cluster that it is of."""

    name: str
    log: str
    num_nodes: int
    accelerators_per_node: int
    age_s: float
    """Of the nodes at the start of the window."""


def fit_reliability(log: IncidentLog, cluster: LoggedCluster, steps: StepLog | None = None) -> ReliabilityFit:
    """How a cluster breaks, from its own log; with what a run's step log says where one is given."""
    bursts = _bursts(log)
    first = np.ones(len(log), dtype=bool)
    for index, found in enumerate(bursts):
        first[log.cause == index] = found.first
    lemons = _lemons(log, bursts, first, cluster)
    times = np.ones(len(log.nodes)) if lemons is None else lemons.times
    causes = [_cause(log, index, bursts[index], times, cluster) for index in range(len(log.causes))]
    causes.sort(key=lambda one: -one.events)
    rate = _whole_rate(log, bursts, cluster)
    return ReliabilityFit(
        name=cluster.name,
        log=cluster.log,
        num_nodes=cluster.num_nodes,
        accelerators_per_node=cluster.accelerators_per_node,
        days=log.window_s / DAY_S,
        incidents=len(log),
        per_1000_node_days=rate,
        mttf_s={size: _mttf(rate, -(-size // cluster.accelerators_per_node)) for size in JOB_SIZES},
        causes=tuple(causes),
        lemons=None if lemons is None else lemons.fit,
        steps=None if steps is None else fit_steps(steps),
        assumed=_assumed(log, causes, cluster),
    )


def _bursts(log: IncidentLog) -> list[Bursts]:
    of_cause = [log.cause == index for index in range(len(log.causes))]
    return [bursts_of(log.time_s[mine], log.node[mine], log.downtime_s[mine], log.window_s) for mine in of_cause]


def _lemons(
    log: IncidentLog, bursts: list[Bursts], first: npt.NDArray[np.bool_], cluster: LoggedCluster
) -> Lemons | None:
    """Nodes that stand out, unless parts that fail young explain the log better: they too make one node fail often."""
    machine = np.array([component != "software" for component in log.components])[log.cause]
    events = np.bincount(log.node[first & machine & (log.node >= 0)], minlength=len(log.nodes))
    lemons = lemons_of(events, cluster.num_nodes, log.nodes) if len(log.nodes) else None
    if lemons is None:
        return None
    alike = np.ones(len(log.nodes))
    laws = [_law(log, index, one, alike, cluster) for index, one in enumerate(bursts)]
    young = sum(law.gain for law in laws if law.shape_used < 1.0)
    return lemons if lemons.gain > young else None


def _law(log: IncidentLog, index: int, bursts: Bursts, times: FloatArray, cluster: LoggedCluster) -> FailureLaw:
    heads = np.flatnonzero(log.cause == index)[bursts.first]
    service = service_of(
        log.time_s[heads], log.node[heads], np.nan_to_num(log.downtime_s[heads]),
        np.ones(len(times)) if log.components[index] == "software" else times,
        cluster.num_nodes, log.window_s, cluster.age_s,
    )  # fmt: skip
    return failure_law(service, bursts.size)


def _whole_rate(log: IncidentLog, bursts: list[Bursts], cluster: LoggedCluster) -> Interval:
    """Of all causes; counts in bursts vary more than a Poisson count, each cause by its own."""
    counts = np.bincount(log.cause, minlength=len(log.causes))
    spread = float(np.sum(counts * (2.0 * np.array([one.size for one in bursts]) - 1.0)) / len(log))
    scale = THOUSAND_DAYS_S / (cluster.num_nodes * log.window_s)
    low, high = mean_interval(len(log) / spread)
    return Interval(value=len(log) * scale, low=low * spread * scale, high=high * spread * scale)


def _mttf(per_1000_node_days: Interval, nodes: int) -> Interval:
    each = THOUSAND_DAYS_S / nodes
    return Interval(
        value=each / per_1000_node_days.value, low=each / per_1000_node_days.high, high=each / per_1000_node_days.low
    )


def _cause(log: IncidentLog, index: int, bursts: Bursts, times: FloatArray, cluster: LoggedCluster) -> CauseFit:
    mine = log.cause == index
    downtime = log.downtime_s[mine]
    law = _law(log, index, bursts, times, cluster)
    name = log.causes[index]
    speed = log.speed[mine]
    slow = speed[np.isfinite(speed) & (speed < 1.0)]
    effect: Effect = "slow" if len(slow) else "corrupt" if name == _CORRUPTS else "stop"
    known = np.isfinite(downtime)
    out = known & (downtime > 0.0)
    found_s = np.nan_to_num(log.detection_s[mine]) + np.nan_to_num(log.diagnosis_s[mine])
    return CauseFit(
        name=name,
        component=log.components[index],
        common=name not in log.uncommon,
        names=log.names[name],
        effect=effect,
        speed=float(slow.mean()) if len(slow) else 1.0,
        events=int(mine.sum()),
        per_1000_node_days=law.per_1000_node_days,
        shape=law.shape,
        shape_used=law.shape_used,
        exponential_p=law.exponential_p,
        burst=bursts.size,
        burst_within_s=bursts.gap_s,
        repaired=float(out.sum() / known.sum()) if known.any() else None,
        repair=fit_duration(np.maximum(downtime - found_s, 0.0)[out]),
        detection=fit_duration(log.detection_s[mine]),
        diagnosis=fit_duration(log.diagnosis_s[mine]),
    )


def _assumed(log: IncidentLog, causes: list[CauseFit], cluster: LoggedCluster) -> tuple[str, ...]:
    said = []
    if not len(log.nodes):
        said.append("the log names no nodes: no lemons, no bursts, and ages as if nothing were replaced")
    elif (log.node < 0).any():
        said.append(f"{int((log.node < 0).sum()):,} incidents name no node")
    if cluster.age_s == 0.0 and any(one.shape_used != 1.0 for one in causes):
        said.append("shapes are by age from the start of the log, as if all nodes were new then (--age)")
    if lacking := [one.name for one in causes if one.repaired is None]:
        said.append(f"no downtime: no repair of {', '.join(lacking)}")
    if lacking := [one.name for one in causes if one.detection is None]:
        said.append(f"no detection times of {', '.join(lacking)}")
    if log.uncommon:
        said.append(f"causes of component unknown, kept as the log calls them: {', '.join(log.uncommon)}")
    return tuple(said)
