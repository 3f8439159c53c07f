"""What a run says of failures, checkpoints and restarts, against what its plan took for granted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from myriad import catalog
from myriad.api.clusters import cluster_of
from myriad.api.expected_goodput import JobGoodput, goodput_of_job
from myriad.api.failures import breakable_of_job, reliability_of
from myriad.calibrate.run_entries import Origin, reliability_text
from myriad.calibrate.run_fit import updated, updated_rate
from myriad.estimate.poisson import gamma_quantile
from myriad.spec.reliability import Reliability
from myriad.spec.run import RunReport
from myriad.spec.run_calibration import Refit
from myriad.spec.system import System
from myriad.spec.training_launch import TrainingLaunch
from myriad.units import HOUR_S

TIME_SPREAD: Final = 0.7
"""Of ln seconds of checkpoints and restarts: how far they may be from what was planned."""
TIME_DEVIATION: Final = 0.3
"""And their mean over a run from that of all runs."""
RATE_SHAPE: Final = 2.0
"""How sure a rate of failures is that has no published range: its standard deviation is 70 % of it."""


@dataclass(frozen=True)
class RunEvidence:
    """A run, as far as its plan can learn from it."""

    report: RunReport
    launch: TrainingLaunch
    computing_s: float | None = None
    """Of the median step: in which a rank waits for nobody; `None` where ranks do not tell."""

    def figure(self, name: str) -> float | None:
        """What was measured of one of the compared figures."""
        return next((one.measured for one in self.report.compared if one.figure == name), None)

    @property
    def origin(self) -> Origin:
        """The run as a source: when, and how much of it was counted."""
        report, summary = self.report, self.report.summary
        first, last = (_day(at_s) for at_s in (summary.created_s, summary.created_s + report.wall_s))
        lives = len({one.life for one in report.steps})
        kept = sum(one.kept for one in report.steps)
        step = next(one for one in report.compared if one.figure == "step_s")
        note = f"{kept} steps that lasted, {lives} lives, {report.interruptions} interruptions"
        if step.measured and step.measured_low and step.measured_high:
            low, high = f"{step.measured_low:.4g}", f"{step.measured_high:.4g}"
            note += f"; median step {step.measured:.4g} s, 95 % interval {low} to {high} s"
        return Origin(summary.run, f"Own run {summary.run}, {first if first == last else f'{first} to {last}'}", note)

    @property
    def exposed_s(self) -> float:
        """Time in which it could be interrupted: all but that of waiting for nodes."""
        return self.report.wall_s - self.report.ledger_s["waiting"]

    @property
    def waited_s(self) -> float | None:
        """Mean time of waiting for nodes after an interruption; `None` where there was none."""
        trained = [one.begin_s for one in self.report.segments if one.category in ("productive", "lost_work")]
        if not trained or not self.report.interruptions:
            return None
        waits = [one for one in self.report.segments if one.category == "waiting" and one.begin_s > trained[0]]
        return sum(one.end_s - one.begin_s for one in waits) / self.report.interruptions


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")


def over_time(
    evidence: RunEvidence, system: System
) -> tuple[dict[str, Any], dict[str, Any], list[Refit], dict[str, str]]:
    """What changes in pools and in jobs of the system file, what is said of it, and entries by path.

    Nothing where the pool does not say how it breaks: its plan then reckons with no failure.
    """
    launch, run = evidence.launch, evidence.report.summary.run
    pool, job = system.pools[launch.pool], system.jobs[launch.job]
    if pool.reliability is None:
        return {}, {}, [], {}
    refits: list[Refit] = []
    profile = reliability_of(pool.reliability)
    expected_s = launch.promise.mean_time_to_interruption_s
    pools: dict[str, Any] = {}
    files: dict[str, str] = {}
    if expected_s is not None and evidence.exposed_s > 0.0:
        refit, factor, note = _rate(profile, expected_s, evidence, f"reliability/{run}")
        refits.append(refit)
        files[f"reliability/{run}.yaml"] = reliability_text(
            _scaled(profile, factor, run), profile, evidence.origin, note
        )
        pools[launch.pool] = {"reliability": run}
    cluster = cluster_of(launch.pool, pool)
    node = catalog.node_of(pool)
    breakable = breakable_of_job(pool.reliability, pool, node, launch.nodes + launch.spare_nodes)
    goodput = goodput_of_job(
        job, launch.model, pool, cluster, node, launch.layout, launch.promise.step_s, breakable
    )  # fmt: skip
    recovery = _recovery(evidence, system, goodput, refits)
    return pools, {launch.job: {"recovery": recovery}} if recovery else {}, refits, files


def _rate(
    profile: Reliability, expected_s: float, evidence: RunEvidence, figure: str
) -> tuple[Refit, float, str]:  # fmt: skip
    """Time to an interruption after the run, the factor on all rates, and what it was fitted on."""
    count, exposed_s = evidence.report.interruptions, evidence.exposed_s
    shape, expected = _shape(profile), exposed_s / expected_s
    factor = updated_rate(expected, shape, count)
    most, least = (gamma_quantile(shape + count, tail) / (shape + expected) for tail in (0.975, 0.025))
    refit = Refit(
        name="failures", figures=(figure,), before=expected_s, after=expected_s / factor, unit="s",
        low=expected_s / most, high=expected_s / least, spread=shape**-0.5, uncertainty=(shape + count) ** -0.5,
    )  # fmt: skip
    return (
        refit,
        factor,
        f"{count} interruptions in {exposed_s / HOUR_S:.3g} h, {expected:.3g} expected: times {factor:.4g}",
    )


def _shape(profile: Reliability) -> float:
    """Of the gamma law that holds the published range of all rates together with 95 %."""
    low, value, high = (
        sum(getattr(one.rate, end) or one.rate.per_1000_unit_days for one in profile.causes.values())
        for end in ("low", "per_1000_unit_days", "high")
    )
    if not value or high <= low * 1.001 or not low:
        return RATE_SHAPE
    return float(max((math.log(high / low) / 3.92) ** -2.0, 0.5))


def _scaled(profile: Reliability, factor: float, name: str) -> Reliability:
    def of(rate: float | None) -> float | None:
        return None if rate is None else rate * factor

    causes = {
        key: cause.model_copy(
            update={
                "rate": cause.rate.model_copy(
                    update={end: of(getattr(cause.rate, end)) for end in ("per_1000_unit_days", "low", "high")}
                )
            }
        )
        for key, cause in profile.causes.items()
    }
    return profile.model_copy(update={"name": f"{profile.name}, after run {name}", "causes": causes})


def _recovery(evidence: RunEvidence, system: System, goodput: JobGoodput, refits: list[Refit]) -> dict[str, Any]:
    """`recovery` of the job as the run has it, in the words of system files."""
    launch = evidence.launch
    job = system.jobs[launch.job]
    key = f"jobs.{launch.job}.recovery"
    found: dict[str, Any] = {}
    if len(goodput.protected.lines) == 1:
        (line,) = goodput.protected.lines
        (place,) = job.recovery.checkpoints
        planned = {"blocking": line.blocking_s, "write": line.write_s, "read": line.read_s}
        saved = place.model_dump(mode="json", exclude_none=True)
        for name, before in planned.items():
            if after := _time(name, evidence.figure(f"checkpoint_{name}_s"), before, f"{key}.checkpoints", refits):
                saved[name] = after
        if saved.keys() & planned.keys():
            saved["write"] = max(saved.get("write", line.write_s), saved.get("blocking", 0.0))
            found["checkpoints"] = [saved]
    restart = job.recovery.restart
    measured = evidence.figure("restart_s")
    if measured is not None:
        read_s = evidence.figure("checkpoint_read_s") or 0.0
        before = restart.seconds(launch.nodes) - restart.schedule
        after = _time("restart", max(measured - read_s, 1e-3), before, f"{key}.restart", refits)
        if after is not None:
            factor = after / before
            scaled = {
                name: value * factor for name, value in restart.model_dump().items() if name != "schedule"
            }  # fmt: skip
            waited_s = _time("schedule", evidence.waited_s, restart.schedule, f"{key}.restart.schedule", refits)
            found["restart"] = scaled | {"schedule": restart.schedule if waited_s is None else waited_s}
    return found


def _time(name: str, measured: float | None, before: float, figure: str, refits: list[Refit]) -> float | None:
    """Seconds after the run; `None` where it does not say. What nothing was planned of is as it was measured."""
    if measured is None or measured <= 0.0:
        return None
    if before <= 0.0:
        after, left = measured, TIME_DEVIATION
    else:
        after, left = updated(before, TIME_SPREAD, measured, TIME_DEVIATION)
    half = 1.96 * left
    refits.append(
        Refit(
            name=name, figures=(figure,), before=before, after=after, unit="s", low=after * math.exp(-half),
            high=after * math.exp(half), spread=TIME_SPREAD, uncertainty=left,
        )
    )  # fmt: skip
    return after
